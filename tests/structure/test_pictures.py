"""The pictures of the pages in the documents are those of the present pages."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "tools" / "pictures.py"), run_name="pictures")


def test_the_pictures_were_taken_of_the_present_pages() -> None:
    taken = MADE["HASH"].read_text().strip()
    assert taken == MADE["sources_hash"](), "the pages look different: run `make pictures`"


def test_each_picture_is_shown_in_a_document() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    texts = "".join(page.read_text() for page in pages)
    pictures = sorted(MADE["FOLDER"].glob("*.png"))
    assert len(pictures) == 4
    assert not [each.name for each in pictures if f"pictures/{each.name}" not in texts]
    assert all(each.stat().st_size < 150_000 for each in pictures)
