"""Ray's object store: the dict is put there once, and each worker gets it.

Ray does not survive a fork, so the parent starts a program of its own that holds the data (this
file, as ``python -m``), and workers connect to it after the fork, as Ray's documentation has it.
What `ray.get` gives is a copy of a dict; only NumPy arrays are read where they are.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.peers import PACKED, Open, Peer, Reader, objects_reader
from bench.records import Records

_NAME = "records"
_STORE_BYTES = 2**30


def hold(records: Records, folder: Path) -> Open:
    """Starts the program that holds the records, and waits until it does."""
    command = [sys.executable, "-m", "bench.peers.ray_store", str(folder)]
    request = [records.kind, str(records.values), str(records.mib)]
    own = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "HOME": str(folder),  # where it would write
    }
    holder = subprocess.Popen(
        [*command, *request],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **own},
        text=True,
    )
    assert holder.stdout is not None
    address = holder.stdout.readline().strip()
    if not address:
        message = "Ray did not start"
        raise RuntimeError(message)

    def open_in_worker() -> Reader:
        _ = holder  # ends when the parent does: its standard input is closed
        os.environ.update(own)
        ray = _connected(address)
        (reference,) = ray.get(ray.get_actor(_NAME).reference.remote())
        return objects_reader(ray.get(reference))

    return open_in_worker


def _connected(address: str | None, **more: Any) -> Any:
    """Ray, connected to a cluster or as a new one."""
    import ray

    ray.init(address=address, namespace="bench", log_to_driver=False, logging_level="error", **more)
    return ray


def main() -> None:
    """Holds the records until standard input is closed."""
    folder, kind, values, mib = sys.argv[1:]
    ray = _connected(
        None,
        num_cpus=1,
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _temp_dir=folder,
        _node_ip_address="127.0.0.1",
    )

    @ray.remote(num_cpus=0)
    class Holder:
        """Owns the reference that workers ask for."""

        def __init__(self) -> None:
            records = Records(kind, int(values), float(mib))
            self._reference = ray.put(dict(enumerate(records)))

        def reference(self) -> list[Any]:
            return [self._reference]

    holder = Holder.options(name=_NAME).remote()
    ray.get(holder.reference.remote())
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


PEER = Peer(
    "Ray",
    PACKED,
    hold,
    types_lost="none that can be pickled; each worker has a copy of its own",
    code_changed="a cluster to start, and workers that connect to it after the fork",
    needs=("ray",),
)

if __name__ == "__main__":
    main()
