"""What came of a run, as text and as rows of docs/reports/chaos.md."""

from __future__ import annotations

import os
import platform
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos import checker
from chaos.callers import CLIENTS
from chaos.mass import USERS
from chaos.run import Outcome

_MARK: Final = "<!-- runs -->\n"
_SHOWN: Final = 20


def text(outcome: Outcome) -> str:
    """Return the result for a terminal."""
    figures = outcome.report.figures
    lines = [
        f"{figures['jobs']} jobs in {outcome.seconds:.0f} s,"
        f" {figures['jobs'] / outcome.seconds:.0f} per second, {outcome.jobs_per_s:.0f} per second"
        f" while servers and database ran; {figures['answers']} results read",
        f"{_unmodified(outcome)} jobs accepted from unmodified clients",
        f"{outcome.kills} kills: " + _counted(outcome, "kill_"),
        "other disturbances: " + _counted(outcome, ""),
        f"{figures['released']} times a job was offered again, {figures['failed']} jobs failed at"
        f" their third attempt, {figures['unacknowledged']} jobs whose client never got the answer",
        f"longest lease without a break: {outcome.longest_lease_s:.1f} s; the last job ended"
        f" {outcome.last_end_s:.1f} s after the last disturbance; disk: {outcome.disk}",
    ]
    for name in (*USERS, *CLIENTS):
        seen = [figures[f"{name}: {word}"] for word in ("submit", "accepted", "answer", "error")]
        lines.append(
            "  {:<12} {} submitted, {} accepted, {} answers, {} errors".format(name, *seen)
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
        f"{100 * _unmodified(outcome) / max(figures['accepted'], 1):.1f}",
        f"{figures['jobs'] / outcome.seconds:.0f}",
        f"{outcome.jobs_per_s:.0f}",
        f"{outcome.kills:,}",
        f"{sum(outcome.disturbances.values()) - outcome.kills:,}",
        *(
            str(report.count(kind))
            for kind in (checker.LOST, checker.TWICE, checker.STUCK, checker.DIFFERENT)
        ),
        str(sum(report.count(kind) for kind in checker.KINDS[4:]) + len(outcome.late_clients)),
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f},"
        f" Python {platform.python_version()} {'with' if _has_pgo() else 'without'} PGO",
    ]
    return "| " + " | ".join(cells) + " |\n"


def keep(path: Path, outcome: Outcome, seed: int, database: str) -> None:
    """Add a row to the table of a document."""
    before, mark, after = path.read_text().partition(_MARK)
    assert mark, f"{path} has no line {_MARK!r}"
    path.write_text(before + row(outcome, seed, database) + mark + after)


def _unmodified(outcome: Outcome) -> int:
    return sum(outcome.report.figures[f"{name}: accepted"] for name in CLIENTS)


def _has_pgo() -> bool:
    """Return whether this Python was built with profile-guided optimization."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


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
