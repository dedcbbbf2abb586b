"""Two checkouts in turn: what one job costs here, as a ratio of what it costs at another commit.

Both servers run all the time, and are measured one after the other in each round, so that other
work of the machine affects both. Ratios hold for the interpreter of this process, which runs both
with the same libraries; see `benchmarks.figures.python_build`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import qwicket
from benchmarks import load
from benchmarks.bench_databases import DATABASES, BenchDatabase, BenchDatabases, bench_databases
from benchmarks.figures import ms, p50
from benchmarks.live import Live, cpu, server, with_source
from support.processes import cpu_s

ROUNDS: Final = 7
KINDS: Final = (
    ("ionq.circuit.v1", 64, 2_000),
    ("openqasm2", 14, 1_000),
    ("openqasm3", 14, 1_000),
)
"""Languages, with the connections and the jobs of one turn. An account may have sixteen texts in
parser processes at once."""
HEAD: Final = (
    "database",
    "language",
    "connections",
    "figure",
    "base",
    "here",
    "ratio",
    "of rounds",
)
_WARM_UP: Final = 300
_HERE: Final = Path(qwicket.__file__).parents[1]


class Cost(NamedTuple):
    """One turn: seconds and CPU seconds of one job."""

    wall_s: float
    server_s: float
    children_s: float
    database_s: float


_FIGURES: Final[Mapping[str, Callable[[Cost], float]]] = {
    "CPU of the server": lambda cost: cost.server_s,
    "CPU of its processes": lambda cost: cost.children_s,
    "CPU of PostgreSQL": lambda cost: cost.database_s,
    "jobs/s": lambda cost: 1 / cost.wall_s,
}


def measure(base: str, rounds: int = ROUNDS) -> Iterator[tuple[str, ...]]:
    """Yield rows of a table with the columns of `HEAD`.

    Args:
        base: The other commit.
        rounds: Number of rounds; each has a turn of both servers for each language.

    Raises:
        CalledProcessError: There is no such commit, or one of its commands failed.
    """
    with _checkout(base) as source, bench_databases() as made:
        for database in DATABASES:
            with ExitStack() as stack:
                turns = [stack.enter_context(_turns(made, database, at)) for at in (source, _HERE)]
                yield from _compare(database, turns, rounds)


class _Turns(NamedTuple):
    live: Live
    secret: str
    postgres_pid: int | None

    def take(self, language: str, connections: int, jobs: int) -> Cost:
        before = self._cpu()
        found = load.run(self.live.url, self.secret, connections, jobs, language)
        took = [(b - a) / jobs for a, b in zip(before, self._cpu(), strict=True)]
        return Cost(1 / found.jobs_per_s, *took)

    def _cpu(self) -> tuple[float, float, float]:
        return (*cpu(self.live.pid), cpu_s(self.postgres_pid) if self.postgres_pid else 0.0)


@contextmanager
def _turns(made: BenchDatabases, database: str, source: Path) -> Iterator[_Turns]:
    with made.fresh(database) as bench_db:
        secret = _add_account(bench_db, source)
        with server(bench_db, source=source) as live:
            yield _Turns(live, secret, made.pid if database == "PostgreSQL" else None)


def _compare(database: str, turns: Sequence[_Turns], rounds: int) -> Iterator[tuple[str, ...]]:
    for language, connections, _ in KINDS:
        for each in turns:
            each.take(language, connections, _WARM_UP)
    costs: dict[str, list[list[Cost]]] = {language: [[], []] for language, _, _ in KINDS}
    for number in range(rounds):
        for language, connections, jobs in KINDS:
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                costs[language][which].append(turns[which].take(language, connections, jobs))
    for language, connections, _ in KINDS:
        for name, of in _FIGURES.items():
            base, here = ([of(cost) for cost in tree] for tree in costs[language])
            if not p50(base):
                continue  # SQLite has no processes of its own
            ratios = [b / a for a, b in zip(base, here, strict=True)]
            shown = (f"{p50(x):,.0f}" if name == "jobs/s" else ms(p50(x)) for x in (base, here))
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            row = (database, language, str(connections), name, *shown)
            yield (*row, f"**{p50(ratios):.2f}**", spread)


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """Yield the folder of a commit's packages."""
    with tempfile.TemporaryDirectory(prefix="qwicket-base-") as folder:
        archive = ["git", "archive", "--output", f"{folder}/src.tar", commit, "src"]
        subprocess.run(archive, check=True)
        subprocess.run(["tar", "--extract", "--file", "src.tar"], cwd=folder, check=True)
        yield Path(folder) / "src"


def _add_account(bench_db: BenchDatabase, source: Path) -> str:
    """Make an account with a checkout's own commands, as its schema may differ; return a token."""
    for command in (["user", "add", "ada"], ["token", "create", "--user", "ada"]):
        made = subprocess.run(
            [sys.executable, "-m", "qwicket", *command, *bench_db.options],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=with_source(source),
        )
    return made.stdout.strip()
