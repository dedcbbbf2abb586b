"""Random kills of the pool's workers, and a kill of its owner."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from qwicket.compute import Pool, Stopped, Task, WorkerDied
from support import pool_tasks
from support.pools import (
    SOON_S,
    WORKER_PATH,
    announced,
    eventually,
    failure,
    holdings,
    is_gone,
    result,
)

pytestmark = pytest.mark.extended

LIMIT_S = 30.0

OWNER = """
import sys, time
from support import pool_tasks
from support.pools import eventually
from qwicket.compute import Pool

task, *paths = sys.argv[1:]
pool = Pool(len(paths))
for path in paths:
    pool.submit(getattr(pool_tasks, task), path, timeout_s=600)
sys.stdin.readline()
eventually(lambda: len(pool.pids()) == len(paths))
print(*pool.pids(), flush=True)
while True:
    time.sleep(0.1)
"""

NO_KERNEL_HELP = """
import ctypes, os
del os.pidfd_open
class CDLL(ctypes.CDLL):
    def prctl(self, *arguments): return -1
ctypes.CDLL = CDLL
"""


@pytest.fixture(autouse=True)
def _worker_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", WORKER_PATH)


def endure(pool: Pool, n_kills: int, rng: random.Random) -> tuple[list[Task[tuple[int, int]]], int]:
    """Kill random workers under a stream of short tasks; return the tasks and the kills."""
    tasks: list[Task[tuple[int, int]]] = []
    kills = 0
    while kills < n_kills:
        tasks += [
            pool.submit(pool_tasks.spend, 0.001, len(tasks) + k, timeout_s=LIMIT_S)
            for k in range(rng.randrange(8))
        ]
        if tasks:
            tasks[rng.randrange(len(tasks))].future.exception(SOON_S)
        if pids := pool.pids():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(rng.choice(pids), signal.SIGKILL)
                kills += 1
    return tasks, kills


@pytest.mark.parametrize("seed", [1, 2])
def test_each_kill_fails_at_most_the_task_in_hand(seed: int) -> None:
    before = holdings()
    with closing(Pool(2)) as pool:
        pool.start()
        tasks, kills = endure(pool, 50, random.Random(seed))
        errors = {
            k: error for k, task in enumerate(tasks) if (error := task.future.exception(SOON_S))
        }
        assert {type(error) for error in errors.values()} <= {WorkerDied}
        assert {error.args for error in errors.values()} <= {(-signal.SIGKILL,)}
        assert len(errors) <= kills
        assert all(result(task)[0] == k for k, task in enumerate(tasks) if k not in errors)
        assert len(tasks) - len(errors) > 20
        later = [pool.submit(pool_tasks.spend, 0.001, k, timeout_s=LIMIT_S) for k in range(50)]
        assert [result(task)[0] for task in later] == list(range(50))
    assert holdings() <= before


def test_every_worker_killed_at_once_many_times_over() -> None:
    before = holdings()
    with closing(Pool(2)) as pool:
        pool.start()
        for value in range(15):
            for pid in pool.pids():
                os.kill(pid, signal.SIGKILL)
            task = pool.submit(pool_tasks.spend, 0.001, value, timeout_s=LIMIT_S)
            assert result(task)[0] == value
    assert holdings() <= before


def test_cancels_at_random_instants_hit_only_their_task() -> None:
    rng = random.Random(3)
    before = holdings()
    with closing(Pool(2)) as pool:
        tasks = [
            pool.submit(pool_tasks.spend, rng.random() * 0.002, k, timeout_s=LIMIT_S)
            for k in range(600)
        ]
        victims = set(rng.sample(range(600), 60))
        for k in sorted(victims):
            if k >= 3 and rng.random() < 0.9:
                tasks[k - 3].future.exception(SOON_S)  # so that many run when they are cancelled
            tasks[k].cancel()
        for k, task in enumerate(tasks):
            error = task.future.exception(SOON_S)
            assert error is None or (k in victims and isinstance(error, Stopped)), (k, error)
            assert error is not None or result(task)[0] == k
    assert holdings() <= before


def test_time_limits_at_the_very_end_of_the_work_end_each_task_once() -> None:
    with closing(Pool(2)) as pool:
        tasks = [pool.submit(pool_tasks.spend, 0.02, k, timeout_s=0.0205) for k in range(30)]
        for k, task in enumerate(tasks):
            error = task.future.exception(SOON_S)
            assert error is not None or result(task)[0] == k
        last = pool.submit(pool_tasks.spend, 0.0, 1, timeout_s=LIMIT_S)
        assert result(last)[0] == 1


def test_close_amid_a_storm_ends_every_task() -> None:
    before = holdings()
    for seed in range(5):
        pool = Pool(2)
        pool.start()
        tasks, _ = endure(pool, 5, random.Random(seed))
        tasks += [pool.submit(pool_tasks.spend, 0.01, 0, timeout_s=LIMIT_S) for _ in range(50)]
        pool.close()
        assert all(task.future.done() for task in tasks)
        assert isinstance(failure(tasks[-1]), Stopped)
    assert holdings() <= before


@contextmanager
def owner(task: str, *paths: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a process that owns a pool in which every slot does `task`; yield its workers' ids."""
    command = [sys.executable, "-c", OWNER, task, *map(str, paths)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            for path in paths:
                announced(path)
            process.stdin.write("\n")
            process.stdin.flush()
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            process.kill()


@pytest.mark.parametrize("task", ["spin", "spin_in_c", "spin_without_kernel_guard"])
def test_no_worker_outlives_its_killed_owner(task: str, tmp_path: Path) -> None:
    with owner(task, tmp_path / "a", tmp_path / "b") as (process, workers):
        assert len(workers) == 2
        process.kill()
        eventually(lambda: all(is_gone(pid) for pid in workers), within_s=1.0)


def test_without_the_kernels_help_workers_look_for_their_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_KERNEL_HELP)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{WORKER_PATH}")
    with owner("spin", tmp_path / "a") as (process, workers):
        assert len(workers) == 1
        process.kill()
        eventually(lambda: all(is_gone(pid) for pid in workers), within_s=2.0)


def test_owner_that_forgets_to_close_still_ends_and_takes_its_workers_along(
    tmp_path: Path,
) -> None:
    with owner("spin_in_c", tmp_path / "a") as (process, workers):
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON_S) != 0
        eventually(lambda: all(is_gone(pid) for pid in workers), within_s=1.0)


def test_interrupt_from_the_terminal_does_not_reach_workers(tmp_path: Path) -> None:
    with owner("spin", tmp_path / "a") as (process, workers):
        groups = {os.getpgid(pid) for pid in workers}
        assert os.getpgid(process.pid) not in groups
        assert groups == set(workers)
