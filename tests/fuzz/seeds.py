"""Writes the sequences that the fuzzer begins with: FOLDER. Codes as in operations_fuzz.cc."""

import sys
from pathlib import Path

ALLOCATE, FREE, RESIZE, WRITE, CREATE, SEAL, END, RESHARE, FORK, CHECK, FAIL = (
    *(0, 12, 15, 16),
    *(17, 18, 19, 20, 21, 22, 23),
)
PAYLOAD = 0x80


def build(count: int, kind: int = 4, arena: int = 0) -> list[tuple[int, int, int, int]]:
    return [(ALLOCATE, arena, kind + PAYLOAD * (n % 2), 1 + n * 7 % 255) for n in range(count)]


SEEDS = {
    "life": [
        *build(30),
        *[(FREE, n * 3, 0, 0) for n in range(8)],
        (CHECK, 0, 0, 0),
        (SEAL, 0, 0, 0),
        (FORK, 0, 0, 9),
        (WRITE, 3, 0, 5),
        (RESHARE, 0, 0, 0),
        *[(FREE, n * 5, 0, 0) for n in range(30)],
    ],
    "fork while building": [*build(20, 3), (FORK, 0, 0, 1), *build(20, 5), (SEAL, 0, 0, 0)],
    "two arenas": [
        (CREATE, 0, 0, 0),
        *[step for n in range(20) for step in build(1, 4, n % 2)],
        (SEAL, 0, 0, 0),
        (END, 1, 0, 0),
        *build(5),
        (FORK, 0, 0, 3),
        (END, 0, 200, 0),
    ],
    "large": [*build(3, 7), *build(3, 6), (RESIZE, 1, 6, 200), (SEAL, 0, 0, 0), (FREE, 1, 0, 0)],
    "limit": [
        (END, 0, 200, 0),
        (CREATE, 0, 2, 4),
        *build(30, 5),
        (CHECK, 0, 0, 0),
        (SEAL, 0, 0, 0),
    ],
    "refusals": [
        *[(FAIL, 0, 2, n) for n in (1, 9)],
        *build(20, 5),
        (FORK, 0, 0, 1),
        (FAIL, 0, 0, 0),
        (SEAL, 0, 0, 0),
        (FAIL, 0, 1, 3),
        *build(10, 5),
    ],
}


def main() -> None:
    (folder,) = sys.argv[1:]
    for name, steps in SEEDS.items():
        path = Path(folder, name.replace(" ", "-"))
        path.write_bytes(b"".join(bytes(step) for step in steps))


if __name__ == "__main__":
    main()
