"""`python -m frozen_arena` is the command `frozen-arena`."""

from frozen_arena.cli import main

if __name__ == "__main__":
    main(prog_name="frozen-arena")
