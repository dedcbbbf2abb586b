"""The glossary is current and complete, and names that were replaced are gone."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from qwicket.model.accounts import Role

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "_site" / "glossary.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("glossary", TABLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GLOSSARY = load()
CODE = [
    path
    for folder in ("src", "tests", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def test_the_page_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    command = "write it with: python docs/_site/glossary.py > docs/glossary.md"
    assert page == GLOSSARY.page(), command


def test_the_roles_of_an_account_are_those_of_the_code() -> None:
    (account,) = [term for term in GLOSSARY.TERMS if term.name == "account"]
    assert re.findall(r"`(\w+)`", account.meaning) == sorted(get_args(Role), reverse=True)


def test_terms_are_in_alphabetical_order_and_once() -> None:
    names = [term.name.lower() for term in GLOSSARY.TERMS]
    assert names == sorted(set(names))


def test_what_a_term_links_to_exists() -> None:
    for term in GLOSSARY.TERMS:
        assert (ROOT / "docs" / term.page.partition("#")[0]).exists(), term


def test_replaced_names_are_gone() -> None:
    words = re.compile(rf"\b(?:{'|'.join(GLOSSARY.GONE)})\b")
    left = {}
    for path in [*CODE, *PAGES]:
        if path != Path(__file__) and (found := set(words.findall(path.read_text("utf-8")))):
            left[str(path.relative_to(ROOT))] = {old: GLOSSARY.GONE[old] for old in found}
    assert left == {}, "write the second of each two"


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(
        r"`[^`]*`", " ", re.sub(r"^```.*?^```$", " ", text, flags=re.DOTALL | re.MULTILINE)
    )


@pytest.mark.parametrize("idiom", GLOSSARY.IDIOMS)
def test_documents_do_without_an_idiom(idiom: str) -> None:
    word = re.compile(rf"\b{idiom}\b", re.IGNORECASE)
    pages = {path.relative_to(ROOT).as_posix(): prose(path.read_text("utf-8")) for path in PAGES}
    left = [name for name, text in pages.items() if word.search(text)]
    assert left == [], f"write: {GLOSSARY.IDIOMS[idiom]}"
