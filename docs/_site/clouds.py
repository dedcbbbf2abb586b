"""The table of kinds of other clouds: `python docs/_site/clouds.py` prints it for the page."""

from __future__ import annotations

import sys
from typing import get_args

from qwicket.devices.remotes import kinds
from qwicket.registrations import CloudPart

PAGE = "howto/remote-devices.md"
"""The page that has it, in `docs`."""


def table() -> str:
    """Return the table as Markdown: a row for each kind, and a column for what some kinds lack."""
    parts: tuple[CloudPart, ...] = get_args(CloudPart)
    heads = ["`kind`", "cloud", "a job is found there by", "other formats become", *parts]
    rows = [heads, ["---"] * 4 + [":-:"] * len(parts)]
    for kind in kinds().values():
        marks = ["–" if part in kind.lacks else "✓" for part in parts]
        language = f"`{kind.language}`" if kind.language else "–"
        rows.append([f"`{kind.name}`", kind.clouds, kind.found_by, language, *marks])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(table())
