"""Many arenas: thousands of blocks one after another, and a thousand sealed ones alive at once."""

from __future__ import annotations

import pytest
from forking import run_python

COUNTING = """
gc.freeze()  # each block collects twice: what the interpreter was born with need not be looked at
def chunks(path):
    "What it holds, in small pieces: a buffer of open() is a step of the heap (3.14: 128 KiB)."
    file = os.open(path, os.O_RDONLY)
    try:
        while chunk := os.read(file, 2000):
            yield chunk
    finally:
        os.close(file)
def status(name):
    text = b"".join(chunks("/proc/self/status")).decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":"))
def files_behind():
    "KiB that the files behind the mappings here occupy, each counted once."
    seen = {}
    try:
        for name in os.listdir("/proc/self/map_files"):
            facts = os.stat(f"/proc/self/map_files/{name}")
            if os.readlink(f"/proc/self/map_files/{name}").startswith("/memfd:"):
                seen[facts.st_dev, facts.st_ino] = facts.st_blocks // 2
    except PermissionError:
        return 0  # only root may look
    except FileNotFoundError:
        return files_behind()
    return sum(seen.values())
def heap():
    "KiB of malloc's heap, which it extends by a step when a request does not fit, whoever asks."
    for line in b"".join(chunks("/proc/self/maps")).splitlines():
        if line.endswith(b"[heap]"):
            first, last = line.split()[0].split(b"-")
            return (int(last, 16) - int(first, 16)) // 1024
    return 0
def count():
    gc.collect()
    return {
        "mappings": sum(chunk.count(b"\\n") for chunk in chunks("/proc/self/maps")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "address space KiB": status("VmSize") - heap(),
        "resident KiB": status("VmRSS") - status("RssShmem"),
        "files KiB": files_behind(),
        "page tables KiB": status("VmPTE"),
        "arenas": len(fa.arenas()),
    }
"""

# What a block leaves behind that dies with it, one way to each line.
LEAVING_NOTHING = {
    "nothing alive at the seal": """
def block(number):
    with frozen_arena():
        data = [str(part) * 3 for part in range(200)]
        del data
""",
    "an empty block": """
def block(number):
    with frozen_arena():
        pass
""",
    "abandoned by an exception": """
def block(number):
    try:
        with frozen_arena():
            data = [str(part) * 3 for part in range(200)]
            raise LookupError
    except LookupError:
        pass
""",
    "a nested pair": """
def block(number):
    with frozen_arena():
        with frozen_arena():
            data = [str(part) * 3 for part in range(200)]
            del data
""",
    "in a thread of its own": """
threading.stack_size(256 << 10)
together = threading.Barrier(8)  # glibc keeps their stacks, so that no later thread needs a new one
for thread in [threading.Thread(target=together.wait) for _ in range(8)]:
    thread.start()
def block(number):
    def body():
        with frozen_arena():
            data = [str(part) * 3 for part in range(200)]
            del data
    in_thread(body)
""",
}


# mimalloc's structures of a thread that ends and of the next one lie in pieces that come and go
# (3.4.3: 320 or 960 KiB, in turns that last some hundred threads). What leaks never goes: it raises
# the least that is counted in a stretch of blocks.
@pytest.mark.once
@pytest.mark.parametrize("kind", LEAVING_NOTHING)
def test_ten_thousand_blocks_one_after_another_leak_nothing(kind: str) -> None:
    blocks = 10_000 // (2 if kind == "a nested pair" else 1)
    seen = run_python(
        COUNTING
        + LEAVING_NOTHING[kind]
        + """
def stretch(first, last):
    "Opens that many blocks; the least of each count, which is taken after every fortieth part."
    least = {}  # and no list of all that was counted, which would grow the heap by itself
    for number in range(first, last):
        block(number)
        if number % ((last - first) // 40) == 0:
            for name, value in count().items():
                least[name] = min(value, least.get(name, value))
    return least
blocks = int(sys.argv[1])
for number in range(blocks // 5):
    block(number)  # until everything that is kept has been made
before = stretch(blocks // 5, blocks // 5 * 2)
for number in range(blocks // 5 * 2, blocks):
    block(number)
after = stretch(blocks, blocks // 5 * 6)
print(json.dumps({name: [before[name], after[name]] for name in before}))
""",
        str(blocks),
        env={"MALLOC_ARENA_MAX": "1"},  # glibc gives a thread 64 MiB of address space when it likes
        timeout=280,
    ).json
    print(f"{blocks} blocks, {kind}: {seen}")
    for name in ("mappings", "descriptors", "arenas", "address space KiB"):
        assert seen[name][1] <= seen[name][0], seen
    least = blocks * 4 / 5 * 16 / 1024  # KiB, when each leaves 16 bytes
    for name in ("resident KiB", "files KiB"):  # mimalloc's metadata is in both
        assert seen[name][1] - seen[name][0] < least, seen


def test_a_thousand_sealed_arenas_alive_at_once_cost_little_beside_their_data() -> None:
    seen = run_python(
        COUNTING
        + """
held = [None] * 1000
with frozen_arena("first"):
    first = [str(part) * 3 for part in range(200)]
before = count()
for number in range(1000):
    with frozen_arena(f"arena {number}"):
        held[number] = [f"{number}-{part}" for part in range(200)]
after = count()
assert [arena.state for arena in fa.arenas()] == ["sealed"] * 1001
assert all(held[number][77] in arena for number, arena in enumerate(fa.arenas()[1:]))
def read():
    assert [items[199] for items in held] == [f"{number}-199" for number in range(1000)]
    return fa.sharing().private_os_pages
private = fork_and_report(read)
def change():
    for items in held:
        items.append("child")
    return len(held[999])
assert fork_and_report(change) == 201 and len(held[999]) == 200
data = sum(arena.report.live_bytes for arena in fa.arenas()[1:])
print(json.dumps({
    "private": private,
    "data KiB": data / 1024,
    **{name: after[name] - before[name] for name in before},
}))
""",
        timeout=280,
    ).json
    each = {name: round(value / 1000, 2) for name, value in seen.items() if name != "private"}
    print(f"what an arena costs: {each}")
    own = (
        seen["resident KiB"]
        + max(0, seen["files KiB"] - seen["data KiB"])
        + seen["page tables KiB"]
    )
    print(f"beside its data: {own / 1000:.0f} KiB of memory, {each['mappings']} mappings")
    assert own / 1000 <= 512
    assert seen["address space KiB"] / 1000 <= 2048
    assert seen["descriptors"] <= 0
    assert seen["mappings"] <= 1000 * 30, "the kernel allows 65,530 mappings"
    assert seen["private"] == 0 or __import__("sys").version_info < (3, 12)


def test_arenas_of_which_some_die_leave_room_for_new_ones() -> None:
    run_python(
        COUNTING
        + """
held = {}
def build(number):
    try:
        with frozen_arena():
            held[number] = [f"{number}-{part}" for part in range(200)]
            if number % 2:
                raise LookupError
    except LookupError:
        pass
def replace_every_second():
    for number in range(1, 400, 2):
        del held[number]
    gc.collect()
    for number in range(1, 400, 2):
        build(number)
for number in range(400):
    build(number)
replace_every_second()  # from now on arenas fill the gaps that others of their kind have left
middle = count()
for round in range(5):
    replace_every_second()
after = count()
assert after["mappings"] - middle["mappings"] <= 60, (middle, after)
assert after["address space KiB"] - middle["address space KiB"] <= 128 * 1024, (middle, after)
assert all(held[number][77] == f"{number}-77" for number in range(400))
""",
        timeout=280,
    )
