"""What nobody holds when a block is left is gone; what somebody holds is all there."""

from __future__ import annotations

import pytest
from forking import run_python

CYCLES = {
    "a list": "made = Held(); made.own = [made]",
    "a dict by its values": "made = Held(); made.own = {'key': made}",
    "a dict by its keys": "made = Held(); made.own = {(made,): 1}",
    "a set": "made = Held(); made.own = {made}",
    "a frozenset": "made = Held(); made.own = frozenset([made])",
    "nested tuples": "made = Held(); made.own = ((made, 1), 2)",
    "slots": "made = Slotted(); made.own = Slotted(); made.own.own = made",
    "a bound method": "made = Held(); made.own = made.method",
    "a closure": "made = Held(); made.own = (lambda it: lambda: it)(made)",
    "a generator": "made = Held(); made.own = (it for it in [made, 1]); next(made.own)",
    "a deque": "made = Held(); made.own = collections.deque([made])",
    "an OrderedDict": "made = Held(); made.own = collections.OrderedDict(key=made)",
    "a defaultdict": "made = Held(); made.own = collections.defaultdict(list, {made: 1})",
    "a partial": "made = Held(); made.own = functools.partial(print, made)",
    "an exception and its traceback": """
    try:
        made = Held()
        raise ValueError(made)
    except ValueError as error:
        made.own = error
""",
    "a class": "Inner = type('Inner', (Held,), {}); made = Inner(); Inner.instance = made",
    "many references to one object": "made = Held(); made.own = [[made] * 1000 for _ in range(3)]",
}
PRELUDE = """
import atexit, collections, functools, gc, json, random, weakref
from frozen_arena import frozen_arena
class Held:
    def method(self): pass
class Slotted:
    __slots__ = ("own", "__weakref__")
dead = []
"""


@pytest.mark.parametrize("cycle", CYCLES)
def test_cycle_that_nobody_holds_is_collected_before_the_freeze(cycle: str) -> None:
    text = CYCLES[cycle]
    body = text if text.startswith("\n") else f"\n    {text}\n"
    seen = run_python(
        PRELUDE
        + f"""
def build():
    {body.strip()}
    watch = weakref.ref(made, lambda _: dead.append("given up"))
    kept = [made]
    return watch, kept
with frozen_arena():
    given_up, _ = build()
    alive, kept = build()
    del _
print(json.dumps([given_up() is None, dead, alive() is kept[0], gc.collect()]))
"""
    ).json
    assert seen[0], "the cycle was frozen"
    assert seen[1] == ["given up"]
    assert seen[2]


def test_any_graph_keeps_what_is_held_and_loses_the_rest() -> None:
    """Random graphs beside a model of who reaches whom.

    What is held hangs on a module, on a list that an earlier block has frozen (which no collection
    looks at), on a suspended generator or on C code alone.
    """
    run_python(
        PRELUDE
        + """
class Node:
    def __init__(self, number): self.number = number
WRAPS = [
    lambda node: [node], lambda node: (node,), lambda node: {node.number: node},
    lambda node: {node}, lambda node: collections.deque([node]), lambda node: [[(node, "x")]],
    lambda node: node, lambda node: {(node, 1): 2},
]
with frozen_arena():
    shelf = []
def holding(value):
    yield
    yield value
def in_generator(value):
    suspended = holding(value)
    next(suspended)
    shelf.append(suspended)
HOLDERS = [
    lambda kept: globals().update(kept_by_module=kept), shelf.append, in_generator,
    lambda kept: atexit.register(len, kept),
]
def check(seed):
    chance = random.Random(seed)
    count = chance.choice([5, 60, 400])
    degrees = [chance.choice([0, 1, 1, 2]) for _ in range(count)]
    edges = [[chance.randrange(count) for _ in range(degree)] for degree in degrees]
    roots = [n for n in range(count) if chance.random() < chance.choice([0, 0.02, 0.5])]
    with frozen_arena():
        nodes = [Node(n) for n in range(count)]
        if chance.random() < 0.5:
            chance.shuffle(nodes)
        by_number = {node.number: node for node in nodes}
        for node in nodes:
            node.edges = [chance.choice(WRAPS)(by_number[to]) for to in edges[node.number]]
        watches = {number: weakref.ref(node) for number, node in by_number.items()}
        kept = [by_number[number] for number in roots]
        chance.choice(HOLDERS)(kept)
        del nodes, by_number, kept
        node = None
    reached, waiting = set(), list(roots)
    while waiting:
        number = waiting.pop()
        if number not in reached:
            reached.add(number)
            waiting.extend(edges[number])
    alive = {number for number, watch in watches.items() if watch() is not None}
    assert alive == reached, (seed, sorted(alive ^ reached)[:5])
    assert gc.collect() == 0, seed
    shelf.clear()
    atexit.unregister(len)
with frozen_arena():
    pass  # what is made once is made by now
gc.collect()
for seed in range(150):
    check(seed)
""",
        timeout=200,
    )


def test_garbage_from_before_the_block_does_not_make_leaving_it_slower() -> None:
    """It goes when the block is entered, as by gc.collect()."""
    seen = run_python(
        PRELUDE
        + """
gc.disable()
old = Held(); old.own = old
watch = weakref.ref(old); del old
with frozen_arena():
    entered = watch() is None
print(json.dumps(entered))
"""
    ).json
    assert seen is True


def test_finalizer_that_revives_its_object_in_the_last_collection_keeps_it() -> None:
    seen = run_python(
        PRELUDE
        + """
revived = []
class Revives:
    def __del__(self):
        revived.append(self)
with frozen_arena():
    one = Revives(); one.own = [one]; one.data = list(range(2000, 2100))
    del one
print(json.dumps([len(revived), revived[0].own[0] is revived[0], sum(revived[0].data)]))
"""
    ).json
    assert seen == [1, True, sum(range(2000, 2100))]


def test_callback_of_the_collector_that_drops_data_in_the_middle_of_leaving_is_safe() -> None:
    run_python(
        PRELUDE
        + """
data = []
def drop(phase, info):
    data.clear()
    data.append([phase, {}])
for _ in range(20):
    gc.callbacks.append(drop)
    with frozen_arena():
        data.extend([Held(), [n]] for n in range(500))
        rest = [[n] for n in range(500)]
    gc.callbacks.remove(drop)
    assert [n for [n] in rest] == list(range(500))
    gc.collect()
"""
    )


def test_objects_set_aside_by_the_user_stay_permanent() -> None:
    seen = run_python(
        PRELUDE
        + """
mine = [Held() for _ in range(1000)]
gc.freeze()
before = gc.get_freeze_count()
with frozen_arena():
    data = [[n] for n in range(1000)]
print(json.dumps([before, gc.get_freeze_count()]))
"""
    ).json
    assert seen[1] >= seen[0] - 50, "what dies takes itself out; the rest is where the user put it"
    assert seen[0] > 1000


def test_garbage_set_aside_by_the_user_is_not_collected() -> None:
    seen = run_python(
        PRELUDE
        + """
ended = []
class Ends:
    def __del__(self):
        ended.append(self)
one = Ends(); one.own = one
gc.freeze()
del one
with frozen_arena():
    data = [[n] for n in range(1000)]
print(json.dumps(len(ended)))
"""
    ).json
    assert seen == 0


def test_what_stays_tracked_is_old_when_the_block_is_left() -> None:
    """As after gc.collect(): a young collection in a worker writes to the links of the young."""
    young = run_python(
        PRELUDE
        + """
with frozen_arena(keep_mortal=Held):
    data = [Held() for _ in range(5000)]
print(json.dumps(sum(type(one) is Held for one in gc.get_objects(generation=0))))
"""
    ).json
    assert young == 0
