"""Links between the documents, and from them to code and tests, lead somewhere."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "deploy/**/*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)
_FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]`]|`[^`]*`)*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def text(page: str) -> str:
    """Return a page without its blocks of code."""
    return _FENCE.sub("", (ROOT / page).read_text("utf-8"))


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    kept = (c for c in plain if c in "-_ " or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")


def anchors(page: str) -> set[str]:
    return {anchor(heading) for heading in _HEADING.findall(text(page))}


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("A calibration in a file", "a-calibration-in-a-file"),
        ("What `evs` and `stds` are", "what-evs-and-stds-are"),
        ("The native API, `/v1`", "the-native-api-v1"),
        ("[Twins](x.md), and more", "twins-and-more"),
    ],
)
def test_the_anchor_of_a_heading(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


def test_links_lead_somewhere(subtests: pytest.Subtests) -> None:
    assert len(PAGES) > 80
    for page in PAGES:
        with subtests.test(page):
            dead = []
            for link in _LINK.findall(text(page)):
                path, _, fragment = link.partition("#")
                if "://" in link or link.startswith("mailto:"):
                    continue
                target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
                if not target.exists():
                    dead.append(link)
                elif fragment and target.suffix == ".md":
                    name = target.relative_to(ROOT).as_posix()
                    dead += [link] if fragment not in anchors(name) else []
            assert dead == []
