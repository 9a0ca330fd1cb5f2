"""Application heap: an application without data, whose memory is its modules, by how it shares.

The parent imports what a service of some size imports, calls a little of each library, and forks
eight workers, which do the same calls and collect garbage. Nothing is loaded: what can be saved is
code, classes and constants, and imports leave temporaries behind. An arena is judged here by the
memory of the whole tree, beside `gc.freeze`.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import sys
from typing import Any

from bench import harness, memory, runner

MODULE = "bench.application_heap"
ACTIVATED = "PYTHONFROZENARENA=1"
HOWS = (*harness.MODES, ACTIVATED)
_WORKERS = 8
_ROUNDS, _QUICK_ROUNDS = 3, 1
_MAX_BESIDE_FREEZE = 1.0
_MODULES = """
    asyncio argparse ast base64 calendar cProfile cgitb code codecs configparser csv ctypes curses
    dataclasses datetime decimal difflib dis email.mime.multipart ensurepip enum fractions ftplib
    gettext http.client http.cookiejar http.server imaplib inspect ipaddress json logging.config
    mailbox multiprocessing.pool optparse pdb pickletools platform plistlib poplib pprint pydoc
    queue smtplib socketserver sqlite3 ssl statistics sysconfig tarfile tempfile timeit tokenize
    trace turtledemo typing unittest.mock urllib.request uuid venv wsgiref.simple_server
    xml.dom.minidom xml.sax.expatreader xmlrpc.client zipapp zipfile zoneinfo
    numpy pandas matplotlib.figure hypothesis rich.console click psutil
"""


def import_application() -> int:
    """Imports whatever of the list there is, and returns how many modules there are then."""
    for name in _MODULES.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return len(sys.modules)


def use_application() -> None:
    """Calls some functions of what was imported, as a request does."""
    import email.mime.multipart
    import logging
    import statistics
    import uuid
    import xml.dom.minidom
    from decimal import Decimal

    for number in range(30):
        text = json.dumps({"number": number, "names": [str(number)] * 5})
        json.loads(text)
        document = xml.dom.minidom.parseString(f"<a><b c='{number}'>{text[:9]}</b></a>")
        document.toxml()
        message = email.mime.multipart.MIMEMultipart()
        message["Subject"] = text
        message.as_string()
        statistics.stdev([1.0, 2.0, number])
        logging.getLogger(f"request.{number % 3}").debug("done")
        str(uuid.UUID(int=number))
        (Decimal(number) / 7).quantize(Decimal("0.01"))
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"]})
        frame.groupby("b").sum()


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Imports the application, forks the workers, and adds up.

    Args:
        request: ``how``, one of `HOWS`, and ``workers``.

    Returns:
        PSS of the parent alone and of the tree, own bytes of a worker, and the number of modules.
    """
    mode = "stock" if request["how"] == ACTIVATED else request["how"]
    with harness.prepared(mode, "application", {}):
        modules = import_application()
        use_application()
    gc.collect()
    alone = memory.pss()

    def serve() -> int:
        use_application()
        gc.collect()
        return memory.own_bytes()

    workers = [harness.Child(serve) for _ in range(request["workers"])]
    own = [worker.answer() for worker in workers]
    together = memory.pss() + memory.tree_pss(worker.pid for worker in workers)
    for worker in workers:
        worker.leave()
    return {"alone": alone, "together": together, "own_bytes": own, "modules": modules}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the tree in every way, in rounds."""
    rounds = _QUICK_ROUNDS if arguments.quick else _ROUNDS
    hows = HOWS if harness.package_version() else HOWS[:2]
    result = harness.Result(
        f"An application without data and its {_WORKERS} workers",
        ["", "parent alone MiB", "tree MiB", "own, a worker MiB", "x gc.freeze"],
    )

    def run(how: str) -> Any:
        more = {"PYTHONFROZENARENA": "1"} if how == ACTIVATED else {}
        return harness.fresh(MODULE, {"how": how, "workers": _WORKERS}, **more)

    found = runner.in_rounds(result, hows, run, rounds)
    totals = {
        how: harness.middle([answer["together"] for answer in answers])
        for how, answers in found.items()
    }
    for how, answers in found.items():
        own = [amount for answer in answers for amount in answer["own_bytes"]]
        alone = harness.middle([answer["alone"] for answer in answers])
        amounts = {"alone": alone, "together": totals[how], "own": harness.middle(own)}
        in_mib = {f"{name}_mib": round(value / memory.MIB, 2) for name, value in amounts.items()}
        ratio = totals[how] / totals["gc.freeze"] if "gc.freeze" in totals else None
        result.rows.append((how, *in_mib.values(), ratio))
        result.data.append({"how": how, **in_mib, "modules": answers[0]["modules"]})
    absent = [
        name for name in _MODULES.split() if importlib.util.find_spec(name.split(".")[0]) is None
    ]
    if absent:
        result.notes.append(f"not there for this interpreter: {', '.join(absent)}")
    both = {"gc.freeze", ACTIVATED} <= totals.keys()
    result.bounds.append(
        harness.bound(
            "tree when activated, x gc.freeze",
            totals[ACTIVATED] / totals["gc.freeze"] if both else None,
            _MAX_BESIDE_FREEZE,
            harness.no_package(),
            harness.NO_IMMORTALS,
            (not both, "failed"),
        )
    )
    return result


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure), __doc__))
