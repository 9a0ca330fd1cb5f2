"""One piece of work in three ways, each in a fresh process tree: stock, gc.freeze(), frozen.

The demo and `frozen-arena measure` are made of this. `runner` is the side that the user started:
it starts a program for each way and reads its result. `way` and `workers` are the side of that
program: building, forking, measuring. Called by the command line only.
"""

from typing import Final

WAYS: Final = ("stock", "gc.freeze", "frozen")
