"""Programs that change frozen data, and the process that runs them in forked children.

A program is a list of steps, each plain JSON: ``[path, operation, number, value]``. A step walks
from the root to a container by ``path``, takes the operation numbered so among those of its type,
and does it to the frozen data and to an ordinary model that was built the same way; results and, at
the end, all data must be equal. ``python cow_programs.py`` serves programs, one a line, from one
sealed arena; ``Server`` talks to it.
"""

from __future__ import annotations

import array
import collections
import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import time
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import forking
from cow_data import Node, OtherNode, SlotNode, build, canonical, parts

CHECK_PARENT_EVERY = 64
FINISH_EVERY = 8  # every so many children end through the interpreter's own shutdown
MOST_ITEMS = 3000


def _shrink(target: Any, number: int) -> None:
    del target[number % (len(target) + 1) :]


def _sort(target: Any) -> None:
    target.sort(key=lambda item: json.dumps(canonical(item)), reverse=len(target) % 2 == 0)


def _pop_some(target: set[Any], number: int) -> Any:
    """Takes one element, chosen so that model and frozen data take the same."""
    chosen = sorted(target, key=repr)[number % len(target)] if target else None
    target.discard(chosen)
    return chosen


def _grow(target: Any, items: Any) -> None:
    if len(target) < MOST_ITEMS or isinstance(target, (bytearray, array.array)):
        target.extend(items)


def _key(target: dict[Any, Any], number: int) -> Any:
    """A key of the dict, or now and then one that it does not have."""
    return f"new-{number}" if number % 5 == 0 or not target else list(target)[number % len(target)]


def _swap_dict(target: Node, number: int, value: Any) -> None:
    target.__dict__ = {"number": number, "items": value}


def _change_class(target: Node, number: int, value: Any) -> None:
    target.__class__ = OtherNode if type(target) is Node else Node


def _field(target: Any, number: int) -> str:
    names = [name for name in type(target).FIELDS if name[0] != "_"]
    return names[number % len(names)]


Step = Callable[[Any, int, Any], Any]

ANYTHING: list[Step] = [
    lambda t, n, v: (gc.collect(), None)[1],
    lambda t, n, v: canonical(copy.copy(t)),
    lambda t, n, v: canonical(copy.deepcopy(t)),
    lambda t, n, v: canonical(pickle.loads(pickle.dumps(t, n % 4 + 2))),
]
SEQUENCE: list[Step] = [
    lambda t, n, v: t.append(v),
    lambda t, n, v: t.insert(n % (len(t) + 1), v),
    lambda t, n, v: t.__setitem__(n % len(t), v),
    lambda t, n, v: t.__delitem__(n % len(t)),
    lambda t, n, v: canonical(t.pop()),
    lambda t, n, v: t.reverse(),
    lambda t, n, v: _grow(t, [v] * (n % 90)),
    lambda t, n, v: t.clear(),
]
BUFFER: list[Step] = [
    lambda t, n, v: t.append(n % 100),
    lambda t, n, v: t.insert(n % (len(t) + 1), 7),
    lambda t, n, v: t.__setitem__(n % len(t), 9),
    lambda t, n, v: t.pop(n % len(t)),
    lambda t, n, v: _grow(t, t[: n % 5000]),
    lambda t, n, v: _shrink(t, n),
    lambda t, n, v: t.reverse(),
    lambda t, n, v: t.__imul__(2) if len(t) < MOST_ITEMS else None,
]
MAPPING: list[Step] = [
    lambda t, n, v: t.__setitem__(_key(t, n), v),
    lambda t, n, v: t.__delitem__(_key(t, n)),
    lambda t, n, v: canonical(t.pop(_key(t, n), None)),
    lambda t, n, v: canonical(t.popitem()),
    lambda t, n, v: canonical(t.setdefault(_key(t, n), v)),
    lambda t, n, v: dict.update(t, {f"many-{part}": v for part in range(n % 40)}),
    lambda t, n, v: dict.update(t, sorted(t.items(), key=lambda item: repr(item[0]))),
    lambda t, n, v: t.clear(),
]
STEPS: dict[type, list[Step]] = {
    dict: MAPPING,
    collections.defaultdict: [*MAPPING, lambda t, n, v: canonical(t[_key(t, n)])],
    collections.Counter: [
        lambda t, n, v: t.update([f"text-{n % 30}"] * 3),
        lambda t, n, v: t.subtract([f"text-{n % 30}", f"new-{n}"]),
        lambda t, n, v: t.pop(_key(t, n), None),
        lambda t, n, v: canonical(t.most_common(3)),
        lambda t, n, v: t.clear(),
    ],
    collections.OrderedDict: [
        *MAPPING,
        lambda t, n, v: t.move_to_end(_key(t, n), last=n % 2 == 0),
        lambda t, n, v: canonical(t.popitem(last=False)),
    ],
    list: [*SEQUENCE, lambda t, n, v: _sort(t), lambda t, n, v: _shrink(t, n)],
    collections.deque: [
        *SEQUENCE,
        lambda t, n, v: t.appendleft(v),
        lambda t, n, v: canonical(t.popleft()),
        lambda t, n, v: t.rotate(n % 300 - 150),
    ],
    set: [
        lambda t, n, v: t.add(f"text-{n % 200}"),
        lambda t, n, v: t.discard(f"text-{n % 200}"),
        lambda t, n, v: _pop_some(t, n),
        lambda t, n, v: t.update(range(n % 70)),
        lambda t, n, v: t.difference_update([f"text-{part}" for part in range(n % 200)]),
        lambda t, n, v: t.symmetric_difference_update(range(n % 70)),
        lambda t, n, v: t.clear(),
    ],
    bytearray: [*BUFFER, lambda t, n, v: t.clear(), lambda t, n, v: t.extend(bytes(n % 9000))],
    array.array: [*BUFFER, lambda t, n, v: t.frombytes(bytes(8 * (n % 900)))],
    SlotNode: [
        lambda t, n, v: setattr(t, _field(t, n), v),
        lambda t, n, v: delattr(t, _field(t, n)),
        lambda t, n, v: weakref.ref(t)() is t,
    ],
    Node: [
        lambda t, n, v: setattr(t, _field(t, n), v),
        lambda t, n, v: delattr(t, _field(t, n)),
        lambda t, n, v: vars(t).clear(),
        lambda t, n, v: vars(t).update(extra=v, text=n),
        lambda t, n, v: weakref.ref(t)() is t,
        _swap_dict,
        _change_class,
    ],
}
STEPS[OtherNode] = STEPS[Node]


def walk(root: Any, path: list[int]) -> Any:
    """The container at ``path``: each number picks among the containers one level down."""
    for number in path:
        inner = [part for part in parts(root) or () if parts(part) is not None]
        if not inner:
            break
        root = inner[number % len(inner)]
    return root


def value_of(root: Any, spec: Any) -> Any:
    """A new value, or, for ``{"link": path}``, a container of the same data."""
    return walk(root, spec["link"]) if isinstance(spec, dict) else copy.deepcopy(spec)


def do_step(root: Any, step: list[Any]) -> Any:
    """Does one step; its result, or the name of the exception it raised."""
    path, operation, number, spec = step
    target = walk(root, path)
    steps = [*STEPS.get(type(target), []), *STEPS.get(type(target), []), *ANYTHING]
    try:
        return steps[operation % len(steps)](target, number, value_of(root, spec))
    except Exception as error:
        return f"raised {type(error).__name__}"


def run_program(frozen: Any, model: Any, program: list[list[Any]]) -> str:
    """Empty when frozen data and model stay equal, else where they part."""
    for index, step in enumerate(program):
        got, wanted = do_step(frozen, step), do_step(model, step)
        if got != wanted:
            return f"step {index} {step}: frozen data gave {got!r:.300}, the model {wanted!r:.300}"
    if canonical(frozen) != canonical(model):
        return "after the last step the frozen data differs from the model"
    return ""


class _Host:
    """The process with the sealed arena: forks a child for each program."""

    def __init__(self) -> None:
        from frozen_arena import frozen_arena

        self.held: list[Any] = [None]
        self.model: list[Any] = [build()]
        with frozen_arena("copy on write") as self.arena:
            self.held[0] = build()
        self.wanted = canonical(self.model[0])
        self.private = self.arena.sharing().private_os_pages
        self.count = 0

    def check(self) -> str:
        """What this process itself sees, and what it has copied: it only ever reads."""
        if canonical(self.held[0]) != self.wanted:
            return "the data of a process that only reads has changed"
        grown = self.arena.sharing().private_os_pages - self.private
        if forking.HAS_IMMORTAL_OBJECTS and grown:
            return f"a process that only reads has copied {grown} OS pages"
        return ""

    def run(self, program: list[list[Any]]) -> str:
        """Runs the program in a child; empty, or what went wrong."""
        self.count += 1
        finish = self.count % FINISH_EVERY == 0
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._child(writer, program, finish)
        os.close(writer)
        text = forking._read_until_closed(reader, time.monotonic() + 120)
        os.close(reader)
        if text is None:
            os.kill(pid, 9)
        _, status = os.waitpid(pid, 0)
        said = "it did not end within 120 s" if text is None else text.decode().removesuffix("ok")
        if status != 0:
            said += f" child: {forking.describe_status(status)}"
        if not said and self.count % CHECK_PARENT_EVERY == 0:
            said = self.check()
        return said

    def _child(self, writer: int, program: list[list[Any]], finish: bool) -> None:
        try:
            said = run_program(self.held[0], self.model[0], program)
            self.held.clear()
            if finish:
                gc.collect()
        except BaseException:
            said = traceback.format_exc()
        os.write(writer, (said or "ok").encode())
        if finish:
            sys.stdin = None  # type: ignore[assignment]
            raise SystemExit(0)
        os._exit(0)


def serve() -> None:
    """One answer, JSON, a line of input; for null a last look at parent and sibling."""
    host = _Host()
    told, tell = os.pipe()
    sibling = os.fork()
    if sibling == 0:
        os.close(tell)
        os.read(told, 1)
        os._exit(0 if not host.check() else 1)
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        answer = host.run(request) if isinstance(request, list) else host.check()
        if request is None:
            os.write(tell, b"!")
            if os.waitpid(sibling, 0)[1]:
                answer += " and a sibling that only reads no longer sees its data"
        os.write(1, f"{json.dumps(answer)}\n".encode())


class Server:
    """A fresh process that runs programs; a failure is an AssertionError."""

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def ask(self, request: list[list[Any]] | None) -> None:
        """Runs a program; None: the last look at the parent and at a sibling."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(request)}\n".encode())
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that holds the arena ended"
        assert not json.loads(answer), json.loads(answer)

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self.status = self._process.wait()


if __name__ == "__main__":
    serve()
