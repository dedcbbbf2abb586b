"""The cost of the test bed: its start, a reset, the journal, and memory, each with its bar.

`python -m benchmarks.bed` prints a table. Times are the minimum and the median of several runs. CPU
seconds are those of all processes together; they depend less on other work of the machine.
With `--install` it measures the time to a first passing test instead: `pip install` of a wheel of
this checkout into an empty environment, without and with pip's cache, and the test.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from benchmarks import live
from benchmarks.figures import VERDICTS, markdown
from qwicket import testing
from qwicket.testing import Cloud

RUNS: Final = 9
JOBS: Final = 1_000
POLLS: Final = 1_000
START_BAR_S: Final = 0.5
RESET_BAR_S: Final = 0.02
JOURNAL_BAR: Final = 0.1
INSTALL_BAR_S: Final = 30.0
MEMORY_BAR: Final = 80 << 20
_BELL: Final = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


_FIRST_TEST: Final = """
def test_first(qwicket_server):
    with qwicket_server.client() as client:
        program = "OPENQASM 2.0; include 'qelib1.inc'; qreg q[1]; creg c[1]; measure q -> c;"
        job = client.submit(program, "simulator", shots=100)
        assert sum(job.result(timeout=60).counts.values()) == 100
"""


class Row(NamedTuple):
    """A figure; `is_within` is None for one without a bar."""

    name: str
    measured: str
    cpu: str = ""
    bar: str = ""
    is_within: bool | None = None


def measure(runs: int = RUNS) -> Iterator[Row]:
    """Yield the figures; each is a minimum and a median."""
    starts, start_cpus, firsts, first_cpus = [], [], [], []
    for _ in range(runs):
        server = testing.server()
        began, own = time.perf_counter(), time.process_time()
        cloud = server.start()
        starts.append(time.perf_counter() - began)
        start_cpus.append(time.process_time() - own + sum(live.cpu(server.pid)))
        _run(cloud)
        firsts.append(time.perf_counter() - began)
        first_cpus.append(time.process_time() - own + sum(live.cpu(server.pid)))
        server.stop()
    yield _seconds("start of a test bed", starts, start_cpus, START_BAR_S)
    yield _seconds("start until the first result", firsts, first_cpus)
    server = testing.server()
    with server as cloud:
        pid = server.pid
        yield _bytes("memory of all processes before the first job", live.memory(pid).all)
        _run(cloud)
        yield _bytes("memory of all processes after it", live.memory(pid).all)
        resets, reset_cpus = zip(*_resets(cloud, pid, runs), strict=True)
        # The kernel counts hundredths of a second, so only the mean is meaningful.
        mean = statistics.mean(reset_cpus)
        yield _seconds(f"reset with {JOBS:,} jobs", resets, [mean], RESET_BAR_S)
        yield _journal(cloud)


def _run(cloud: Cloud) -> None:
    with cloud.client() as client:
        client.submit(_BELL, "simulator", shots=100).result(timeout=60)


def _resets(cloud: Cloud, pid: int, runs: int) -> Iterator[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.toml"
        file.write_text(f'[[jobs]]\ndevice = "simulator"\nnumber = {JOBS}\n')
        for _ in range(runs):
            cloud.load(file)
            cpu, began = sum(live.cpu(pid)), time.perf_counter()
            cloud.reset()
            yield time.perf_counter() - began, sum(live.cpu(pid)) - cpu


def _journal(cloud: Cloud) -> Row:
    """Compare polls that the journal records with polls of the test bed itself, which it omits."""
    with cloud.client() as client:
        job = client.submit(_BELL, "simulator", shots=100)
        job.result(timeout=60)
    path, headers = f"/v1/jobs/{job.id}", {"Authorization": f"Bearer {cloud.token}"}
    unseen = {**headers, "X-Qwicket-Testing": cloud._secret}
    with httpx.Client(base_url=cloud.url) as http:
        with_journal: list[float] = []
        without: list[float] = []
        for _ in range(POLLS):  # in turns, so that a busy machine disturbs both alike
            for sent, found in ((headers, with_journal), (unseen, without)):
                began = time.perf_counter()
                assert http.get(path, headers=sent).is_success
                found.append(time.perf_counter() - began)
    share = statistics.median(with_journal) / statistics.median(without) - 1
    least = min(with_journal) / min(without) - 1
    return Row(
        "journal's share of a poll", f"{least:.1%} / {share:.1%}", "", f"{JOURNAL_BAR:.0%}",
        share <= JOURNAL_BAR,
    )  # fmt: skip


def _seconds(
    name: str, values: Sequence[float], cpus: Sequence[float], bar_s: float | None = None
) -> Row:
    middle = statistics.median(values)
    is_within = None if bar_s is None else middle <= bar_s
    bar = "" if bar_s is None else _either(bar_s)
    return Row(name, _both(values), _both(cpus), bar, is_within)


def _both(values: Sequence[float]) -> str:
    if len(values) == 1:
        return _either(values[0])
    return f"{_either(min(values))} / {_either(statistics.median(values))}"


def _either(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{1000 * seconds:.0f} ms"


def _bytes(name: str, size: int) -> Row:
    bar = f"{MEMORY_BAR >> 20} MB"
    return Row(name, f"{size >> 20} MB", "", bar, size <= MEMORY_BAR)


def install(runs: int = 3) -> Iterator[Row]:
    """Yield the times from a bare Python to a first passing test."""
    with tempfile.TemporaryDirectory() as found:
        folder = Path(found)
        pip = [sys.executable, "-m", "pip"]
        subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", folder, "."], check=True)
        (wheel,) = folder.glob("*.whl")
        (folder / "test_first.py").write_text(_FIRST_TEST)
        for name, option in (("", "--no-cache-dir"), (", downloads cached", "--no-color")):
            steps = [list(_install(folder, wheel, option)) for _ in range(runs)]
            names = ("an empty environment", f"pip install{name}", "the first test")
            for label, column in zip(names, zip(*steps, strict=True), strict=True):
                yield _seconds(label, [wall for wall, _ in column], [cpu for _, cpu in column])
            walls = [sum(wall for wall, _ in each) for each in steps]
            cpus = [sum(cpu for _, cpu in each) for each in steps]
            yield _seconds(f"all three{name}", walls, cpus, INSTALL_BAR_S)


def _install(folder: Path, wheel: Path, option: str) -> Iterator[tuple[float, float]]:
    python = folder / "env" / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install", "-q", option]
    yield _timed([sys.executable, "-m", "venv", "--clear", folder / "env"], folder)
    yield _timed([*install, f"{wheel}[testing]"], folder)
    yield _timed([python, "-m", "pytest", "-q", "test_first.py"], folder)


def _timed(command: Sequence[str | Path], folder: Path) -> tuple[float, float]:
    """Run a command; return its seconds, and those of CPU of it and its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    before = os.getloadavg()[0]
    figures = list(install() if sys.argv[1:] == ["--install"] else measure())
    rows = [(*each[:-1], VERDICTS[each.is_within]) for each in figures]
    head = ("what", "minimum / median", "CPU", "bar", "")
    sys.stdout.write(markdown(head, rows) + "\n")
    load = f"load of the machine {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    sys.stdout.write(f"{os.cpu_count()} cores, {load}\n")


if __name__ == "__main__":
    main()
