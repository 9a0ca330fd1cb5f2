"""`optout`: what it reaches, what it leaves, and that a child that reads copies nothing."""

from __future__ import annotations

import pytest
from forking import HAS_IMMORTAL_OBJECTS, run_python

needs_immortals = pytest.mark.skipif(
    not HAS_IMMORTAL_OBJECTS, reason="CPython 3.11 has no immortal objects"
)

DATA = """
import collections, datetime
class Record:
    def __init__(self, n):
        self.number, self.text, self.items = n + 1000, str(n) * 2, [n + 0.5, (n + 0.25,)]
def uncounted(obj):
    return sys.getrefcount(obj) > 1_000_000
def build(count):
    return [Record(n) for n in range(count)]
"""


@needs_immortals
def test_a_child_that_reads_everything_copies_next_to_nothing() -> None:
    run_python(
        DATA
        + """
def private():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
def read():
    gc.disable()
    before = private()
    total = 0
    for record in data:
        total += record.number + len(record.text) + record.items[0] + record.items[1][0]
        hash(record.text)
    return private() - before
data = build(50_000)
stock = fork_and_report(read)
out = fa.optout(data)
copied = fork_and_report(read)
assert out.opted_out > 300_000, out
assert copied < stock * 0.05, (copied, stock)
"""
    )


@needs_immortals
def test_what_the_objects_lead_to_is_opted_out_and_the_ledger_adds_up() -> None:
    run_python(
        DATA
        + """
class Named(dict): pass
zone = datetime.timezone(datetime.timedelta(hours=1), "h" * 3)
constant = lambda: (12345.5, "c d")
data = {
    ("key", 10**9): [1.5], "text" * 2: {2.5}, 3.25: frozenset({"f" * 3}),
    "named": Named({"n" * 3: 7.5}), "ordered": collections.OrderedDict({"o" * 3: 8.5}),
    "deque": collections.deque([9.5]), "when": datetime.datetime(2000, 1, 1, tzinfo=zone),
    "range": range(10**10, 10**11), "code": constant, "record": Record(5),
}
shared = data["record"].items
out = fa.optout(data, shared)
reached = [data, shared, *data.keys(), *data.values(), zone, zone.utcoffset(None),
           list(data)[0][1], data["range"].start, data["record"].number, data["record"].text,
           shared[0], shared[1], shared[1][0], next(iter(data["named"])),
           next(iter(data["ordered"])), data["deque"][0], constant.__code__,
           constant.__code__.co_consts, *constant.__code__.co_consts]
mortal = [one for one in reached if not uncounted(one)]
assert mortal == [], mortal
assert not uncounted(Record) and not uncounted(globals()) and not uncounted(collections)
assert out.objects == out.opted_out + out.left_out
assert out.opted_out == sum(one.count for one in out.types)
assert out.left_out == sum(one.count for one in out.left_out_types)
assert {one.type: one.reason for one in out.left_out_types}["type"] == "a class: not followed"
as_dict = json.loads(json.dumps(out.to_dict()))
assert as_dict["opted_out"] == out.opted_out and as_dict["types"][0]["count"] > 0
assert f"{out.opted_out:,} opted out + {out.left_out:,} left out" in str(out)
assert not gc.is_tracked(data) and not gc.is_tracked(shared), "still in the collector's lists"
again = fa.optout(data)
assert again.opted_out == 0, again
already = sum(n for _, why, n in again.left_out_types if why == "opted out already")
assert already == out.opted_out, again
data["new"] = [Record(6)]
later = fa.optout(data)
assert uncounted(data["new"]) and 5 < later.opted_out < 12, later
"""
    )


@needs_immortals
def test_what_the_policy_keeps_mortal_stays_so_and_is_finished_at_exit() -> None:
    finished = run_python(
        DATA
        + """
class Finalised:
    def __init__(self, held): self.held = held
    def __del__(self): print("finished")
class Target: pass
target = Target()
watch = weakref.ref(target, print)
data = [Finalised([1.5]), target, watch, open(os.devnull), threading.Lock(),
        (x for x in [2.5]), sys._getframe()]
out = fa.optout(data)
why = {one.type.rsplit(".")[-1]: one.reason for one in out.left_out_types}
for name in ("Finalised", "Target", "ReferenceType", "TextIOWrapper", "lock", "generator", "frame"):
    assert name in why, (name, out.left_out_types)
for one in data:
    assert not uncounted(one), one
assert uncounted(data) and uncounted(data[0].held)
assert gc.is_tracked(watch)
"""
    )
    assert finished.stdout.strip() == "finished"


@needs_immortals
def test_only_the_objects_themselves_when_not_recursive() -> None:
    run_python(
        DATA
        + """
data = [[1.5], {"a b": 2.5}, Record(1)]
out = fa.optout(data, data[1], data[2], recursive=False)
assert out.objects == out.opted_out == 3, out
assert uncounted(data) and uncounted(data[1]) and not uncounted(data[0])
assert not uncounted(data[1]["a b"])
assert not uncounted(data[2].items)
"""
    )


@needs_immortals
def test_opted_out_objects_stay_ordinary_ones() -> None:
    run_python(
        DATA
        + """
data = {"list": [3.5, 1.5], "set": {1.5}, "record": Record(1), "loop": []}
data["loop"].append(data)
fa.optout(data)
data["list"].append([4.5]); data["list"].sort(key=str); data["set"].add("new")
data["record"].extra = {"x": 1}; vars(data["record"]); del data["record"].number
del data["loop"][:]
data["fresh"] = [object() for _ in range(10)]
ref = weakref.ref(data["set"])
for _ in range(3):
    gc.collect()
def child():
    data["list"].append(5.5); gc.collect()
    return len(data["list"])
assert fork_and_report(child) == 4
assert len(data["list"]) == 3 and ref() is data["set"]
"""
    )


@needs_immortals
def test_arenas_and_opted_out_data_know_of_each_other() -> None:
    run_python(
        DATA
        + """
with frozen_arena("one") as arena:
    frozen = [[1.5], "t" * 3]
data = [frozen, [2.5]]
out = fa.optout(data)
assert out.opted_out == 3, out
assert [one.count for one in out.left_out_types if one.reason == "lies in an arena"] == [1], out
with frozen_arena("two") as second:
    more = [data, [3.5]]
    inner = fa.optout(more, [4.5])
assert second.state == "sealed" and data not in second and more in second
assert inner.opted_out == 0, inner  # an arena freezes what was made in its block
assert more[0][1] == [2.5]
"""
    )


@needs_immortals
def test_data_that_is_deep_or_refers_to_itself() -> None:
    run_python(
        """
deep = ()
for number in range(300_000):
    deep = (deep, number + 0.5)
chain = []
for _ in range(100_000):
    chain = [chain]
loop = [chain]; loop.append(loop)
out = fa.optout(deep, loop)
assert out.opted_out == 700_002, out
hash(deep[0][0]) if sys.version_info >= (3, 14) else None
os._exit(0)
"""
    )


@needs_immortals
def test_while_c_code_still_uses_the_objects() -> None:
    run_python(
        """
fa.optout([1.5])
made = []
def step(n):
    made.append([n, str(n)])
    fa.optout(made, made[-1])
    return made[-1]
built = tuple(step(n) for n in range(1000, 1010))
assert sys.getrefcount(built) < 100
numbers = [[3.5], [1.5], [2.5]]
def key(one):
    fa.optout(numbers, one)
    return one[0]
numbers.sort(key=key)
assert numbers == [[1.5], [2.5], [3.5]]
class Shown(list):
    def __repr__(self):
        fa.optout(shown)
        return "shown"
shown = [Shown(), {"a b": Shown()}]
assert repr(shown) == "[shown, {'a b': shown}]"
text = "".join(str(fa.optout(["x" * n]).opted_out) for n in range(5, 9))
assert text == "2222", text
"""
    )


@needs_immortals
def test_no_memory_at_any_point_changes_nothing() -> None:
    run_python(
        DATA
        + """
import _testcapi
def attempt(data, start):
    _testcapi.set_nomemory(start, start + 1)
    try:
        return fa.optout(data)
    finally:
        _testcapi.remove_mem_hooks()
failed = 0
for start in range(1, 400):
    data = [Record(start), {"a b": ["é" * 3, start + 0.5]}]
    counts = sys.getrefcount(data), sys.getrefcount(data[0].items), sys.getrefcount(data[1])
    out = None
    try:
        out = attempt(data, start)
    except MemoryError:
        failed += 1
    if out is None:
        now = sys.getrefcount(data), sys.getrefcount(data[0].items), sys.getrefcount(data[1])
        assert counts == now, (start, counts, now)
        assert gc.is_tracked(data) and gc.is_tracked(data[1])
        continue
    assert uncounted(data)
    if start > failed + 20:
        break
assert failed > 3 and uncounted(data), (failed, start)
"""
    )


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        ("fa.optout()", "TypeError", "none was given"),
        ("fa.optout(os)", "TypeError", "is a module"),
        ("fa.optout([1.5], int)", "TypeError", "is a class"),
        ("fa.optout([1.5], recursiv=True)", "TypeError", "recursiv"),
    ],
)
def test_wrong_calls_are_named(call: str, error: str, says: str) -> None:
    run_python(
        f"""
try:
    {call}
except {error} as refused:
    assert {says!r} in str(refused), refused
else:
    raise AssertionError("accepted")
"""
    )


@pytest.mark.skipif(HAS_IMMORTAL_OBJECTS, reason="about CPython 3.11")
def test_cpython_3_11_says_what_works_instead() -> None:
    run_python(
        """
try:
    fa.optout([1.5])
except fa.Unsupported as refused:
    assert "with frozen_arena()" in str(refused), refused
else:
    raise AssertionError("accepted")
"""
    )
