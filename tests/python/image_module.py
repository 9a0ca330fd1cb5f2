"""The data that image tests save: the text of a module, which fresh processes import."""

MODULE = """
import collections, dataclasses, datetime, decimal, enum, fractions, os, pathlib, uuid

class Colour(enum.Enum):
    RED = 1
    BLUE = "b"

class Plain:
    pass

class Slotted:
    __slots__ = ("left", "right", "__weakref__")

class Both(Slotted):
    pass

class Finalised:
    def __del__(self):
        pass

class Fickle:
    def __hash__(self):
        return int(os.environ.get("FICKLE", "1"))
    def __eq__(self, other):
        return isinstance(other, Fickle)

@dataclasses.dataclass
class Record:
    name: str
    when: object
    price: object
    colour: object
    parts: list

@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    number: int
    colour: Colour = Colour.RED

Point = collections.namedtuple("Point", "x y")

def record(i):
    zone = datetime.timezone(datetime.timedelta(hours=i % 3 + 1))
    return Record(f"record {i}", datetime.datetime(2024, 1, 1 + i % 28, tzinfo=zone),
                  decimal.Decimal(i) / 7, Colour.RED, [i, i * 10**20, -i * 0.5, complex(i, 1)])

def everything():
    plain = Plain()
    plain.b, plain.a = "set first", "set second"
    many = Plain()
    for i in range(60):
        setattr(many, f"attribute_{i}", i)
    both = Both()
    both.left, both.extra = (1, 2), {"a": 1}
    shared = ["one"]
    cycle = []
    cycle.append(cycle)
    return {
        "none": None, "truth": [True, False, ..., NotImplemented],
        "letters": ["", "a", "\\u00e9", "\\u4e2d", "\\U0001f600" * 3, "plain text", "\\u00fc" * 50],
        "bytes": [b"", b"a", b"long enough"],
        "numbers": [0, -1, 256, 1024, 10**5, -10**5, 2**200, -2**70, 1.5, float("inf"), 1j],
        "records": [record(i) for i in range(50)], "plain": plain, "both": both, "many": many,
        "empty": [[], {}, (), set(), frozenset(), Plain()],
        "keys": {Key(i): {i, i + 1} for i in range(20)},
        "sets": [set(range(100)), {"a", "b", ("c", 1)}, frozenset({Key(1), (2, 3), "four"})],
        "dicts": [{i: str(i) for i in range(1000)}, {(i, "x"): i for i in range(50)},
                  {f"key {i}": i for i in range(70_000)}, {1.5: 1, b"x": 2, 2**100: 3, True: 4}],
        "point": Point([1], Point(2, 3)), "points": {Point(1, "a"): 5},
        "days": [datetime.date(2024, 2, 29), datetime.time(1, 2, fold=1),
                 datetime.timedelta(3, 4, 5), datetime.datetime(2020, 1, 2, 3),
                 datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
                 datetime.time(4, 5, tzinfo=datetime.timezone.utc)],
        "values": [fractions.Fraction(1, 3), uuid.UUID(int=5), range(3), slice(1, None),
                   decimal.Decimal("1e500"), decimal.Decimal(7) ** 200, decimal.Decimal("NaN")],
        "paths": [pathlib.PurePosixPath("/a/b")],
        "names": [Plain, record, len, collections, str.upper, Colour.BLUE],
        "shared": [shared, shared], "cycle": cycle,
    }

def compare(found, wanted):
    found, wanted = dict(found), dict(wanted)
    plain, both, many = found.pop("plain"), found.pop("both"), found.pop("many")
    assert list(vars(plain).items()) == [("b", "set first"), ("a", "set second")]
    assert (both.left, both.extra, hasattr(both, "right")) == ((1, 2), {"a": 1}, False)
    assert vars(many) == vars(wanted["many"]) and many.attribute_59 == 59
    empty = found.pop("empty")
    assert empty[:5] == [[], {}, (), set(), frozenset()] and vars(empty[5]) == {}
    assert id(empty[2]) == id(()) and id(found["letters"][1]) == id(chr(97))
    assert found["cycle"][0] is found.pop("cycle")
    values, ours = found.pop("values"), wanted.pop("values")
    assert values[:6] == ours[:6] and values[6].is_nan() and repr(values) == repr(ours)
    assert [type(v) for v in values] == [type(v) for v in ours]
    for name in ("plain", "both", "many", "empty", "cycle"):
        del wanted[name]
    assert found == wanted, {k: (found[k], wanted[k]) for k in found if found[k] != wanted[k]}
    assert repr(found["records"]) == repr(wanted["records"])
    assert [list(d) for d in found["dicts"]] == [list(d) for d in wanted["dicts"]]
    for one in wanted["dicts"] + [wanted["keys"], wanted["points"]]:
        copy = next(d for d in found["dicts"] + [found["keys"], found["points"]] if d == one)
        for key in one:
            assert copy[key] == one[key] and key in copy
    assert all(i in found["sets"][0] for i in range(100)) and ("c", 1) in found["sets"][1]
    assert found["days"][3] + found["days"][2] == wanted["days"][3] + wanted["days"][2]
    assert found["days"][4].astimezone(datetime.timezone.utc) == wanted["days"][4]
    assert hash(found["point"].y) == hash(wanted["point"].y)
    assert found["records"][1].colour is Colour.RED

def change(data):
    for i, one in enumerate(data["records"]):
        one.name = f"changed {i}"
        one.added = [i]
        one.parts.append(one)
        vars(one).pop("price", None)
    data["plain"].b = data
    data["plain"].c = "new"
    data["both"].right = 5
    data["both"].left = None
    data["many"].__dict__ = {"other": 1}
    for one in data["empty"][:2] + data["empty"][3:4]:
        one.update({1: [1]}) if isinstance(one, dict) else one.extend([[2]]) \\
            if isinstance(one, list) else one.add((1, 2))
    data["empty"][5].first = 1
    for one in data["dicts"]:
        one["new key"] = [one]
        one.pop(next(iter(one)))
    for one in data["sets"][:2]:
        one.add("new item")
        one.discard("a")
        one |= set(range(500))
    data["numbers"][:] = [None] * 5
    data["numbers"] += range(10_000)
    data["letters"].sort()
    data["days"].clear()
    data["names"].append(data["names"])
    del data["bytes"][0]

def check_changed(data):
    assert [r.name for r in data["records"]] == [f"changed {i}" for i in range(50)]
    assert all(r.added == [i] and r.parts[-1] is r for i, r in enumerate(data["records"]))
    assert not hasattr(data["records"][0], "price")
    assert data["plain"].b is data and data["both"].right == 5 and data["both"].left is None
    assert vars(data["many"]) == {"other": 1}
    assert data["empty"][0] == [[2]] and data["empty"][1] == {1: [1]}
    assert data["empty"][3] == {(1, 2)} and data["empty"][5].first == 1
    assert all(one["new key"] == [one] or one["new key"][0] is one for one in data["dicts"])
    assert len(data["sets"][0]) == 501 and "a" not in data["sets"][1]
    assert len(data["numbers"]) == 10_005 and data["days"] == []
"""
