"""The catalogue behind WSGI, for gunicorn and uWSGI; loading this module loads the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from bench.hosts import catalogue

catalogue.records()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """``/facts`` reads everything, ``/NUMBER`` looks one record up."""
    place = environ["PATH_INFO"].strip("/")
    answer = catalogue.facts() if place == "facts" else catalogue.records()[int(place)]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
