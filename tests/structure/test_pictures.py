"""The pictures of the pages are in the documents. `make release` sees whether they are current."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_picture_is_shown_in_a_document() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    texts = "".join(page.read_text() for page in pages)
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))
    assert pictures
    assert not [each.name for each in pictures if f"pictures/{each.name}" not in texts]
    assert all(each.stat().st_size < 150_000 for each in pictures)
