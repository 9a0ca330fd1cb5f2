"""multiprocessing.Pool and ProcessPoolExecutor over the catalogue; prints what each worker says.

    python -m bench.hosts.pools fork Pool 4

With ``forkserver`` the server preloads the catalogue, with ``fork`` this process loads it.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bench.hosts import catalogue


def facts(_: int) -> dict[str, Any]:
    """One task; long enough for every worker to get one."""
    answer = catalogue.facts()
    time.sleep(0.1)
    return answer


def main() -> None:
    """Gives each worker tasks, and prints their last answers as JSON."""
    method, pool, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # As a program does that knows which method it uses: the context is never the default's.
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        multiprocessing.set_forkserver_preload(["bench.hosts.loaded"])
    else:
        catalogue.records()
    tasks = range(workers * 4)
    if pool == "Pool":
        with context.Pool(workers) as running:
            answers = running.map(facts, tasks, chunksize=1)
    else:
        with ProcessPoolExecutor(workers, mp_context=context) as executor:
            answers = list(executor.map(facts, tasks))
    print(json.dumps({answer["pid"]: answer for answer in answers}))


if __name__ == "__main__":
    main()
