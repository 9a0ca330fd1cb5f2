"""gunicorn shares what it preloads: by the variable, or by a line of its own configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MODES, MOST, check_shared, need, own_bytes_of

from bench.hosts import service
from bench.hosts.service import from_each, get

WORKERS = 2
LINE = "from frozen_arena.integrations.gunicorn import post_request, when_ready\n"


@contextlib.contextmanager
def gunicorn(
    folder: Path, *arguments: str, config: str = "", **variables: str
) -> Iterator[tuple[service.Service, int]]:
    need("gunicorn")
    port = service.free_port()
    (folder / "gunicorn.conf.py").write_text(config)
    command = [service.installed("gunicorn"), "-w", WORKERS, "-b", f"127.0.0.1:{port}"]
    with service.start([*command, *arguments, "bench.hosts.wsgi"], folder, variables) as server:
        server.wait_until(lambda: server.said.count("Booting worker") >= WORKERS, "its workers")
        yield server, port


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_workers_share_the_catalogue(kind: str, tmp_path: Path) -> None:
    own = {}
    for mode in ("stock", "frozen"):
        with gunicorn(tmp_path, "--preload", "-k", kind, **MODES[mode]) as (server, port):
            answers = from_each(WORKERS, lambda port=port: get(port, "facts"))
            own[mode] = own_bytes_of(answers)
            if mode == "frozen":
                check_shared(answers)
                assert "frozen arena" not in server.said
    assert own["frozen"] < MOST * own["stock"]


def test_a_line_of_its_configuration_is_enough(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--preload", config=LINE) as (server, port):
        check_shared(from_each(WORKERS, lambda: get(port, "facts")))
        assert "frozen arena" not in server.said


@pytest.mark.parametrize("how", ["line", "variable"])
def test_without_preload_it_is_said_once_that_nothing_is_shared(how: str, tmp_path: Path) -> None:
    config = LINE if how == "line" else ""
    variables = {} if how == "line" else MODES["frozen"]
    with gunicorn(tmp_path, config=config, **variables) as (server, port):
        answers = from_each(WORKERS, lambda: get(port, "facts"))
        assert server.said.count("without --preload each worker loads the application") == 1
        assert all("sealed" not in str(answer["arenas"]) for answer in answers.values())


def test_workers_that_are_replaced_share_the_same_arena(tmp_path: Path) -> None:
    """By max_requests, from a master that goes on forking."""
    arguments = ("--preload", "--max-requests", "2")
    with gunicorn(tmp_path, *arguments, config=LINE) as (_, port):
        seen = {}
        while len(seen) < 8:
            answer = get(port, "facts")
            seen[answer["pid"]] = answer
        check_shared(seen)
