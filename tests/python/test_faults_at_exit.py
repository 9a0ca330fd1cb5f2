"""Faults at the end of a process: what must be finished, and arenas in every state."""

from __future__ import annotations

from pathlib import Path

import pytest
from forking import run_python

# How the process that looks at the outcome ends: the parent itself, or a worker.
ENDINGS = {
    "parent": "",
    "worker": """
pid = os.fork()
if pid:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os._exit(0)
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_buffered_file_held_by_a_frozen_instance_is_flushed_at_exit(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / "buffered.txt"
    run_python(
        """
class Log:
    def __init__(self): self.file = open(sys.argv[1], "w")
with frozen_arena() as arena:
    log = Log()
log.file.write("fourteen bytes")
"""
        + ENDINGS[ending],
        str(path),
    )
    assert path.read_text() == "fourteen bytes"


@pytest.mark.parametrize("written", ["inside", "outside"])
def test_files_of_every_kind_are_flushed_at_exit(written: str, tmp_path: Path) -> None:
    run_python(
        """
import codecs, gzip, io
folder, written = sys.argv[1:]
def put():
    held["text"].write("text " * 3)
    held["binary"].write(b"binary " * 3)
    held["random"].write(b"random " * 3)
    held["gzip"].write(b"gzip " * 3)
    held["wrapped"].write("wrapped " * 3)
with frozen_arena() as arena:
    held = {
        "text": open(f"{folder}/text", "w"),
        "binary": open(f"{folder}/binary", "wb"),
        "random": open(f"{folder}/random", "wb+"),
        "gzip": gzip.open(f"{folder}/gzip", "wb"),
        "wrapped": io.TextIOWrapper(io.BufferedWriter(io.FileIO(f"{folder}/wrapped", "w"))),
    }
    if written == "inside":
        put()
if written == "outside":
    put()
""",
        str(tmp_path),
        written,
    )
    import gzip

    for name in ("text", "binary", "random", "wrapped"):
        assert (tmp_path / name).read_text() == f"{name} " * 3
    assert gzip.decompress((tmp_path / "gzip").read_bytes()) == b"gzip " * 3


def test_temporary_file_and_folder_held_by_a_frozen_instance_are_removed_at_exit() -> None:
    finished = run_python(
        """
        import tempfile
        class Holder: pass
        with frozen_arena() as arena:
            holder = Holder()
            holder.file = tempfile.NamedTemporaryFile()
            holder.folder = tempfile.TemporaryDirectory()
        holder.file.write(b"text")
        print(json.dumps([holder.file.name, holder.folder.name]))
        assert all(map(os.path.exists, [holder.file.name, holder.folder.name]))
        """
    )
    assert [name for name in finished.json if Path(name).exists()] == []


def test_worker_that_ends_does_not_remove_the_parents_temporary_file() -> None:
    """One that leaves with os._exit, as multiprocessing's do, finishes nothing of its parent's."""
    run_python(
        """
        import tempfile
        with frozen_arena() as arena:
            holder = [tempfile.NamedTemporaryFile()]
        assert fork_and_report(lambda: os.path.exists(holder[0].name)) is True
        assert os.path.exists(holder[0].name)
        """
    )


def test_finalizer_of_an_object_held_by_a_frozen_one_runs_once_at_exit() -> None:
    finished = run_python(
        """
        class Finalised:
            def __init__(self, name): self.name = name
            def __del__(self): print("finished", self.name, flush=True)
        with frozen_arena() as arena:
            held = {"one": Finalised("one"), "two": [Finalised("two")]}
        """
    )
    assert sorted(finished.stdout.split("\n")[:-1]) == ["finished one", "finished two"]


def test_files_are_finished_before_other_finalizers_and_a_raising_one_stops_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    finished = run_python(
        """
        class Last:
            def __init__(self): self.path = sys.argv[1]
            def __del__(self):
                print("size", os.stat(self.path).st_size, flush=True)
                raise LookupError("from a finalizer")
        with frozen_arena() as arena:
            held = [Last(), Last(), open(sys.argv[1], "w"), Last()]
        held[2].write("ten bytes!")
        """,
        str(path),
    )
    assert finished.stdout.split() == ["size", "10"] * 3
    assert finished.stderr.count("LookupError: from a finalizer") == 3


@pytest.mark.parametrize("collect", ["gc.collect()", "pass", "gc.disable()"])
@pytest.mark.parametrize("target", ["frozen", "outside"])
def test_weak_references_with_callbacks_at_the_exit_of_a_worker(target: str, collect: str) -> None:
    run_python(
        f"""
        class Thing: pass
        outside = [Thing() for _ in range(100)]
        with frozen_arena() as arena:
            things = [Thing() for _ in range(100)]
            chosen = things if {target!r} == "frozen" else outside
            refs = [weakref.ref(thing, lambda ref: None) for thing in chosen]
            table = weakref.WeakValueDictionary({{n: thing for n, thing in enumerate(chosen)}})
            keys = weakref.WeakKeyDictionary({{thing: n for n, thing in enumerate(chosen)}})
            ends = [weakref.finalize(thing, int) for thing in chosen]
        chosen = None
        pid = os.fork()
        if pid == 0:
            {collect}
            outside.clear()
            refs[:50] = []
            {collect}
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert len(refs) == 100
        """
    )


# Says which process a callback ran in; written at once, as the interpreter may be ending.
TELLING = """
PARENT = os.getpid()
class Thing: pass
def tell(what):
    who = "parent" if os.getpid() == PARENT else "worker"
    os.write(1, f"{who}: {what}\\n".encode())
def work_in_a_worker(work):
    pid = os.fork()
    if pid == 0:
        work()
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_callback_of_a_weak_reference_of_the_block_runs_in_the_worker_that_drops_the_target() -> (
    None
):
    finished = run_python(
        TELLING
        + """
outside = [Thing()]
with frozen_arena() as arena:
    inside = [Thing()]
    refs = [weakref.ref(inside[0], lambda ref: tell("inside"))]
    refs += [weakref.ref(outside[0], lambda ref: tell("outside"))]
    table = weakref.WeakValueDictionary({"inside": inside[0], "outside": outside[0]})
def work():
    inside[0] = outside[0] = None
    assert [ref() for ref in refs] == [None, None] and len(table) == 0
work_in_a_worker(work)
assert None not in [ref() for ref in refs] and len(table) == 2
"""
    )
    assert sorted(finished.stdout.split("\n")[:-1]) == ["worker: inside", "worker: outside"]


def test_finalizers_by_weakref_finalize_run_at_the_exit_of_worker_and_parent() -> None:
    finished = run_python(
        TELLING
        + """
outside = Thing()
with frozen_arena() as arena:
    inside = [Thing(), Thing()]
    ends = [weakref.finalize(thing, tell, number) for number, thing in enumerate(inside)]
    weakref.finalize(outside, tell, "outside")
def work():
    inside[0] = None
    tell("ends")
work_in_a_worker(work)
tell("ends")
"""
    )
    lines = finished.stdout.split("\n")[:-1]
    assert lines[:2] == ["worker: 0", "worker: ends"]
    assert sorted(lines[2:4]) == ["worker: 1", "worker: outside"]
    assert lines[4] == "parent: ends"
    assert sorted(lines[5:]) == ["parent: 0", "parent: 1", "parent: outside"]


def test_callback_for_garbage_of_the_block_runs_once_while_the_block_is_left() -> None:
    run_python(
        """
        class Thing: pass
        died, made = [], []
        def end(ref):
            died.append(arena.state)
            made.append("".join(["made", "there"]))
        with frozen_arena() as arena:
            cycle = Thing()
            cycle.me = cycle
            ref = weakref.ref(cycle, end)
            weakref.finalize(cycle, died.append, "finalize")
            del cycle
            assert died == []
        assert sorted(died) == ["building", "finalize"] and ref() is None
        assert made[0] not in arena
        gc.collect()
        assert len(died) == 2
        """
    )


@pytest.mark.parametrize("wanted", ["live", "dead", "abandoned", "building", "none alive"])
def test_interpreter_ends_with_arenas_in_every_state(wanted: str) -> None:
    finished = run_python(
        """
        wanted = sys.argv[1]
        class Thing: pass
        with frozen_arena("live") as live:
            data = [[str(number) * 2, {number: Thing()}] for number in range(5000)]
            data.append(data)
        if wanted == "dead":
            del data, live
            gc.collect()
        if wanted == "abandoned":
            try:
                with frozen_arena("abandoned"):
                    more = [[str(number) * 2, {number: Thing()}] for number in range(5000)]
                    raise LookupError
            except LookupError:
                pass
        if wanted == "building":
            block = frozen_arena("building")
            block.__enter__()
            more = [[str(number) * 2, {number: Thing()}] for number in range(5000)]
        if wanted == "none alive":
            for name in list(globals()):
                if not name.startswith("__") and name not in ("gc", "name"):
                    del globals()[name]
            gc.collect()
            import frozen_arena as fa
        print(*(arena.state for arena in fa.arenas()))
        """,
        wanted,
    )
    assert finished.stderr == ""
    # On 3.11 too the dead one stays: its data holds itself, and the collector no longer sees that.
    states = {"abandoned": "sealed abandoned", "building": "sealed building"}
    assert finished.stdout == states.get(wanted, "sealed") + "\n"


@pytest.mark.parametrize("holder", ["atexit", "globals", "sys", "builtins"])
def test_arenas_can_be_asked_for_their_state_until_the_interpreter_has_ended(holder: str) -> None:
    finished = run_python(
        """
        import atexit, builtins
        class Last:
            def __init__(self, *arenas): self.arenas = arenas
            def __del__(self, write=os.write):
                for arena in self.arenas:
                    write(1, f"{arena.state} {arena.nbytes > 0} {arena!r:.6}\\n".encode())
        class Ended:
            def __del__(self): pass
        with frozen_arena("live") as live:
            data = [str(number) * 2 for number in range(100)]
        with frozen_arena("dead") as dead:
            ended = Ended()
        del ended
        block = frozen_arena("open")
        building = block.__enter__()
        kept = [str(number) * 2 for number in range(100)]
        last = Last(live, dead, building)
        holder = sys.argv[1]
        if holder == "atexit":
            atexit.register(last.__del__)
            last.__class__ = type("Silent", (Last,), {"__del__": lambda self: None})
        if holder in ("sys", "builtins"):
            setattr(sys if holder == "sys" else builtins, "last", last)
            del last
        """,
        holder,
    )
    assert finished.stdout.split("\n")[:-1] == [
        "sealed True <Arena",
        "released False <Arena",
        "building True <Arena",
    ]


def test_interpreter_ends_while_another_thread_has_an_open_block() -> None:
    finished = run_python(
        """
        inside = threading.Event()
        def build():
            with frozen_arena("daemon"):
                data = []
                inside.set()
                while True:
                    data.append(str(len(data)) * 2)
                    if len(data) > 10_000:
                        data.clear()
        threading.Thread(target=build, daemon=True).start()
        inside.wait()
        print(*(arena.state for arena in fa.arenas()))
        """
    )
    assert (finished.stdout, finished.stderr) == ("building\n", "")


def test_worker_ends_through_the_interpreters_own_shutdown_after_it_changed_everything() -> None:
    run_python(
        """
        import collections
        class Thing: pass
        with frozen_arena() as arena:
            data = {
                "lists": [[str(n) * 2] for n in range(1000)],
                "things": [Thing() for _ in range(1000)],
                "deque": collections.deque(str(n) * 2 for n in range(1000)),
                "ordered": collections.OrderedDict((str(n) * 2, [n]) for n in range(1000)),
                "set": {str(n) * 2 for n in range(1000)},
            }
            for thing in data["things"]:
                thing.other, thing.me = data, thing
        pid = os.fork()
        if pid == 0:
            data["lists"].clear()
            data["deque"].clear()
            data["ordered"].popitem()
            data["set"].clear()
            for thing in data["things"]:
                thing.__dict__.clear()
            data.clear()
            del data
            gc.collect()
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert len(data["lists"]) == 1000 and data["things"][7].me is data["things"][7]
        """
    )


def test_classes_and_functions_defined_in_the_block_work_in_parent_and_workers() -> None:
    run_python(
        """
        import dataclasses, enum, functools
        with frozen_arena() as arena:
            class Base:
                count = 0
                def __init__(self, n): self.n = n
                def double(self): return self.n * 2
                @property
                def text(self): return str(self.n) * 2
                @classmethod
                def make(cls, n): return cls(n)
            class Derived(Base):
                def double(self): return super().double() + 1
            @dataclasses.dataclass
            class Record:
                n: int
                tags: list = dataclasses.field(default_factory=list)
            class Colour(enum.Enum):
                RED = "red"
            @functools.lru_cache(maxsize=8)
            def square(n): return n * n
            def counter():
                count = 0
                def step():
                    nonlocal count
                    count += 1
                    return count
                return step
            step = counter()
            things = [Derived(n) for n in range(100)]
        def use():
            assert [thing.double() for thing in things] == [n * 2 + 1 for n in range(100)]
            assert things[5].text == "55" and Derived.make(3).double() == 7
            assert Record(1, [2]) == Record(1, [2]) and Colour("red") is Colour.RED
            assert [square(n) for n in range(20)] == [n * n for n in range(20)] and square(3) == 9
            Base.count += 1
            Base.extra = lambda self: "extra"
            assert things[5].extra() == "extra"
            class Own(Derived):
                def double(self): return super().double() * 2
            assert Own(1).double() == 6
            del Own
            gc.collect()
            return [step(), Base.count, len(Base.__subclasses__())]
        assert fork_and_report(use) == [1, 1, 1]
        assert use() == [1, 1, 1]
        assert fork_and_report(use) == [2, 2, 1]
        """
    )
