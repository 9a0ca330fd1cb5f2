"""What an arena leaves reference counted: by type and reason, and by the caller's wish."""

from __future__ import annotations

import pytest
from forking import run_python


@pytest.mark.parametrize(
    ("made", "type_name"),
    [
        ("Finalised()", "Finalised"),
        ("open(os.devnull)", "TextIOWrapper"),
        ("open(os.devnull, 'rb')", "BufferedReader"),
        ("__import__('socket').socket()", "socket"),
        ("(x for x in range(3))", "generator"),
        ("coroutine()", "coroutine"),
        ("threading.Lock()", "lock"),
        ("threading.RLock()", "RLock"),
        ("weakref.ref(target, print)", "ReferenceType"),
        ("(lambda: sys._getframe())()", "frame"),
    ],
)
def test_object_with_an_end_that_can_be_seen_stays_mortal(made: str, type_name: str) -> None:
    run_python(
        f"""
        class Plain: pass
        class Finalised:
            def __del__(self): pass
        async def coroutine(): pass
        with frozen_arena() as arena:
            target = Plain()
            data = [["beside"], {made}]
        reasons = mortal_reasons(arena.report)
        assert {type_name!r} in reasons, arena.report.mortal_types
        assert len(reasons[{type_name!r}]) > 3, reasons
        assert sys.getrefcount(data[1]) < 1000, sys.getrefcount(data[1])
        assert "list" not in reasons, reasons
        if hasattr(data[1], "close"):
            data[1].close()
        """
    )


def test_special_method_that_is_set_by_a_name_computed_in_a_block_is_called() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            names = ["".join(["__", part, "__"]) for part in ("next", "len", "getitem")]
        class Told: pass
        for name in names:
            setattr(Told, name, lambda *args: 7)
        assert (next(Told()), len(Told()), Told()[3]) == (7, 7, 7)
        """
    )


def test_ordinary_data_leaves_nothing_mortal() -> None:
    run_python(
        """
        import collections, dataclasses, datetime, decimal, enum, fractions, ipaddress, re, uuid
        @dataclasses.dataclass
        class Record:
            at: object
        class Slots:
            __slots__ = ("a", "__weakref__")
        class Colour(enum.Enum):
            RED = 1
        Point = collections.namedtuple("Point", "x y")
        class Names(dict): pass
        def build():
            return [
                {"a": 1.5}, [2**70], (3j,), {"s"}, frozenset({"f"}), "a" * 3, b"r" * 3,
                Record(datetime.datetime(2024, 1, 2)), Slots(), [Colour.RED], Point(1, [2]),
                Names(),
                datetime.date(2024, 1, 2), datetime.time(1), datetime.timedelta(2),
                datetime.timezone(datetime.timedelta(hours=1)), decimal.Decimal("1.5"),
                fractions.Fraction(1, 3), uuid.UUID(int=5), ipaddress.ip_address("1.2.3.4"),
                collections.deque([1]), collections.OrderedDict(a=[1]), collections.Counter("abc"),
                collections.defaultdict(list, a=[1]), collections.ChainMap({}), range(9999),
            ]
        build()  # the caches of the modules fill up, with weak references and contexts of their own
        with frozen_arena() as arena:
            data = build()
        assert arena.report.mortal_types == (), arena.report.mortal_types
        """
    )


def test_text_that_only_an_untracked_dict_outside_holds_is_complete_and_frozen() -> None:
    run_python(
        """
        import functools
        outside = {"base": 16}
        with frozen_arena() as arena:
            outside["text"] = "".join(["te", "xt"])
            held = functools.partial(int)
            held.__setstate__((int, (), outside, None))
            del outside
        assert held.keywords["text"] in arena and held.keywords not in arena
        assert arena.report.mortal_types == (), arena.report.mortal_types
        """
    )


def test_keep_mortal_by_type_lets_the_object_die_when_a_child_drops_it() -> None:
    run_python(
        """
        class Record: pass
        class Special(Record): pass
        with frozen_arena(keep_mortal=(Record,)) as arena:
            data = [Record(), Special(), ["list"]]
        assert {"Record", "Special"} <= set(mortal_reasons(arena.report)), arena.report.mortal_types
        assert "keep_mortal" in mortal_reasons(arena.report)["Record"], arena.report.mortal_types
        def drop():
            refs = [weakref.ref(data[0]), weakref.ref(data[1])]
            data[0] = data[1] = None
            return [ref() is None for ref in refs]
        assert fork_and_report(drop) == [True, True]
        assert type(data[0]) is Record
        """
    )


def test_keep_mortal_by_predicate_is_asked_about_each_type() -> None:
    run_python(
        """
        class Record: pass
        class Kept: pass
        with frozen_arena(keep_mortal=lambda kind: kind.__name__ == "Kept") as arena:
            data = [(Record if number % 2 else Kept)() for number in range(100)]
        counts = {name.rsplit(".", 1)[-1]: count for name, _, count in arena.report.mortal_types}
        assert counts == {"Kept": 50}, arena.report.mortal_types
        assert sys.getrefcount(data[0]) < 10
        assert (sys.getrefcount(data[1]) > 1000) is HAS_IMMORTAL_OBJECTS
        """
    )


@pytest.mark.parametrize("given", ["HASH", "(HASH,)", "lambda kind: kind is HASH"])
def test_also_freeze_names_an_extension_type_that_would_stay_mortal(given: str) -> None:
    run_python(
        f"""
        import hashlib
        HASH = type(hashlib.sha256())
        with frozen_arena() as without:
            first = [hashlib.sha256(b"data")]
        assert "HASH" in mortal_reasons(without.report), without.report.mortal_types
        with frozen_arena(also_freeze={given}) as arena:
            second = [hashlib.sha256(b"data")]
        assert "HASH" not in mortal_reasons(arena.report), arena.report.mortal_types
        assert sys.getrefcount(first[0]) < 1000
        assert (sys.getrefcount(second[0]) > 1000) is HAS_IMMORTAL_OBJECTS
        assert fork_and_report(lambda: second[0].hexdigest()) == first[0].hexdigest()
        """
    )


@pytest.mark.parametrize("given", ["(GENERATOR, COROUTINE, ASYNC, FRAME)", "object", "lambda t: 1"])
def test_also_freeze_leaves_what_runs_mortal_and_running(given: str) -> None:
    """A frozen frame would never let go of its locals, and a generator writes to its own."""
    run_python(
        f"""
        import types
        GENERATOR, COROUTINE = types.GeneratorType, types.CoroutineType
        ASYNC, FRAME = types.AsyncGeneratorType, types.FrameType
        def count():
            yield from range(3)
        async def coroutine(): return 5
        async def async_count(): yield 5
        def frame(): return sys._getframe()
        def finish(coroutine):
            try:
                coroutine.send(None)
            except StopIteration as end:
                return end.value
        with frozen_arena(also_freeze={given}) as arena:
            data = [count(), coroutine(), async_count(), frame(), ["list"]]
            next(data[0])
        reasons = mortal_reasons(arena.report)
        assert set(reasons) >= {{"generator", "coroutine", "async_generator", "frame"}}, reasons
        assert "list" not in reasons
        def use():
            ends = [finish(data[1]), finish(data[2].__anext__())]
            return [next(data[0]), *ends, data[3].f_lineno > 0]
        assert fork_and_report(use) == [1, 5, 5, True]
        assert use() == [1, 5, 5, True] and list(data[0]) == [2]
        """
    )


def test_also_freeze_of_everything_leaves_a_process_that_works_and_ends() -> None:
    finished = run_python(
        """
        class Finalised:
            def __del__(self): print("finished", flush=True)
        class Thing: pass
        with frozen_arena(also_freeze=object) as arena:
            thing = Thing()
            data = [Finalised(), threading.Lock(), open(os.devnull, "w"), (n for n in range(3))]
            data += [weakref.ref(thing, print), memoryview(bytearray(9)), os.scandir("/")]
        def use():
            with data[1]:
                data[2].write("text")
            data[5][0] = 1
            return [next(data[3]), data[4]() is thing, bytes(data[5])[0]]
        assert fork_and_report(use) == [0, True, 1]
        assert use() == [0, True, 1]
        """
    )
    assert finished.stdout == ""  # who names a type gives up its finalizer


@pytest.mark.parametrize("keyword", ["keep_mortal", "also_freeze"])
@pytest.mark.parametrize(
    "given", ["[]", "{int}", "frozenset({int, str})", "Predicate()", "'yes'.find"]
)
def test_types_may_come_in_any_collection_and_predicates_may_be_any_callable(
    keyword: str, given: str
) -> None:
    run_python(
        f"""
        class Predicate:
            def __call__(self, kind): return [] if kind is list else None
        try:
            with frozen_arena({keyword}={given}) as arena:
                data = [[number] for number in range(100)]
        except TypeError as error:  # the predicate's own
            assert {given!r} == "'yes'.find" and "str" in str(error), error
            assert arena.state == "abandoned" and data[7] == [7]
        else:
            assert arena.state == "sealed" and "list" not in mortal_reasons(arena.report)
        """
    )


def test_keep_mortal_wins_over_also_freeze() -> None:
    run_python(
        """
        class Record: pass
        with frozen_arena(keep_mortal=(Record,), also_freeze=(Record,)) as arena:
            data = [Record()]
        assert "Record" in mortal_reasons(arena.report)
        """
    )


def test_instance_of_an_unknown_extension_type_stays_mortal_unless_it_is_named() -> None:
    run_python(
        """
        import sqlite3
        with frozen_arena() as arena:
            data = [sqlite3.connect(":memory:")]
        assert "Connection" in mortal_reasons(arena.report), arena.report.mortal_types
        data[0].close()
        """
    )


def test_mortal_object_keeps_what_it_refers_to_and_dies_once() -> None:
    run_python(
        """
        died = []
        class Finalised:
            def __init__(self, n): self.n, self.data = n, [str(n) * 3]
            def __del__(self): died.append(self.n)
        with frozen_arena() as arena:
            holder = {"one": Finalised(1), "two": Finalised(2)}
        assert died == []
        del holder["one"]
        assert died == [1], died
        assert holder["two"].data == ["222"]
        gc.collect()
        assert died == [1], died
        """
    )


@pytest.mark.parametrize("count", [1, 1000])
def test_lock_of_the_block_works_before_and_after_a_fork(count: int) -> None:
    run_python(
        f"""
        with frozen_arena() as arena:
            locks = [threading.Lock() for _ in range({count})]
            locks += [threading.RLock(), threading.Event()]
        def use():
            for lock in locks[:-1]:
                with lock:
                    pass
            locks[-1].set()
            return locks[-1].wait() and locks[0].acquire(blocking=False)
        assert use() is True
        locks[0].release()
        assert fork_and_report(use) is True
        """
    )
