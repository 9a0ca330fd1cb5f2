"""Adds up gcovr's summary by folder, and says where a folder is below its goal."""

import json
import sys
from pathlib import Path

GOALS = {"arena": 95.0, "allocator": 95.0, "python/freeze": 90.0}  # per cent of lines


def main() -> int:
    (path,) = sys.argv[1:]
    files = json.loads(Path(path).read_text())["files"]
    below = []
    for folder, goal in GOALS.items():
        mine = [file for file in files if file["filename"].startswith(folder + "/")]
        total = sum(file["line_total"] for file in mine)
        covered = sum(file["line_covered"] for file in mine)
        percent = 100 * covered / total
        print(f"{folder}: {covered} of {total} lines, {percent:.1f} % (goal {goal:g} %)")
        for file in sorted(mine, key=lambda one: one["line_covered"] - one["line_total"])[:3]:
            missed = file["line_total"] - file["line_covered"]
            print(f"    {missed} lines of {file['filename']} never ran")
        if percent < goal:
            below.append(folder)
    print(f"{len(GOALS) - len(below)} passed, {len(below)} failed")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
