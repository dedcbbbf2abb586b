"""The report on clients under faults has a line for each client and fault of its tool."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from support.bed_client import CLIENTS

ROOT = Path(__file__).parents[2]


def test_the_report_has_a_line_for_each_client_and_fault() -> None:
    spec = importlib.util.spec_from_file_location("report", ROOT / "tools" / "clients_report.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    lines = [line for line in tool.REPORT.read_text().splitlines() if line.startswith("| ")][1:]
    found = {(each.split(" | ")[0].split()[1], each.split(" | ")[1]) for each in lines}
    assert found == {(name, fault) for name, _, _ in CLIENTS.values() for fault in tool.FAULTS}
    assert all(each.endswith(" | no |") for each in lines)
