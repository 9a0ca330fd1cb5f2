"""A small WSGI worker and its client, for scenarios that serve: one request a connection.

The worker answers ``/NUMBER`` with what the scenario makes of a number, until it is asked for
``/stop``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


def answer_requests(
    listener: socket.socket,
    make_body: Callable[[int], bytes],
    headers: tuple[tuple[str, str], ...] = (),
) -> None:
    """In a worker: serves what comes to `listener` until somebody asks for ``/stop``."""
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None: ...

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        nonlocal serving
        place = environ["PATH_INFO"][1:]
        start_response("200 OK", list(headers))
        if place == "stop":
            serving = False
            return []
        return [make_body(int(place))]

    server = WSGIServer(("127.0.0.1", 0), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = "localhost", 0
    server.setup_environ()
    server.set_app(application)
    serving = True
    while serving:
        server.handle_request()


def get(port: int, path: int | str) -> int:
    """Asks for one path, and returns the bytes of the answer."""
    received = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        while part := connection.recv(1 << 16):
            received += len(part)
    return received
