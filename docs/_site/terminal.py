"""Draw the terminal picture of the README from the output of `make demo` that the tutorial shows.

    python docs/_site/terminal.py > docs/demo.svg

A test runs the demo and compares the tutorial's text with its output. Another one compares this
picture with the text.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path

TUTORIAL = Path(__file__).parents[1] / "tutorial.md"
WIDTH, LINE, LEFT, TOP = 760, 19, 18, 58
FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_OUTPUT = re.compile(
    r"^<!-- output of: make demo -->\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def output() -> str:
    """Return the output of `make demo` as the tutorial shows it."""
    match = _OUTPUT.search(TUTORIAL.read_text("utf-8"))
    assert match is not None
    return match[1]


def row(number: int, text: str) -> str:
    """Return one line of the terminal as SVG, with its bar in another colour."""
    text = escape(text, quote=False)
    text = re.sub(r"(█+)", r'<tspan fill="#5cc6be">\1</tspan>', text)
    text = re.sub(r"^(\$ )", r'<tspan fill="#8a9a9a">\1</tspan>', text)
    return f'<text x="{LEFT}" y="{TOP + LINE * number}" xml:space="preserve">{text}</text>'


def svg(text: str) -> str:
    """Return the picture of a terminal that shows a command and its output."""
    lines = ["$ make demo", *text.rstrip("\n").splitlines()]
    height = TOP + LINE * len(lines)
    buttons = "".join(f'<circle cx="{x}" cy="20" r="6" fill="#3a474a"/>' for x in (24, 44, 64))
    rows = "\n".join(row(number, line) for number, line in enumerate(lines) if line)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"
  width="{WIDTH}" height="{height}" role="img">
<title>The output of make demo</title>
<rect width="{WIDTH}" height="{height}" rx="10" fill="#12181a"/>
{buttons}
<g font-family="{FONTS}" font-size="14" fill="#dfe7e6">
{rows}
</g>
</svg>
"""


if __name__ == "__main__":
    sys.stdout.write(svg(output()))
