"""Prints, one a line, what pyproject.toml asks for: the build requirements, the dependencies of
the package, and those extras and dependency groups that are named as arguments."""

import sys
import tomllib
from pathlib import Path


def main() -> None:
    path = Path(__file__).parent.parent / "pyproject.toml"
    settings = tomllib.loads(path.read_text())
    named = settings["dependency-groups"] | settings["project"]["optional-dependencies"]
    requirements = settings["build-system"]["requires"] + settings["project"]["dependencies"]
    for name in sys.argv[1:]:
        requirements += named[name]
    print("\n".join(sorted(set(requirements))))


if __name__ == "__main__":
    main()
