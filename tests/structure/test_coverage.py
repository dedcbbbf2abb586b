"""The page of calls is current, and its table names real dialects and clients."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from contract.environments import suites
from qwicket.dialects import mounts, offered

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    path = ROOT / "docs" / "_site" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COVERAGE = load()
TABLE = COVERAGE.table()


def calls(at: str) -> list[Any]:
    """Return the calls of a dialect, with their states."""
    return list(COVERAGE.calls_at(at, TABLE[at]))


def test_the_page_is_what_routes_and_table_say() -> None:
    page = (ROOT / "docs" / "reports" / "coverage.md").read_text("utf-8")
    command = "write it with: python docs/_site/coverage.py > docs/reports/coverage.md"
    assert page == COVERAGE.page(), command


def test_the_table_has_every_dialect() -> None:
    served = {at for each in offered() for at in each.mounts if COVERAGE.routes_at(at)}
    assert TABLE.keys() == served


def test_the_table_has_every_method_of_the_protocol_of_assistants() -> None:
    works = {each.path for each in COVERAGE.methods() if each.state == "works"}
    assert works == {*COVERAGE.METHODS}


def test_clients_are_those_of_the_contract_suites() -> None:
    made = [*COVERAGE.methods(), *(call for at in TABLE for call in calls(at))]
    found = {name for call in made for name in call.clients}
    tested = {re.sub(r"\W+|_", " ", suite.rpartition("/")[2]) for suite in suites()}
    names = {re.sub(r"[-_.]", " ", name) for name in found}
    names = {name.replace("xanadu cloud client", "xcc") for name in names}
    assert {name for name in names if not any(each.startswith(name) for each in tested)} == set()


@pytest.mark.parametrize("at", TABLE)
def test_a_call_has_the_state_that_the_dialect_gives_it(subtests: pytest.Subtests, at: str) -> None:
    dialect = mounts(cast("Any", None))[at]
    for call in calls(at):
        with subtests.test(f"{call.method} {call.path}"):
            has_route = dialect.route(call.method, call.path.replace("{}", "x1")) is not None
            assert call.state in ("works", "refused", "unknown")
            if call.state == "works":
                assert has_route
            elif has_route:
                families = _families(at)
                assert any(call.path.startswith(each.rstrip("…/{}")) for each in families), call


def _families(at: str) -> list[str]:
    return [re.sub(r"\{\w+\}", "{}", each) for each in COVERAGE.refused_at(at)]
