"""Faults from freezing what C code is still building, and raw memory that looks like an object."""

from __future__ import annotations

import sys

import pytest
from forking import run_python

# A block that is left by the step numbered LEAVE, called from inside the C function that builds.
STEPPING = """
block = frozen_arena()
arena = block.__enter__()
kept = [["data", str(number) * 3] for number in range(2000)]
LEAVE, COUNT = int(sys.argv[1]), 2000
def step(number):
    if number == LEAVE and arena.state == "building":
        block.__exit__(None, None, None)
    return number * 1000 + 7
def copied_by(read):
    def child():
        read()
        return arena.sharing().private_os_pages
    return fork_and_report(child)
"""


@pytest.mark.parametrize("leave", ["0", "5", "9", "10", "11", "700", "1999"])
def test_block_left_inside_tuple_of_a_generator_gives_the_right_tuple(leave: str) -> None:
    run_python(
        STEPPING
        + """
made = tuple(step(number) for number in range(COUNT))
wanted = tuple([number * 1000 + 7 for number in range(COUNT)])
assert arena.state == "sealed", arena.state
assert made == wanted and hash(made) == hash(wanted)
assert {wanted: 1}[made] == 1 and made in {wanted}
assert kept[77][1] == "777777"
""",
        leave,
    )


@pytest.mark.parametrize("leave", ["0", "5", "9", "700", "1999"])
def test_block_left_inside_frozenset_of_a_generator_gives_the_right_hash_and_look_ups(
    leave: str,
) -> None:
    run_python(
        STEPPING
        + """
made = frozenset(step(number) for number in range(COUNT))
wanted = frozenset([number * 1000 + 7 for number in range(COUNT)])
assert arena.state == "sealed", arena.state
assert made == wanted and hash(made) == hash(wanted)
assert {wanted: 1}[made] == 1 and made in {wanted}
assert all(number * 1000 + 7 in made for number in range(COUNT))
""",
        leave,
    )


@pytest.mark.parametrize("leave", ["0", "5", "700", "1999"])
@pytest.mark.parametrize("show", ["repr", "str", "'{}'.format", "list.__repr__"])
def test_block_left_inside_the_repr_of_a_list_gives_the_right_text(show: str, leave: str) -> None:
    run_python(
        STEPPING
        + f"""
class Item:
    def __init__(self, number): self.number = number
    def __repr__(self): return "größe " + str(step(self.number))
made = ({show})([Item(number) for number in range(COUNT)])
wanted = "[" + ", ".join(["größe " + str(number * 1000 + 7) for number in range(COUNT)]) + "]"
assert arena.state == "sealed", arena.state
assert made == wanted and hash(made) == hash(wanted) and {{wanted: 1}}[made] == 1
assert made.encode() == wanted.encode()
""",
        leave,
    )


@pytest.mark.parametrize(
    "build",
    [
        "list(step(n) for n in range(COUNT))",
        "dict((step(n), n) for n in range(COUNT))",
        "set(step(n) for n in range(COUNT))",
        "sorted((step(n) for n in range(COUNT)), key=lambda n: -n)",
        "bytes(step(n) % 256 for n in range(COUNT))",
        "bytearray(step(n) % 256 for n in range(COUNT))",
        "''.join(str(step(n)) for n in range(COUNT))",
        "b''.join(str(step(n)).encode() for n in range(COUNT))",
        "json.dumps({n: Default(n) for n in range(COUNT)}, default=lambda d: step(d.n))",
        "json.loads('[0' + ',0' * 1999 + ']', parse_int=next_step())",
        "[*map(step, range(COUNT))]",
        "max(step(n) for n in range(COUNT))",
        "re.sub('x', next_step(str), 'x' * COUNT)",
        "collections.deque(step(n) for n in range(COUNT))",
        "collections.Counter(step(n) for n in range(COUNT))",
        "array.array('q', (step(n) for n in range(COUNT)))",
        "pickle.loads(pickle.dumps([Default(n) for n in range(COUNT)]))",
        "copy.deepcopy([Default(n) for n in range(COUNT)])",
        "dict.fromkeys(map(step, range(COUNT)))",
        "tuple([tuple(step(n) for n in range(COUNT))] * 2)",
        "type('Made', (), {str(n): step(n) for n in range(COUNT)}).__name__",
        "frozenset(frozenset([step(n)]) for n in range(COUNT))",
        "'%s' * COUNT % tuple(map(Default, range(COUNT)))",
    ],
)
def test_block_left_inside_any_other_builder_gives_what_it_gives_without_one(build: str) -> None:
    run_python(
        STEPPING
        + f"""
import array, collections, copy, pickle, re
def next_step(kind=int):
    numbers = iter(range(COUNT))
    return lambda _: kind(step(next(numbers)))
class Default:
    def __init__(self, n): self.n = n
    def __str__(self): return str(step(self.n))
    def __eq__(self, other): return self.n == other.n
    def __hash__(self): return hash(self.n)
    def __deepcopy__(self, memo): return Default(step(self.n))
    def __reduce__(self): return (Default, (self.n,), (None, dict(n=step(self.n))))
made = {build}
assert arena.state == "sealed", arena.state
wanted = {build}
assert made == wanted, (str(made)[:80], str(wanted)[:80])
if type(made).__hash__:
    assert hash(made) == hash(wanted) and {{made: 1}}[wanted] == 1
""",
        "700",
    )


def test_block_for_all_threads_left_while_others_are_inside_builders() -> None:
    run_python(
        """
        COUNT = 3000
        inside, left = threading.Barrier(6), threading.Event()
        def items():
            for number in range(COUNT):
                if number == 1500:
                    inside.wait()
                    left.wait()
                yield f"{number * 1000 + 7}"
        builders = {
            "tuple": tuple,
            "frozenset": frozenset,
            "set": set,
            "join": lambda parts: "größe ".join(parts),
            "dict": dict.fromkeys,
        }
        box = {}
        def build(name):
            box[name] = builders[name](items())
        with frozen_arena(threads="all") as arena:
            threads = [threading.Thread(target=build, args=(name,)) for name in builders]
            for thread in threads:
                thread.start()
            data = [str(number) * 2 for number in range(5000)]
            inside.wait()
        left.set()
        for thread in threads:
            thread.join()
        assert arena.state == "sealed", arena.state
        inside = threading.Barrier(1)
        for name, builder in builders.items():
            made, wanted = box[name], builder(items())
            assert made == wanted, name
            if type(made).__hash__:
                assert hash(made) == hash(wanted) and {wanted: 1}[made] == 1, name
            if name in ("set", "frozenset", "dict"):
                assert all(f"{number * 1000 + 7}" in made for number in range(COUNT)), name
        assert fork_and_report(lambda: [hash(box["tuple"]) % 7, data[77]])[1] == "7777"
        """
    )


def test_own_block_left_while_another_threads_block_is_inside_a_builder() -> None:
    run_python(
        """
        half, left = threading.Event(), threading.Event()
        def items():
            for number in range(2000):
                if number == 1000:
                    half.set()
                    left.wait()
                yield number * 1000 + 7
        box = {}
        def build():
            with frozen_arena("slow") as box["slow"]:
                box["tuple"] = tuple(items())
        thread = threading.Thread(target=build)
        thread.start()
        half.wait()
        with frozen_arena("quick") as quick:
            data = [str(number) * 2 for number in range(5000)]
        left.set()
        thread.join()
        assert (quick.state, box["slow"].state) == ("sealed", "sealed")
        wanted = tuple(number * 1000 + 7 for number in range(2000))
        assert box["tuple"] == wanted and hash(box["tuple"]) == hash(wanted)
        """
    )


RAW = """
import ctypes
api = ctypes.pythonapi
api.PyObject_Malloc.restype = ctypes.c_void_p
api.PyObject_Malloc.argtypes = [ctypes.c_size_t]
api.PyObject_Free.argtypes = [ctypes.c_void_p]
def raw(size, content):
    "A raw block of the objects lane that starts with ``content``; the rest stays as it was."
    block = api.PyObject_Malloc(size)
    ctypes.memmove(block, content, len(content))
    return block
class Instance:
    def __init__(self): self.a, self.b = [1], {2}
"""


@pytest.mark.parametrize(
    ("make", "size"),
    [
        ("set()", 216),
        ("bytearray(9)", 56),
        ("Instance()", 64),
        ("[]", 56),
        ("{}", 64),
        ("(1, 2, object())", 64),
    ],
)
@pytest.mark.parametrize("text", ["8", "16", "24", "40"])
def test_raw_buffer_in_a_reused_block_is_not_taken_for_the_object_that_died_there(
    make: str, size: int, text: str
) -> None:
    run_python(
        RAW
        + f"""
with frozen_arena() as arena:
    dead = [{make} for _ in range(20_000)]
    kept = [[str(number) * 3] for number in range(1000)]
    del dead
    gc.collect()
    text = (b"raw text " * 10)[: {text}]
    blocks = [raw(size, text) for size in ({size}, {size} + 16, {size} - 16) for _ in range(3000)]
assert arena.state == "sealed"
assert all(ctypes.string_at(block, len(text)) == text for block in blocks)
gc.collect()
assert kept[77] == ["777777"]
assert fork_and_report(lambda: (gc.collect(), len(kept))[1]) == 1000
for block in blocks:
    api.PyObject_Free(block)
"""
    )


@pytest.mark.parametrize("offset", [0, 16, 32])
@pytest.mark.parametrize("links", ["0", "0x4141414141414140", "8", "0xFFFFFFFFFFFFFFF0"])
def test_raw_buffer_with_a_planted_header_and_foreign_gc_links_crashes_nothing(
    offset: int, links: str
) -> None:
    run_python(
        RAW
        + f"""
import struct
class Plain: pass
types = [list, tuple, float, bytes, Plain]  # a body of zeros is a valid one for each of these
with frozen_arena() as arena:
    kept = [[str(number) * 3] for number in range(1000)]
    blocks = []
    for kind in types:
        words = [{links}] * ({offset} // 8) + [1, id(kind)]
        content = struct.pack(f"<{{len(words)}}Q", *words)
        for size in (64, 112, 256):
            blocks += [raw(size, content.ljust(size, b"\\0")) for _ in range(50)]
assert arena.state == "sealed"
gc.collect()
assert kept[77] == ["777777"]
assert fork_and_report(lambda: (gc.collect(), len(kept))[1]) == 1000
"""
    )


def test_raw_buffer_with_words_that_point_anywhere_crashes_nothing() -> None:
    run_python(
        RAW
        + """
import random, struct
with frozen_arena() as arena:
    kept = [[str(number) * 3] for number in range(1000)]
    dice = random.Random(5)
    live = [id(x) for x in (kept, kept[5], print, arena, raw, Instance(), "text", sys)]
    def word():
        pointer = dice.choice(live) + dice.choice([0, 8, 16, -16])
        return dice.choice([dice.getrandbits(64), pointer, pointer, pointer + 1, 1, 2, 0, 4096])
    blocks = [raw(112, struct.pack("<14Q", *(word() for _ in range(14)))) for _ in range(20_000)]
assert kept[77] == ["777777"]
gc.collect()
"""
    )


@pytest.mark.skipif(sys.version_info < (3, 15), reason="a bytearray holds its bytes itself")
def test_bytes_inside_a_bytearray_get_no_hash_before_they_are_taken_out() -> None:
    run_python(
        """
        class Buffer(bytearray): pass
        class Slotted(bytearray): __slots__ = ("name",)
        with frozen_arena():
            buffers = [kind(b"x" * 100) for kind in (bytearray, Buffer, Slotted)]
        for buffer in buffers:
            buffer[0] = 65
            taken = buffer.take_bytes()
            assert {bytes(bytearray(taken)): "found"}.get(taken) == "found", type(buffer)
        """
    )
