"""The table of kinds of other clouds is what their registrations say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
TABLE = DOCS / "_site" / "clouds.py"


def test_the_table_of_kinds_is_what_they_register() -> None:
    spec = importlib.util.spec_from_file_location("clouds", TABLE)
    assert spec is not None
    assert spec.loader is not None
    clouds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(clouds)
    page = (DOCS / clouds.PAGE).read_text("utf-8")
    assert clouds.table() in page, "write into it what `python docs/_site/clouds.py` prints"
