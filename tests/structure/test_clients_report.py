"""The report on clients under faults has a line for each client and fault of its tool."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from support.reported_clients import REPORTED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report", ROOT / "tools" / "clients_report.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_report_has_a_line_for_each_client_and_fault(tool: ModuleType) -> None:
    lines = tool.read()
    found = Counter((each.client, each.fault) for each in lines)
    assert found == Counter((name, fault) for name in REPORTED for fault in tool.FAULTS)
    assert tool.REPORT.read_text() == tool.page(lines)


def test_every_client_gets_a_result_where_nothing_fails(tool: ModuleType) -> None:
    ends = {each.client: each.end for each in tool.read() if each.fault == "none"}
    assert ends == dict.fromkeys(REPORTED, "result")
    assert len(REPORTED) >= 17
