"""What a block is to its user: arena, states, membership, decorator, and what stays ordinary."""

from __future__ import annotations

import pytest
from forking import run_python


def test_arena_goes_from_building_to_sealed_and_has_its_report_from_the_seal_on() -> None:
    run_python(
        """
        with frozen_arena("catalog") as arena:
            assert (arena.name, arena.state, arena.report) == ("catalog", "building", None)
            data = [str(number) * 3 for number in range(10_000)]
        assert arena.state == "sealed", arena.state
        assert arena.nbytes > 10_000 * 40, arena.nbytes
        assert data[1234] == "123412341234"
        """
    )


def test_arena_of_which_every_object_has_died_is_released_and_keeps_its_report() -> None:
    run_python(
        """
        class Thing:
            def __del__(self): pass
        with frozen_arena("sealed") as sealed:
            thing = Thing()
        held = [None]
        def abandon():  # a function, as the frame in a traceback outlives it with its module
            with frozen_arena("abandoned"):
                held[0] = [str(number) * 2 for number in range(1000)]
                raise LookupError
        try:
            abandon()
        except LookupError:
            pass
        abandoned = fa.arenas()[-1]
        assert fa.arenas() == [sealed, abandoned]
        assert (sealed.state, abandoned.state) == ("sealed", "abandoned")
        del thing
        held.clear()
        gc.collect()
        for arena in (sealed, abandoned):
            assert (arena.state, arena.nbytes) == ("released", 0), arena
        assert fa.arenas() == [] and abandoned.report is None
        assert sealed.report.mapped_bytes > 0
        assert fa.sharing().os_pages == sealed.sharing().os_pages == 0
        """
    )


def test_arena_that_is_empty_when_its_block_is_left_is_sealed_or_abandoned_all_the_same() -> None:
    run_python(
        """
        with frozen_arena() as sealed:
            pass
        block = frozen_arena()
        abandoned = block.__enter__()
        block.__exit__(LookupError, None, None)
        assert (sealed.state, sealed.nbytes, sealed.report.blocks) == ("sealed", 0, 0)
        assert (abandoned.state, abandoned.nbytes, abandoned.report) == ("abandoned", 0, None)
        assert fa.arenas() == []
        """
    )


@pytest.mark.parametrize(
    ("keywords", "faults"),
    [
        ("", ""),
        ("threads='all'", ""),
        ("huge_pages='never'", ""),
        ("limit=12 << 20", ""),
        ("", "no_memfd"),
        ("", "no_collapse"),
    ],
)
def test_report_of_mixed_data_adds_up_and_turns_into_plain_data(keywords: str, faults: str) -> None:
    run_python(
        f"""
        class Ended:
            def __del__(self): pass
        class Thing: pass
        with frozen_arena({keywords}) as arena:
            thing = Thing()
            ended = [Ended(), open(os.devnull), threading.Lock(), weakref.ref(thing, print)]
            data = [{{"id": number, "tags": [str(number), number / 7]}} for number in range(5_000)]
            data += [(Thing(), {{str(number)}}, b"b" * number) for number in range(5_000)]
            data += [bytearray(600_000 + number) for number in range(10)]
            holes = [bytes(500) for _ in range(20_000)]
            del holes[:15_000], data[100:200]
        report = arena.report
        assert report.blocks == report.objects + report.unknown_blocks, report
        assert report.objects == report.frozen + report.mortal, report
        assert report.frozen == sum(count for _, _, count in report.frozen_types), report
        assert report.mortal == sum(count for _, _, count in report.mortal_types), report
        assert report.mortal >= 4 or not HAS_IMMORTAL_OBJECTS, report
        in_bytes = report.live_bytes + report.free_bytes + report.punched_bytes
        assert report.mapped_bytes == in_bytes, report
        assert arena.nbytes == report.resident_bytes == report.live_bytes + report.free_bytes
        assert min(report.free_bytes, report.punched_bytes, report.unknown_blocks) >= 0, report
        assert report.huge_bytes <= report.mapped_bytes >= report.unsealed_bytes, report
        assert report.live_bytes > sum(map(len, data[-10:])) * ("limit" not in {keywords!r})
        assert (report.overflow_blocks > 0) == ("limit" in {keywords!r}), report
        assert set(report.seconds) == {{"collect", "freeze", "seal"}}
        sharing = arena.sharing()
        os_page_bytes = sharing.lanes["objects"].os_page_bytes
        assert sharing.os_pages * os_page_bytes == report.mapped_bytes
        plain = json.loads(json.dumps(report.to_dict()))
        numbers = {{name: value for name, value in plain.items() if isinstance(value, int)}}
        assert numbers == {{name: getattr(report, name) for name in numbers}}, plain
        assert {{"live_bytes", "resident_bytes", "overflow_blocks"}} <= set(numbers), plain
        rows = [tuple(row.values()) for row in plain["mortal_types"]]
        assert rows == [tuple(row) for row in report.mortal_types]
        """,
        env={"FROZEN_ARENA_TEST_FAULTS": faults or None},
    )


def test_object_of_the_block_lies_in_the_arena_and_others_do_not() -> None:
    run_python(
        """
        before = ["".join(["be", "fore"])]
        with frozen_arena() as arena:
            inside = ["".join(["in", "side"])]
            assert inside in arena and inside[0] in arena
        after = ["".join(["af", "ter"])]
        assert inside in arena and inside[0] in arena
        for other in (before, before[0], after, after[0], None, 1, list):
            assert other not in arena, other
        """
    )


def test_object_made_after_the_block_stays_mortal() -> None:
    run_python(
        """
        class Thing: pass
        with frozen_arena() as arena:
            frozen = Thing()
        thing, words = Thing(), [str(number) * 2 for number in range(1000)]
        assert all(word not in arena for word in words) and thing not in arena
        assert sys.getrefcount(thing) < 10
        ref = weakref.ref(thing)
        del thing
        assert ref() is None
        """
    )


def test_object_of_the_block_is_immortal_where_objects_can_be() -> None:
    run_python(
        """
        class Thing: pass
        with frozen_arena() as arena:
            things = [Thing() for _ in range(100)]
        assert arena.report.frozen >= 100, arena.report
        if HAS_IMMORTAL_OBJECTS:
            before = sys.getrefcount(things[0])
            more = [things[0]] * 1000
            assert sys.getrefcount(things[0]) == before
            assert not any(gc.is_tracked(thing) for thing in things)
        """
    )


def test_free_lists_carry_nothing_out_of_a_block() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            data = [slice(0, 5), [], {}, 0.5, (1, 2)]
            made = [slice(1, 2), [data], {1: data}, len(data) / 7, (data, 1)]
            del made
        after = [slice(3, 4), [1], {2: 3}, len(data) / 3, (data, 2)]
        assert not any(item in arena for item in after), [item in arena for item in after]
        """
    )


def test_free_lists_carry_nothing_into_a_block_though_others_watch_the_collector() -> None:
    run_python(
        """
        seen = []
        def watch(phase, info):
            seen.append((phase, float(len(seen)), [], {}, dict(info)))
            del seen[:-1]
        gc.callbacks.append(watch)
        for _ in range(3):
            with frozen_arena() as arena:
                data = [float(len(seen)), [1], {2: 3}, (seen, 2), [], {}]
            assert all(item in arena for item in data), [item in arena for item in data]
        assert gc.callbacks[0] is watch and gc.callbacks.count(watch) == 1
        assert seen[-1][0] == "stop"
        """
    )


def test_name_is_optional_and_a_missing_one_is_none() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            pass
        assert arena.name is None
        assert arena.state == "sealed"
        """
    )


def test_decorated_function_builds_its_result_in_an_arena_of_each_call() -> None:
    run_python(
        """
        @frozen_arena("decorated")
        def load(count: int) -> list[str]:
            "Loads."
            return [str(number) * 2 for number in range(count)]
        assert (load.__name__, load.__doc__) == ("load", "Loads.")
        first, second = load(100), load(count=50)
        assert (len(first), len(second)) == (100, 50)
        one, two = fa.arenas()[-2:]
        assert one is not two and (one.name, two.name) == ("decorated", "decorated")
        assert first[7] in one and second[7] in two and first[7] not in two
        """
    )


def test_decorated_function_that_raises_leaves_its_arena_abandoned() -> None:
    run_python(
        """
        @frozen_arena("decorated")
        def load():
            raise LookupError("no data")
        try:
            load()
        except LookupError as error:
            assert str(error) == "no data"
        else:
            raise AssertionError("the exception did not pass")
        assert [str(n) * 2 for n in range(10)][3] == "33"
        """
    )


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("generator", "def load(): yield 5"),
        ("generator", "async def load(): yield 5"),
        ("coroutine", "async def load(): return 5"),
        ("coroutine", "import functools\nasync def made(): pass\nload = functools.partial(made)"),
    ],
)
def test_function_whose_body_runs_after_its_call_is_not_decorated(kind: str, source: str) -> None:
    message = run_python(
        f"""
        namespace = {{}}
        exec({source!r}, namespace)
        try:
            frozen_arena("late")(namespace["load"])
        except TypeError as error:
            print(json.dumps(str(error)))
        """
    ).json
    assert kind in message
    assert "with frozen_arena():" in message


def test_one_block_object_is_entered_once() -> None:
    run_python(
        """
        block = frozen_arena("once")
        with block:
            try:
                block.__enter__()
            except fa.ArenaStateError:
                pass
            else:
                raise AssertionError("a block that is open was entered again")
        try:
            frozen_arena("never").__exit__(None, None, None)
        except fa.ArenaStateError:
            pass
        else:
            raise AssertionError("a block was left that was never entered")
        """
    )


def test_arenas_are_listed_oldest_first() -> None:
    run_python(
        """
        held = []
        for name in ("a", "b", "c"):
            with frozen_arena(name) as arena:
                held.append((arena, [str(n) * 2 for n in range(100)]))
        assert [arena.name for arena in fa.arenas()] == ["a", "b", "c"]
        assert [arena for arena in fa.arenas()] == [arena for arena, _ in held]
        with frozen_arena("open"):
            assert fa.arenas()[-1].name == "open"
        """
    )


def test_sharing_counts_pages_by_lane_and_over_all_arenas() -> None:
    run_python(
        """
        held = [None, None]  # a list that grew in a block would have its items there
        for index, name in enumerate(("one", "two")):
            with frozen_arena(name) as arena:
                held[index] = (arena, [[str(n) * 9, n] for n in range(3_000)])
        def look():
            total, parts = fa.sharing(), [arena.sharing() for arena, _ in held]
            for sharing in (total, *parts):
                lanes = sharing.lanes
                assert set(lanes) == {"objects", "payload"}
                for count in ("private_os_pages", "shared_os_pages"):
                    both = getattr(lanes["objects"], count) + getattr(lanes["payload"], count)
                    assert getattr(sharing, count) == both, (count, sharing)
                assert sharing.private_bytes == sharing.private_os_pages * 4096
                assert sharing.shared_bytes == sharing.shared_os_pages * 4096
            if HAS_IMMORTAL_OBJECTS:  # on 3.11 looking itself copies
                assert total.shared_os_pages == sum(part.shared_os_pages for part in parts)
            return total.private_os_pages, total.shared_os_pages
        private, shared = fork_and_report(look)
        assert shared > 60, shared
        if HAS_IMMORTAL_OBJECTS:
            assert private == 0, private
        def change():
            held[0][1][5].append("new")
            return look()[0], held[1][0].sharing().private_os_pages
        private, other = fork_and_report(change)
        assert private >= 1, private
        if HAS_IMMORTAL_OBJECTS:
            assert other == 0, other
            assert fa.sharing().private_os_pages == 0
        """
    )


def test_child_that_reads_everything_copies_nothing() -> None:
    run_python(
        """
        class Item:
            def __init__(self, n):
                self.n, self.name, self.tags = n + 1000, f"item-{n}", {str(n), str(n + 1)}
        with frozen_arena() as arena:
            data = {f"key-{n}": [Item(n), (n + 1000, f"t{n}")] for n in range(5_000)}
        def read():
            total = 0
            for key, (item, pair) in data.items():
                total += item.n + len(item.name) + len(item.tags) + hash(pair) % 2 + len(key)
            gc.collect()
            lanes = arena.sharing().lanes
            return [lanes[name].private_os_pages for name in ("objects", "payload")]
        objects, payload = fork_and_report(read)
        assert payload == 0, payload
        assert objects == 0 or not HAS_IMMORTAL_OBJECTS, objects
        """
    )


def test_public_names_are_sorted_and_exist() -> None:
    run_python(
        """
        assert fa.__all__ == sorted(fa.__all__)
        assert all(hasattr(fa, name) for name in fa.__all__)
        for name in ("Arena", "FreezeReport", "Sharing", "arenas", "frozen_arena", "status"):
            assert name in fa.__all__, name
        assert issubclass(fa.ArenaStateError, fa.FrozenArenaError)
        assert issubclass(fa.Unsupported, fa.FrozenArenaError)
        assert issubclass(fa.FrozenArenaWarning, Warning)
        """
    )
