"""The documents are few enough to be read, and their indexes leave nothing out.

Words are those of sentences and tables, without blocks of code, and those of all that `docs` has,
as `wc -w` counts them. Reports and the changelog do not count.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_PAGES = 100
MOST_WORDS = 80_000
FOLDERS = ("benchmarks", "deploy", "docs", "examples", "tests")
NOT_COUNTED = ("docs/reports/", "CHANGELOG.md")
_FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    patterns = ("*.md", ".github/*.md", *(f"{name}/**/*.md" for name in FOLDERS))
    found = {page.relative_to(ROOT).as_posix() for each in patterns for page in ROOT.glob(each)}
    return [ROOT / name for name in found if not name.startswith(NOT_COUNTED)]


def words(page: Path) -> int:
    text = _FENCE.sub("", page.read_text("utf-8"))
    return sum(1 for each in text.split() if re.search(r"\w", each))


def test_documents_are_few_and_short() -> None:
    pages = documents()
    assert 50 < len(pages) <= MOST_PAGES
    counted = sum(words(page) for page in pages)
    assert counted <= MOST_WORDS, f"{counted - MOST_WORDS} words too many"
    texts = [page.read_text("utf-8") for page in pages if ROOT / "docs" in page.parents]
    counted = sum(len(text.split()) for text in texts)
    assert counted <= MOST_WORDS, f"{counted - MOST_WORDS} words too many in docs"


def test_the_index_says_where_each_missing_decision_went() -> None:
    folder = ROOT / "docs" / "decisions"
    present = {int(page.name[:4]) for page in folder.glob("0*.md")}
    rows = re.findall(r"^\| ([\d, ]+) \|", (folder / "README.md").read_text(), re.MULTILINE)
    explained = {int(number) for row in rows for number in row.split(",")}
    assert set(range(1, max(present) + 1)) - present <= explained


def test_the_index_of_reports_has_each_report_newest_first() -> None:
    folder = ROOT / "docs" / "reports"
    index = (folder / "README.md").read_text()
    named = set(re.findall(r"\(([\w-]+\.md)\)", index))
    assert named == {page.name for page in folder.glob("*.md")} - {"README.md"}
    dates = re.findall(r"^\| (\d{4}-\d\d-\d\d) \|", index, re.MULTILINE)
    assert dates == sorted(dates, reverse=True)
