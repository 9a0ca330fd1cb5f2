"""Celery, prefork, with a real Redis: by the variable, or by a line in its application."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import MODES, MOST, check_shared, need, own_bytes_of

from bench.hosts import service

WORKERS = 2


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("redis-server", "celery", "redis")
    with service.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@contextlib.contextmanager
def celery(
    folder: Path, broker: str, *arguments: str, **variables: str
) -> Iterator[tuple[service.Service, Any]]:
    """A worker that is ready, and the application as its clients see it."""
    variables["FZA_HOST_BROKER"] = broker
    command = [service.installed("celery"), "-A", "bench.hosts.celery_app", "worker"]
    command += ["--concurrency", str(WORKERS), "--loglevel", "INFO", "--without-gossip"]
    with service.start([*command, *arguments], folder, variables) as server:
        server.wait_until(lambda: " ready." in server.said, "a worker that is ready")
        os.environ["FZA_HOST_BROKER"] = broker
        from bench.hosts import celery_app

        yield server, celery_app


def ask(application: Any) -> dict[str, Any]:
    return application.facts.delay().get(timeout=60)


def test_workers_share_the_catalogue(broker: str, tmp_path: Path) -> None:
    own = {}
    for mode in ("stock", "frozen"):
        with celery(tmp_path, broker, **MODES[mode]) as (server, application):
            answers = service.from_each(WORKERS, lambda app=application: ask(app))
            own[mode] = own_bytes_of(answers)
            if mode == "frozen":
                check_shared(answers)
                assert "frozen arena" not in server.said
    assert own["frozen"] < MOST * own["stock"]


def test_a_line_is_enough_beside_a_beat_that_forks_first(broker: str, tmp_path: Path) -> None:
    """And workers that are replaced share the same arena."""
    options = ("--beat", "--max-tasks-per-child", "2")
    with celery(tmp_path, broker, *options, FZA_HOST_LINE="1") as (server, application):
        seen = {}
        while len(seen) < 5:
            answer = ask(application)
            seen[answer["pid"]] = answer
        check_shared(seen)
        assert "frozen arena" not in server.said


def test_a_pool_that_forks_nothing_says_so(broker: str, tmp_path: Path) -> None:
    options = ("--pool", "solo")
    with celery(tmp_path, broker, *options, FZA_HOST_LINE="1") as (server, application):
        assert "sealed" not in str(ask(application)["arenas"])
        assert server.said.count("the pool 'solo' runs tasks in this process") == 1
