"""A client of the Celery application: sends look-ups, then asks what each worker says of itself.

python -m bench.hosts.celery_client TASKS WORKERS
"""

from __future__ import annotations

import json
import sys

from bench.hosts import celery_app, service

_LIMIT = 300.0  # seconds for an answer


def main() -> None:
    """Prints the last answer of each worker as JSON."""
    tasks, workers = int(sys.argv[1]), int(sys.argv[2])
    for one in [celery_app.look_up.delay(number) for number in range(tasks)]:
        one.get(timeout=_LIMIT)
    answers = service.from_each(workers, lambda: celery_app.facts.delay().get(timeout=_LIMIT))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
