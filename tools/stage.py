"""Run one stage of the tests; run each failed test once more, alone; print what the stage cost.

    python tools/stage.py test --run build/gate/7 -- -n 3 tests/unit

A test that fails again is red. One that passes alone is flaky: it is named, and the stage passes.
A test that proves a promise (marker `promise`), one whose process crashed, and more than
`MAX_TRIED_AGAIN` failed tests in a stage are red at once. The stages of one run share the folder
`--run`; together they may have `MAX_FLAKY` flaky tests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

MAX_FLAKY: Final = 3
MAX_TRIED_AGAIN: Final = 10
_TESTS_FAILED: Final = 1
"""Exit status of pytest; any other but 0 says that it could not run the tests."""


def main() -> int:
    """Run a stage; return the exit status."""
    parser = argparse.ArgumentParser(prog="python tools/stage.py", description=__doc__)
    parser.add_argument("stage", help="name of the stage, for its files and messages")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run's results")
    parser.add_argument("pytest", nargs="+", help="arguments of pytest, after --")
    asked = parser.parse_args()
    status, rows = run_pytest(asked.pytest, asked.run / f"{asked.stage}.jsonl")
    print_costs(asked.stage, rows)
    if status != _TESTS_FAILED:
        return status
    return judge(asked.stage, rows, asked.run)


def run_pytest(arguments: list[str], results: Path) -> tuple[int, list[dict[str, Any]]]:
    """Run pytest; return its exit status and its results."""
    command = [sys.executable, "-m", "pytest", f"--results={results}", *arguments]
    status = subprocess.run(command, check=False).returncode
    lines = results.read_text().splitlines() if results.exists() else []
    return status, [json.loads(line) for line in lines]


def judge(stage: str, rows: list[dict[str, Any]], run: Path) -> int:
    """Try again what failed; return 0 if all of it passes and little of the run is flaky."""
    failed = {row["test"]: row for row in rows if "test" in row}
    breaks_promise = any(row["is_promise"] for row in rows if "test" in row)
    if breaks_promise or not 0 < len(failed) <= MAX_TRIED_AGAIN:
        return report(list(failed), [], run)
    red, flaky = [], []
    for number, (test, row) in enumerate(failed.items()):
        print(f"\nonce more, alone: {test}", flush=True)
        if run_pytest([test], run / f"{stage}-again-{number}.jsonl")[0]:
            red.append(test)
        else:
            flaky.append(f"{row['seconds']:6.1f} s  {stage:8} {test}")
    return report(red, flaky, run)


def report(red: list[str], flaky: list[str], run: Path) -> int:
    """Print what is red and, for the whole run, what is flaky; return the exit status."""
    path = run / "flaky.txt"
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in flaky)
    known = path.read_text().splitlines()
    if known:
        print(f"\nflaky: failed, and passed alone ({len(known)} of at most {MAX_FLAKY} in a run)")
        print(*known, sep="\n")
    if not red and not flaky:
        red = ["pytest failed outside of the tests"]
    print(*(f"red: {each}" for each in red), sep="\n", flush=True)
    return _TESTS_FAILED if red or len(known) > MAX_FLAKY else 0


def print_costs(stage: str, rows: list[dict[str, Any]]) -> None:
    """Print the processor time of each folder, of tests and of what they started."""
    costs: Counter[str] = Counter()
    for row in rows:
        if "file" in row:
            costs["/".join(Path(row["file"]).parts[:2])] += row["cpu_s"]
    print(f"\nstage {stage}: {sum(costs.values()):.0f} s of processor time")
    for folder, spent_s in costs.most_common():
        print(f"{spent_s:8.0f} s  {folder}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
