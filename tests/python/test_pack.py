"""`pack`: the copy is equal, keeps identity, shares its OS pages, and refuses with the place."""

import pytest
from forking import HAS_IMMORTAL_OBJECTS, run_python

DATA = """
import collections, copy, dataclasses, datetime, decimal, enum, fractions, pathlib, uuid

class Colour(enum.Enum):
    RED = 1

class Plain:
    pass

class Slotted:
    __slots__ = ("left", "right", "__weakref__")

class Both(Slotted):
    pass

@dataclasses.dataclass
class Record:
    name: str
    when: datetime.datetime
    price: decimal.Decimal
    colour: Colour
    parts: list

@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    number: int

class Text(str):
    pass

Point = collections.namedtuple("Point", "x y")

def record(i):
    zone = datetime.timezone(datetime.timedelta(hours=i % 3))
    return Record(f"record {i}", datetime.datetime(2024, 1, 1 + i % 28, tzinfo=zone),
                  decimal.Decimal(i) / 7, Colour.RED, [i, i * 10**20, -i * 0.5, complex(i, 1)])

def everything():
    plain = Plain()
    plain.b, plain.a = "set first", "set second"
    both = Both()
    both.left, both.extra = (1, 2), {"a": 1}
    return {
        "none": None, "truth": [True, False, ...],
        "letters": ["", "a", "\\u00e9", "\\u4e2d", "\\U0001f600" * 3],
        "bytes": [b"", b"a", b"long enough"], "bytearray": bytearray(b"changes"),
        "numbers": [0, -1, 10**5, -10**5, 2**200, 1.5, float("inf"), 1j],
        "records": [record(i) for i in range(50)], "plain": plain, "both": both,
        "keys": {Key(i): {i, i + 1} for i in range(20)},
        "frozen": frozenset({Key(1), (2, 3), "four"}),
        "point": Point([1], Point(2, 3)), "text": Text("of a subclass"),
        "deque": collections.deque([1, [2]], maxlen=5),
        "counter": collections.Counter("abracadabra"),
        "ordered": collections.OrderedDict([("z", 1), ("a", 2)]),
        "default": collections.defaultdict(list, {"k": [1]}),
        "days": [datetime.date(2024, 2, 29), datetime.time(1, 2, fold=1),
                 datetime.timedelta(3, 4, 5)],
        "values": [fractions.Fraction(1, 3), uuid.UUID(int=5), pathlib.PurePosixPath("/a/b"),
                   range(3), slice(1, None)],
        "names": [Plain, record, len, collections],
    }
"""


def test_a_copy_is_equal_and_lies_in_its_arena() -> None:
    result = run_python(
        DATA
        + """
root = everything()
arena = fa.pack(root, "all of it")
copied = arena.root
plain, both = copied.pop("plain"), copied.pop("both")
assert list(vars(plain).items()) == [("b", "set first"), ("a", "set second")]
assert (both.left, both.extra, hasattr(both, "right")) == ((1, 2), {"a": 1}, False)
del root["plain"], root["both"]
assert copied == root, {k: (copied[k], root[k]) for k in root if copied[k] != root[k]}
assert list(copied["ordered"]) == ["z", "a"] and copied["default"]["new"] == []
assert copied["deque"].maxlen == 5 and type(copied["text"]) is Text
assert [type(v) for v in copied["values"]] == [type(v) for v in root["values"]]
assert copied["records"][3].colour is Colour.RED
assert copied["names"] == [Plain, record, len, collections]
inside = [copied, copied["records"], copied["records"][7].when, copied["keys"]]
assert all(value in arena for value in inside)
report = arena.packed
assert report.objects == report.copied + report.merged + report.kept + report.passed, report
assert arena.state == "sealed" and arena.report.overflow_bytes == 0
print(json.dumps(arena._handle.audit()))
"""
    ).json
    assert result is None


def test_a_copied_named_tuple_is_found_where_it_is_a_key() -> None:
    run_python(
        DATA
        + """
point, table = fa.pack([Point(1, "a"), {Point(1, "a"): 5}]).root
assert hash(point) == hash(Point(1, "a")) and table[Point(1, "a")] == 5
"""
    )


def test_identity_is_kept_and_cycles_are_copied() -> None:
    run_python(
        DATA
        + """
shared = ["one object"]
cycle = [shared, shared]
cycle.append((cycle, {"back": cycle}))
plain = Plain()
plain.self, plain.seen = plain, {plain}
keyed = Key(1)
deep = []
for _ in range(1_000_000):
    deep = [deep]
copied = fa.pack([cycle, plain, deep]).root
ring, again, depth = copied
assert ring[0] is ring[1] and ring[0] is not shared
assert ring[2][0] is ring and ring[2][1]["back"] is ring
assert again.self is again and again.seen == {again}
for _ in range(1_000_000):
    [depth] = depth
assert depth == []
"""
    )


def test_equal_immutable_values_become_one() -> None:
    run_python(
        """
def fresh(i):
    return {"name": "".join(["na", "me"]), "pair": (10**6 + i % 2, "x" * 20), "nan": float("nan")}
rows = [fresh(i) for i in range(100)]
one = fa.pack(rows).root
assert one == one and len({id(row["pair"]) for row in one}) == 2
assert len({id(key) for row in one for key in row}) == 3
assert len({id(row["nan"]) for row in one}) == 100
assert len({id(row) for row in one}) == 100, "what is mutable is never merged"
minus, plus = fa.pack([-0.0, 0.0, True, 1, 1.0]).root[:2]
assert (str(minus), str(plus)) == ("-0.0", "0.0")
apart = fa.pack(rows, dedupe=False).root
assert len({id(row["pair"]) for row in apart}) == 100
"""
    )


def test_a_child_that_reads_a_packed_copy_shares_it() -> None:
    private = run_python(
        DATA
        + """
arena = fa.pack([{"id": i, "name": f"name {i}", "tags": [str(i), i / 3]} for i in range(100_000)])
def read():
    for row in arena.root:
        assert row["tags"][0] == str(row["id"]) and row["name"]
    gc.collect()
    lanes = arena.sharing().lanes
    return [lanes["objects"].private_os_pages, lanes["payload"].private_os_pages]
print(json.dumps(fork_and_report(read)))
"""
    ).json
    assert private[1] == 0
    if HAS_IMMORTAL_OBJECTS:
        assert private[0] <= 1


def test_it_takes_less_memory_than_the_block_that_built_the_same() -> None:
    built, packed = run_python(
        """
def rows():
    return [{"id": 10**6 + i, "city": "city %d" % (i % 50), "at": (i % 100, "zone")}
            for i in range(50_000)]
with frozen_arena() as block:
    data = rows()
arena = fa.pack(data)
assert arena.root == data
print(json.dumps([block.nbytes, arena.nbytes]))
"""
    ).json
    assert packed < 0.9 * built


@pytest.mark.parametrize(
    ("root", "place", "reason"),
    [
        ("{'x': [0, {'lock': threading.Lock()}]}", "root['x'][1]['lock']: ", "lock"),
        ("[open(os.devnull)]", "root[0]: ", "TextIOWrapper"),
        ("(i for i in range(3))", "root: ", "generator"),
        ("(1, {2: sys._getframe()})", "root[1][2]: ", "frame"),
        ("plain", "root.held.left: ", "lock"),
        ("looped", "root: ", "refers back to it"),
    ],
)
def test_what_cannot_be_copied_is_named_with_its_place(root: str, place: str, reason: str) -> None:
    message = run_python(
        DATA
        + f"""
plain = Plain()
plain.held = Slotted()
plain.held.left = threading.Lock()
class Loop:
    def __reduce__(self):
        return (Loop, (self,))
looped = Loop()
try:
    fa.pack({root})
except TypeError as error:
    message = str(error)
assert all(arena.state == "abandoned" for arena in fa.arenas())
print(json.dumps(message))
"""
    ).json
    assert message.startswith(place)
    assert reason in message
    assert "reducers=" in message


def test_a_reducer_makes_what_pickle_refuses() -> None:
    run_python(
        DATA
        + """
lock = threading.Lock()
reducers = {type(lock): lambda lock: (threading.Lock, ())}
copied = fa.pack({"lock": lock, "again": [lock]}, reducers=reducers).root
assert type(copied["lock"]) is type(lock) and copied["lock"] is copied["again"][0] is not lock
kept = fa.pack([lock], reducers={type(lock): lambda lock: "a global name"}).root
assert kept[0] is lock
for wrong in (lambda lock: 1, lambda lock: (1, 2), lambda lock: (threading.Lock,)):
    try:
        fa.pack(lock, reducers={type(lock): wrong})
        raise AssertionError("not refused")
    except TypeError as error:
        assert "a reducer returns" in str(error), error
"""
    )


def test_an_exception_of_the_users_passes_with_a_note_and_leaves_nothing() -> None:
    run_python(
        DATA
        + """
class Hostile:
    def __init__(self): self.armed = True
    def __hash__(self): return 1
    def __reduce__(self): raise KeyboardInterrupt("pressed")
try:
    fa.pack({"deep": [Hostile()]})
except KeyboardInterrupt as error:
    assert error.__notes__ == ["while packing root['deep'][0]"], error.__notes__
assert all(arena.state == "abandoned" for arena in fa.arenas())
before = len(fa.arenas())
for arguments in ({"dedupe": 1}, {"reducers": {"int": len}}, {"reducers": {int: 5}}, {"name": 5}):
    try:
        fa.pack([], **arguments)
        raise AssertionError(arguments)
    except TypeError:
        pass
assert len(fa.arenas()) == before
"""
    )


def test_packing_a_frozen_arena_and_packing_within_a_block() -> None:
    run_python(
        """
with frozen_arena() as first:
    data = {"rows": [[i, str(i)] for i in range(1000)]}
with frozen_arena() as outer:
    inner = fa.pack(data)
    more = [inner.root]
assert inner.root == data and inner.root in inner and inner.root not in outer and more in outer
assert fa.pack(inner.root).root == data
inner.root["rows"].append("changed")
assert len(data["rows"]) == 1000
assert fa.pack(None).root is None and first.root is None and first.packed is None
"""
    )
