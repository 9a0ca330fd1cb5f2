"""A Spark job whose function looks up in the catalogue: prints what each Python worker says.

    python -m bench.hosts.spark_job WORKERS

With ``FZA_HOST_MODE=frozen`` the daemon is frozen arena's; otherwise each worker loads for itself,
or, with ``FZA_HOST_DAEMON``, in that daemon module.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from pyspark import SparkConf, SparkContext

from bench.hosts import catalogue


def look_up(numbers: Iterator[int]) -> Iterator[str]:
    """In a worker: its share of the look-ups, then what it says of itself."""
    found = [catalogue.records()[number]["stock"] - 1_000 - number for number in numbers]
    assert not any(found)
    yield json.dumps(catalogue.facts())


def main() -> None:
    """Runs the job with that many local workers."""
    workers = int(sys.argv[1])
    environment = ("PYTHONPATH", catalogue.MODE, catalogue.SIZE)
    settings: dict[str, Any] = {
        "spark.app.name": "catalogue",
        "spark.master": f"local[{workers}]",
        "spark.driver.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.python.worker.faulthandler.enabled": "true",
        **{f"spark.executorEnv.{name}": os.environ.get(name, "") for name in environment},
    }
    if os.environ.get(catalogue.MODE) == "frozen":
        settings["spark.python.daemon.module"] = "frozen_arena.integrations.pyspark"
        settings["spark.executorEnv.FROZEN_ARENA_PRELOAD"] = os.environ.get(
            "FZA_HOST_PRELOAD", "bench.hosts.loaded"
        )
    elif "FZA_HOST_DAEMON" in os.environ:
        settings["spark.python.daemon.module"] = os.environ["FZA_HOST_DAEMON"]
    context = SparkContext(conf=SparkConf().setAll(settings.items()))  # SQL would cost a minute
    numbers = context.parallelize(range(catalogue.count(1)), workers)
    answers = [json.loads(text) for text in numbers.mapPartitions(look_up).collect()]
    context.stop()
    print(json.dumps({answer["pid"]: answer for answer in answers}))


if __name__ == "__main__":
    main()
