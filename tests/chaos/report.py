"""What came of a run, as text and as rows of docs/reports/chaos.md."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos import checker
from chaos.callers import CLIENTS
from chaos.run import Outcome

_MARK: Final = "<!-- runs -->\n"
_SHOWN: Final = 20


def text(outcome: Outcome) -> str:
    """Return the result for a terminal."""
    figures = outcome.report.figures
    lines = [
        f"{figures['jobs']} jobs in {outcome.seconds:.0f} s,"
        f" {figures['jobs'] / outcome.seconds:.0f} per second; {figures['answers']} results read",
        f"{outcome.kills} kills: " + _counted(outcome, "kill_"),
        "other disturbances: " + _counted(outcome, ""),
        f"{figures['released']} times a job was offered again, {figures['failed']} jobs failed at"
        f" their third attempt, {figures['unacknowledged']} jobs whose client never got the answer",
        f"longest lease without a break: {outcome.longest_lease_s:.1f} s; the last job ended"
        f" {outcome.last_end_s:.1f} s after the last disturbance; disk: {outcome.disk}",
    ]
    for name in CLIENTS:
        seen = [figures[f"{name}: {word}"] for word in ("submit", "accepted", "answer", "error")]
        lines.append(
            "  {:<10} {} submitted, {} accepted, {} answers, {} errors".format(name, *seen)
        )
    lines += [f"{kind}: {outcome.report.count(kind)}" for kind in checker.KINDS]
    lines.append(f"clients that did not end: {', '.join(outcome.late_clients) or 'none'}")
    found = outcome.report.findings
    lines += [f"  {each.kind}: {each.job}: {each.text}" for each in found[:_SHOWN]]
    return "\n".join(lines)


def row(outcome: Outcome, seed: int, database: str) -> str:
    """Return the row of a table; its columns are those of docs/reports/chaos.md."""
    figures, report = outcome.report.figures, outcome.report
    cells = [
        datetime.now(UTC).strftime("%-d %B %Y"),
        "SQLite" if database == "sqlite" else "PostgreSQL",
        str(seed),
        f"{figures['jobs']:,}",
        f"{figures['jobs'] / outcome.seconds:.0f}",
        f"{outcome.kills:,}",
        f"{sum(outcome.disturbances.values()) - outcome.kills:,}",
        *(
            str(report.count(kind))
            for kind in (checker.LOST, checker.TWICE, checker.STUCK, checker.DIFFERENT)
        ),
        str(sum(report.count(kind) for kind in checker.KINDS[4:]) + len(outcome.late_clients)),
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f}",
    ]
    return "| " + " | ".join(cells) + " |\n"


def keep(path: Path, outcome: Outcome, seed: int, database: str) -> None:
    """Add a row to the table of a document."""
    before, mark, after = path.read_text().partition(_MARK)
    assert mark, f"{path} has no line {_MARK!r}"
    path.write_text(before + row(outcome, seed, database) + mark + after)


def _counted(outcome: Outcome, prefix: str) -> str:
    kinds = [
        kind
        for kind in sorted(outcome.disturbances)
        if kind.startswith(prefix) and (prefix or not kind.startswith("kill_"))
    ]
    return ", ".join(
        f"{kind.removeprefix(prefix).replace('_', ' ')} {outcome.disturbances[kind]}"
        for kind in kinds
    )
