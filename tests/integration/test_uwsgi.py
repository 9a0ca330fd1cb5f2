"""uWSGI, which forks in C: the variable alone, or two lines in the application's module."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MODES, MOST, check_shared, need, own_bytes_of

from bench.hosts import service
from bench.hosts.service import answers, from_each, get

WORKERS = 2
TWO_LINES = """
from frozen_arena.integrations import uwsgi as frozen
from bench.hosts.wsgi import application
frozen.ready()
"""


@contextlib.contextmanager
def uwsgi(
    folder: Path, *arguments: str, module: str = "bench.hosts.wsgi", **variables: str
) -> Iterator[tuple[service.Service, int]]:
    need("uwsgi")
    port = service.free_port()
    command = [
        service.installed("uwsgi"),
        *("--http-socket", f"127.0.0.1:{port}", "--master", "--processes", WORKERS),
        *("--virtualenv", sys.prefix, "--pythonpath", str(folder), "--module", module),
        *("--die-on-term", "--need-app"),
    ]
    with service.start([*command, *arguments], folder, variables) as server:
        server.wait_until(lambda: server.said.count("spawned uWSGI worker") >= WORKERS, "workers")
        server.wait_until(lambda: answers(port), "its port")
        yield server, port


@pytest.mark.parametrize("threads", [False, True], ids=["no-threads", "threads"])
def test_with_the_variable_alone_workers_share_the_catalogue(threads: bool, tmp_path: Path) -> None:
    options = ("--enable-threads", "--threads", "2") if threads else ()
    own = {}
    for mode in ("stock", "frozen"):
        with uwsgi(tmp_path, *options, **MODES[mode]) as (server, port):
            found = from_each(WORKERS, lambda port=port: get(port, "facts"))
            own[mode] = own_bytes_of(found)
            if mode == "frozen":
                check_shared(found)
                assert "frozen arena" not in server.said
    assert own["frozen"] < MOST * own["stock"]


def test_with_its_own_hooks_for_forks_too(tmp_path: Path) -> None:
    options = ("--py-call-uwsgi-fork-hooks", "--enable-threads")
    with uwsgi(tmp_path, *options, **MODES["frozen"]) as (_, port):
        check_shared(from_each(WORKERS, lambda: get(port, "facts")))


def test_two_lines_in_the_application_are_enough(tmp_path: Path) -> None:
    (tmp_path / "two_lines.py").write_text(TWO_LINES)
    with uwsgi(tmp_path, module="two_lines") as (server, port):
        check_shared(from_each(WORKERS, lambda: get(port, "facts")))
        assert "frozen arena" not in server.said


@pytest.mark.parametrize("how", ["lines", "variable"])
def test_with_lazy_apps_it_is_said_once_that_nothing_is_shared(how: str, tmp_path: Path) -> None:
    (tmp_path / "two_lines.py").write_text(TWO_LINES)
    module = "two_lines" if how == "lines" else "bench.hosts.wsgi"
    variables = {} if how == "lines" else MODES["frozen"]
    with uwsgi(tmp_path, "--lazy-apps", module=module, **variables) as (server, port):
        found = from_each(WORKERS, lambda: get(port, "facts"))
        assert all("sealed" not in str(answer["arenas"]) for answer in found.values())
        assert server.said.count("with lazy-apps (or lazy) each worker loads") >= 1


def test_workers_that_are_replaced_share_the_same_arena(tmp_path: Path) -> None:
    # A worker that has answered its share goes on for another minute, unless told otherwise.
    options = ("--max-requests", "2", "--min-worker-lifetime", "0")
    with uwsgi(tmp_path, *options, **MODES["frozen"]) as (_, port):
        seen = {}
        for _ in range(40):
            answer = get(port, "facts")
            seen[answer["pid"]] = answer
            if len(seen) >= 6:
                break
        assert len(seen) >= 6
        check_shared(seen)
