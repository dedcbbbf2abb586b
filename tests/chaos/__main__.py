"""`python -m chaos`: see docs/reports/chaos.md."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

from chaos import report, run
from chaos.plan import plan
from chaos.world import LEASE_S
from support import leftovers


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description="Clients, and everything breaks.")
    parser.add_argument("--jobs", type=int, default=3000, help="number of jobs; default 3000")
    parser.add_argument("--seed", type=int, default=1, help="seed of the disturbances; default 1")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument(
        "--kills", type=int, help="number of kills, spread over the jobs; default as time passes"
    )
    parser.add_argument("--minutes", type=float, default=24 * 60, help="longest time to submit")
    parser.add_argument(
        "--pace", type=float, default=1.0, help="times as many disturbances, without --kills"
    )
    parser.add_argument("--users", type=int, default=4, help="users of most dialects; default 4")
    parser.add_argument(
        "--share", type=float, default=0.01, help="share of unmodified clients; default 0.01"
    )
    parser.add_argument("--folder", type=Path, help="where to keep everything; it must not exist")
    parser.add_argument("--report", type=Path, help="file for a line with the result")
    parser.add_argument("--plan", type=int, metavar="N", help="print N disturbances, do nothing")
    asked = parser.parse_args()
    for name in ("jobs", "kills", "users"):
        if (value := getattr(asked, name)) is not None and value < 1:
            parser.error(f"argument --{name}: must be at least 1, not {value}")
    if asked.plan is not None:
        steps = plan(asked.seed, asked.database, lease_s=LEASE_S, pace=asked.pace)
        for step in itertools.islice(steps, asked.plan):
            print(step)
        return 0
    leftovers.start_watchdog()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="qwicket-chaos-"))
    folder.chmod(0o755) if folder.exists() else folder.mkdir(0o755)
    print(f"seed {asked.seed}, {asked.database}, in {folder}", flush=True)
    outcome = run.run(
        folder,
        jobs=asked.jobs,
        seed=asked.seed,
        database=asked.database,
        longest_s=60 * asked.minutes,
        kills=asked.kills,
        pace=asked.pace,
        users=asked.users,
        share=asked.share,
        say=lambda text: print(text, flush=True),
    )
    print(report.text(outcome))
    if asked.report is not None:
        report.keep(asked.report, outcome, asked.seed, asked.database)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
