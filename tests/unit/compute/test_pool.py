"""The pool's promises, each with real processes."""

from __future__ import annotations

import gc
import operator
import os
import pickle
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from qwicket.compute import (
    ForkServer,
    InvalidResponse,
    MemoryLimitExceeded,
    NotStarted,
    Pool,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkError,
    worker,
)
from qwicket.compute.worker_spawner import WorkerSpawner
from support import pool_tasks
from support.pools import (
    WORKER_PATH,
    announced,
    children,
    eventually,
    failure,
    holdings,
    is_gone,
    parent_of,
    result,
)
from support.processes import processor_ns
from support.waiting import until

MIB = 1 << 20
LIMIT_S = 30.0
SPINS_NS = 5_000_000
"""Processor time that work takes only in its endless call."""

OpenPool = Callable[..., Pool]


class Options(TypedDict, total=False):
    fork_server: ForkServer
    memory_bytes: int
    response_bytes: int


@pytest.fixture
def open_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPool]:
    """Make pools that close with the test."""
    monkeypatch.setenv("PYTHONPATH", WORKER_PATH)
    pools: list[Pool] = []

    def open_pool(slots: int = 1, **options: Unpack[Options]) -> Pool:
        pools.append(Pool(slots, **options))
        pools[-1].start()
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


@pytest.fixture
def pool(open_pool: OpenPool) -> Pool:
    return open_pool()


@pytest.mark.parametrize("begin", [Pool.start, lambda pool: call(pool, "os:getpid")])
def test_processes_start_with_the_pool_or_its_first_task(begin: Callable[[Pool], object]) -> None:
    threads = threading.active_count()
    with closing(Pool(2)) as pool:
        assert pool.pids() == []
        assert threading.active_count() == threads
        begin(pool)
        eventually(lambda: len(pool.pids()) == 2)
        pool.start()  # which has no effect now
    assert threading.active_count() == threads


def test_a_pool_that_never_started_can_be_closed() -> None:
    pool = Pool(1)
    pool.close()
    pool.start()
    assert pool.pids() == []
    with pytest.raises(Stopped):
        pool.submit(pool_tasks.pid, timeout_s=LIMIT_S)


def call(pool: Pool, function: Callable[..., object] | str, *arguments: object) -> object:
    return result(pool.submit(function, *arguments, timeout_s=LIMIT_S))


def fault(pool: Pool, function: Callable[..., object] | str, *arguments: object) -> BaseException:
    return failure(pool.submit(function, *arguments, timeout_s=LIMIT_S))


# Running work


def test_function_runs_in_another_process_and_its_result_comes_back(pool: Pool) -> None:
    assert call(pool, operator.add, 20, 22) == 42
    assert call(pool, pool_tasks.pid) in set(pool.pids()) - {os.getpid()}


def test_function_may_be_named_and_is_imported_by_the_worker_alone(
    open_pool: OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_in_worker.py").write_text("def double(x): return 2 * x")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert call(open_pool(), "only_in_worker:double", 21) == 42
    assert "only_in_worker" not in sys.modules


def test_slots_work_at_the_same_time(open_pool: OpenPool, tmp_path: Path) -> None:
    pool = open_pool(2)
    tasks = [pool.submit(pool_tasks.spin, str(tmp_path / name), timeout_s=LIMIT_S) for name in "ab"]
    assert announced(tmp_path / "a") != announced(tmp_path / "b")
    assert not any(task.future.done() for task in tasks)


def test_waiting_tasks_run_in_the_order_they_came(pool: Pool, tmp_path: Path) -> None:
    ended: list[int] = []
    tasks = [pool.submit(operator.neg, k, timeout_s=LIMIT_S) for k in range(50)]
    for task in tasks:
        task.future.add_done_callback(lambda future: ended.append(-future.result()))
    assert [result(task) for task in tasks] == [-k for k in range(50)]
    eventually(lambda: len(ended) == 50)
    assert ended == list(range(50))


def test_large_arguments_and_results_arrive_whole(pool: Pool) -> None:
    assert call(pool, len, b"x" * (50 * MIB)) == 50 * MIB
    assert call(pool, pool_tasks.blob, 50 * MIB) == b"q" * (50 * MIB)


@pytest.mark.parametrize("size", [0, (1 << 16) - 64, 1 << 16, (1 << 16) + 64])
def test_messages_of_every_size_class_arrive_whole(pool: Pool, size: int) -> None:
    assert call(pool, pool_tasks.echo, b"z" * size) == b"z" * size


def test_warm_up_is_called_once_for_all_workers(open_pool: OpenPool) -> None:
    shared = ForkServer("support.pool_tasks:warm_up")
    pools = [open_pool(2, fork_server=shared), open_pool(fork_server=shared)]
    found = [call(pool, pool_tasks.warmed) for pool in pools]
    pools[1].close()
    assert isinstance(fault(pools[0], pool_tasks.vanish, 3), WorkerDied)
    found += [call(pools[0], pool_tasks.warmed)]
    (once,) = {tuple(each) for each in found if isinstance(each, list)}
    assert len(once) == 1
    assert once[0] not in pools[0].pids()


def test_pool_keeps_no_result_and_no_arguments(pool: Pool) -> None:
    gc.disable()
    try:
        kind = pool_tasks.Referable
        task = pool.submit(pool_tasks.make_thing, timeout_s=LIMIT_S, returns=kind)
        thing = result(task)
        returned = weakref.ref(thing)
        del task, thing
        eventually(lambda: returned() is None)
        argument = pool_tasks.Thing()
        passed = weakref.ref(argument)
        failing = pool.submit(pool_tasks.fail_with, argument, timeout_s=LIMIT_S)
        assert isinstance(failure(failing), WorkError)
        del argument
        eventually(lambda: passed() is None)
    finally:
        gc.enable()


# Errors of the function


def test_exception_fails_its_task_with_type_and_message(pool: Pool) -> None:
    error = fault(pool, pool_tasks.fail, "too many qubits")
    assert isinstance(error, WorkError)
    assert (error.type_name, error.message) == ("ValueError", "too many qubits")


def test_traceback_is_kept_for_the_log_and_not_in_the_text(pool: Pool) -> None:
    error = fault(pool, pool_tasks.fail, "too many qubits")
    assert isinstance(error, WorkError)
    assert str(error) == "ValueError: too many qubits"
    assert "pool_tasks.py" not in f"{error!s} {error!r} {error.args}"
    assert "in fail" in error.trace
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)


def test_long_message_is_cut(pool: Pool) -> None:
    assert len(str(fault(pool, pool_tasks.fail, "m" * MIB))) < 3_000


@pytest.mark.parametrize(
    ("function", "arguments", "type_name"),
    [
        (pool_tasks.fail, ("x",), "ValueError"),
        (pool_tasks.fail_without_pickle, (), "NoPickle"),
        (pool_tasks.fail_without_words, (), "Wordless"),
        (pool_tasks.no_plain_value, (), "TypeError"),
        (pool_tasks.leave, (1,), "SystemExit"),
        ("no_such_module:run", (), "ModuleNotFoundError"),
        ("support.pool_tasks:no_such_function", (), "AttributeError"),
        (pool_tasks.echo, (), "TypeError"),
    ],
)
def test_worker_outlives_a_failed_task(
    pool: Pool,
    function: Callable[..., object] | str,
    arguments: tuple[object, ...],
    type_name: str,
) -> None:
    before = call(pool, pool_tasks.pid)
    error = fault(pool, function, *arguments)
    assert isinstance(error, WorkError)
    assert error.type_name == type_name
    assert call(pool, pool_tasks.pid) == before


def test_worker_outlives_arguments_that_cannot_be_pickled(pool: Pool) -> None:
    before = call(pool, pool_tasks.pid)
    assert isinstance(fault(pool, pool_tasks.echo, threading.Lock()), WorkError)
    assert isinstance(fault(pool, lambda: 1), WorkError)
    assert call(pool, pool_tasks.pid) == before


def test_arguments_that_cannot_be_unpickled_fail_their_task(pool: Pool) -> None:
    before = call(pool, pool_tasks.pid)
    error = fault(pool, pool_tasks.echo, pool_tasks.Poison())
    assert isinstance(error, WorkError)
    assert error.type_name == "ValueError"
    assert call(pool, pool_tasks.pid) == before


# What work sends that has taken its process over


class Boom:
    """A pickle that leaves a file where it is read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (self.path,))


def framed(body: bytes) -> bytes:
    return struct.pack("!Q", len(body)) + body


HOSTILE = {
    "garbage": framed(b"garbage"),
    "nothing": framed(b""),
    "a kind without a value": framed(b"v"),
    "no msgpack": framed(b"v\xc1"),
    "a string that ends early": framed(b"v\xdb\xff\xff\xff\xff"),
    "an array of 2^32 - 1": framed(b"v\xdd\xff\xff\xff\xff"),
    "lists in lists": framed(b"v" + b"\x91" * 1_000_000 + b"\x01"),
    "an error of another shape": framed(b"e\x01"),
    "too long": struct.pack("!Q", 1 << 62),
    "a little too long": struct.pack("!Q", MIB + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_of_a_worker_count_as_its_death(open_pool: OpenPool, name: str) -> None:
    pool = open_pool(response_bytes=MIB)
    before = result(pool.submit(pool_tasks.pid, timeout_s=LIMIT_S))
    error = fault(pool, pool_tasks.send_raw, HOSTILE[name])
    assert isinstance(error, InvalidResponse)
    assert isinstance(error, WorkerDied)
    assert is_gone(before)
    assert pool.deaths == 1
    assert call(pool, operator.neg, 1) == -1


@pytest.mark.parametrize("mark", [b"", b"v", b"e"])
def test_a_pickle_of_a_worker_is_never_loaded(pool: Pool, tmp_path: Path, mark: bytes) -> None:
    sign = tmp_path / "loaded"
    hostile = framed(mark + pickle.dumps(Boom(str(sign))))
    assert isinstance(fault(pool, pool_tasks.send_raw, hostile), InvalidResponse)
    assert not sign.exists()


@pytest.mark.parametrize("data", [b"\0\0\0", struct.pack("!Q", 100) + b"v" * 50])
def test_half_a_message_and_silence_is_a_death_at_the_time_limit(pool: Pool, data: bytes) -> None:
    error = failure(pool.submit(pool_tasks.send_raw, data, timeout_s=0.5))
    assert isinstance(error, InvalidResponse)
    assert call(pool, operator.neg, 1) == -1


@pytest.mark.parametrize("data", [b"\0\0\0", struct.pack("!Q", 100) + b"v" * 50])
def test_half_a_message_and_an_end_is_a_death(pool: Pool, data: bytes) -> None:
    assert isinstance(fault(pool, pool_tasks.send_raw_and_end, data), WorkerDied)
    assert call(pool, operator.neg, 1) == -1


def test_an_answer_is_what_was_asked_for_or_a_death(pool: Pool) -> None:
    task = pool.submit("support.pool_tasks:pid", timeout_s=LIMIT_S, returns=list[str])
    assert isinstance(failure(task), InvalidResponse)


# What a worker may do


def test_a_worker_knows_nothing_of_the_servers_environment(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWICKET_DATABASE_URL", "postgresql://user:password@db/qwicket")
    monkeypatch.setenv("QWICKET_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HOMEBREW_GITHUB_API_TOKEN", "secret")
    monkeypatch.setenv("PYTHON_KEYRING_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    found = call(open_pool(), pool_tasks.environment)
    assert isinstance(found, dict)
    allowed = {"PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH"}
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "QULACS_NUM_THREADS"}
    others = {name for name in found if not re.fullmatch("LC_[A-Z]+|PYTHON[A-Z0-9]+", name)}
    assert others - allowed == threads
    assert {"PATH", "PYTHONHASHSEED"} <= set(found)


def test_a_worker_can_gain_no_rights_and_fill_no_disk(pool: Pool, tmp_path: Path) -> None:
    found = call(pool, pool_tasks.status)
    assert isinstance(found, dict)
    assert found["NoNewPrivs"] == "1"
    error = fault(pool, pool_tasks.write_file, str(tmp_path / "file"), MIB)
    assert isinstance(error, WorkError)
    assert (error.type_name, "too large" in error.message) == ("OSError", True)
    assert (tmp_path / "file").stat().st_size == 4096, "a word to try a folder, and no more"


def test_a_module_that_a_worker_imports_late_stays_importable(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python 3.11 keeps the bytecode that it could write of a module, however little that is."""
    lines = [f"def value_{n}() -> int:\n    return {n}\n" for n in range(500)]
    (tmp_path / "late_module.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", f"{WORKER_PATH}{os.pathsep}{tmp_path}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    for _ in range(2):
        assert call(open_pool(), "late_module:value_7") == 7


def test_a_worker_opens_a_few_files_alone(pool: Pool) -> None:
    assert call(pool, pool_tasks.open_many, 30) == 30
    assert isinstance(fault(pool, pool_tasks.open_many, 100), WorkError)
    assert call(pool, pool_tasks.open_many, 30) == 30


def test_work_has_cpu_time_for_its_limit_each_time(pool: Pool) -> None:
    call(pool, pool_tasks.spend, 1.2, 0)
    found = result(pool.submit(pool_tasks.status, timeout_s=7.0))
    assert int(found["cpu_s"]) in {13, 14}, "what was used before, 7 s and a margin of 5"


def test_what_work_has_started_ends_with_its_process(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.fork_and_hold, str(tmp_path / "spin"), 5, timeout_s=2.0)
    pids = [announced(tmp_path / f"spin.{child}") for child in range(5)]
    pids.append(announced(tmp_path / "spin"))
    assert isinstance(failure(task), TimeLimitExceeded)
    eventually(lambda: all(is_gone(pid) for pid in pids))


def test_what_work_has_started_ends_when_its_process_died_of_itself(
    pool: Pool, tmp_path: Path
) -> None:
    task = pool.submit(pool_tasks.fork_and_hold, str(tmp_path / "spin"), 2, timeout_s=LIMIT_S)
    children = [announced(tmp_path / f"spin.{child}") for child in range(2)]
    os.kill(announced(tmp_path / "spin"), signal.SIGSEGV)
    assert isinstance(failure(task), WorkerDied)
    eventually(lambda: all(is_gone(pid) for pid in children))


def test_work_that_sleeps_is_killed_at_its_limit(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.sleep, str(tmp_path / "sleep"), timeout_s=0.3)
    assert isinstance(failure(task), TimeLimitExceeded)
    assert is_gone(announced(tmp_path / "sleep"))


# Workers that end


@pytest.mark.parametrize(
    ("function", "argument", "exitcode"),
    [
        (pool_tasks.vanish, 3, 3),
        (pool_tasks.vanish, 0, 0),
        (pool_tasks.signal_self, signal.SIGKILL, -signal.SIGKILL),
        (pool_tasks.signal_self, signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_worker_that_ends_fails_its_task_with_its_exit_code(
    pool: Pool, function: Callable[..., object], argument: int, exitcode: int
) -> None:
    error = fault(pool, function, argument)
    assert isinstance(error, WorkerDied)
    assert error.exitcode == exitcode
    assert call(pool, operator.neg, 1) == -1


def test_crash_in_c_fails_its_task_alone(pool: Pool) -> None:
    error = fault(pool, pool_tasks.crash)
    assert isinstance(error, WorkerDied)
    assert error.exitcode == -signal.SIGSEGV
    assert call(pool, operator.neg, 1) == -1


def test_deaths_at_work_are_counted_and_cancelled_work_is_none(pool: Pool, tmp_path: Path) -> None:
    assert isinstance(fault(pool, pool_tasks.vanish, 3), WorkerDied)
    assert pool.deaths == 1
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    announced(tmp_path / "spin")
    assert pool.busy == 1
    task.cancel()
    assert isinstance(failure(task), Stopped)
    assert call(pool, operator.neg, 1) == -1
    assert pool.deaths == 1


def test_worker_killed_from_outside_fails_its_task(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    os.kill(announced(tmp_path / "spin"), signal.SIGKILL)
    error = failure(task)
    assert isinstance(error, WorkerDied)
    assert error.exitcode == -signal.SIGKILL


def test_worker_that_died_while_idle_is_replaced_before_the_next_task(pool: Pool) -> None:
    idle = call(pool, pool_tasks.pid)
    assert isinstance(idle, int)
    os.kill(idle, signal.SIGKILL)
    eventually(lambda: is_gone(idle))
    assert call(pool, pool_tasks.pid) != idle


def test_worker_that_is_dying_when_the_task_is_sent_does_not_fail_it(pool: Pool) -> None:
    for _ in range(20):
        idle = call(pool, pool_tasks.pid)
        assert isinstance(idle, int)
        os.kill(idle, signal.SIGKILL)
        assert call(pool, pool_tasks.pid) != idle


def test_task_too_large_to_send_at_once_survives_the_death_of_an_idle_worker(pool: Pool) -> None:
    idle = call(pool, pool_tasks.pid)
    assert isinstance(idle, int)
    os.kill(idle, signal.SIGSTOP)
    task = pool.submit(len, b"x" * (4 * MIB), timeout_s=LIMIT_S)
    os.kill(idle, signal.SIGKILL)
    assert result(task) == 4 * MIB


def test_all_idle_workers_and_their_fork_server_may_die_at_once(open_pool: OpenPool) -> None:
    pool = open_pool(2)
    eventually(lambda: len(pool.pids()) == 2)
    before = {parent_of(pid) for pid in pool.pids()}
    for pid in (*before, *pool.pids()):
        os.kill(pid, signal.SIGKILL)
    assert [call(pool, operator.neg, k) for k in range(5)] == [0, -1, -2, -3, -4]
    assert {parent_of(pid) for pid in pool.pids()}.isdisjoint(before)


def test_work_of_a_killed_fork_server_fails_and_its_pool_recovers(
    pool: Pool, tmp_path: Path
) -> None:
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    os.kill(parent_of(announced(tmp_path / "spin")), signal.SIGKILL)
    assert isinstance(failure(task), WorkerDied)
    assert call(pool, operator.neg, 1) == -1


@pytest.mark.parametrize("is_fork_server_first", [False, True])
def test_sigterm_for_every_process_is_seen_in_the_workers_status(
    open_pool: OpenPool, tmp_path: Path, is_fork_server_first: bool
) -> None:
    """As batch systems send it; a job is not blamed for -15 (drivers/simulated.py)."""
    pool = open_pool(2)
    paths = [str(tmp_path / name) for name in "ab"]
    tasks = [pool.submit(pool_tasks.spin, path, timeout_s=LIMIT_S) for path in paths]
    workers = [announced(Path(path)) for path in paths]
    fork_server = parent_of(workers[0])
    everyone = [fork_server, *workers] if is_fork_server_first else [*workers, fork_server]
    for pid in everyone:
        os.kill(pid, signal.SIGTERM)
    for task in tasks:
        error = failure(task)
        assert isinstance(error, WorkerDied)
        assert error.exitcode == -signal.SIGTERM
    assert not is_gone(fork_server)


def test_a_death_is_seen_although_the_owner_ignores_those_of_its_children(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        pool = open_pool(2)
        neighbour = pool.submit(
            pool_tasks.hold, str(tmp_path / "hold"), str(tmp_path / "end"), timeout_s=LIMIT_S
        )
        announced(tmp_path / "hold")
        error = fault(pool, pool_tasks.vanish, 3)
        assert isinstance(error, WorkerDied)
        assert error.exitcode == 3
        (tmp_path / "end").touch()
        assert isinstance(result(neighbour), int)
        pool.close()
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("socket.socketpair", OSError(24, "Too many open files")),
        ("qwicket.compute.error_output.ErrorLog.follow", RuntimeError("can't start new thread")),
    ],
)
def test_without_descriptors_or_threads_tasks_fail_and_the_pool_recovers(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, function: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    assert call(pool, operator.neg, 1) == -1
    before = holdings()
    with monkeypatch.context() as broken:
        broken.setattr(function, fail)
        assert isinstance(fault(pool, pool_tasks.vanish, 3), WorkerDied)
        assert isinstance(fault(pool, operator.neg, 2), NotStarted)
    assert call(pool, operator.neg, 3) == -3
    assert kinds(holdings()) <= kinds(before), "another worker, with as many files and threads"


def kinds(held: set[str]) -> Counter[str]:
    """Return how many files, threads and children are held."""
    return Counter(each.split()[0] for each in held)


def test_a_fork_server_killed_by_close_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A thread may ask for a worker between the kill and the end of `close`."""
    fork_server = ForkServer()
    fork_server.open()
    process = fork_server._start_if_needed()
    fork_server._closing.set()
    process.kill()
    until(lambda: not process.is_alive, "it has ended")
    with pytest.raises(Stopped):
        fork_server._start_if_needed()
    fork_server.close()
    assert not caplog.records


def test_a_fork_server_without_a_thread_is_not_started_and_starts_one_process_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before, n_children = holdings(), len(children())
    fork_server = ForkServer()
    fork_server.open()
    with monkeypatch.context() as broken:
        broken.setattr("threading.Thread.start", fail)
        with pytest.raises(NotStarted):
            WorkerSpawner(fork_server, None, is_background=False).start(tries=1)
    with closing(Pool(1, fork_server=fork_server)) as pool:
        assert call(pool, operator.neg, 1) == -1
        assert len(children()) == n_children + 1
    fork_server.close()
    assert holdings() <= before


def test_a_worker_that_cannot_begin_blames_no_work(open_pool: OpenPool) -> None:
    pool = open_pool(fork_server=ForkServer("support.pool_tasks:warm_without_threads"))
    error = fault(pool, operator.neg, 1)
    assert isinstance(error, NotStarted)
    assert "no new worker could begin" in str(error)


def test_a_pool_that_closes_leaves_another_with_its_fork_server(open_pool: OpenPool) -> None:
    shared = ForkServer()
    first, second = open_pool(fork_server=shared), open_pool(fork_server=shared)
    assert call(first, operator.neg, 1) == call(second, operator.neg, 1)
    first.close()
    first.close()
    assert call(second, operator.neg, 2) == -2
    second.close()
    third = Pool(1, fork_server=shared)
    with pytest.raises(Stopped):
        third.submit(operator.neg, 3, timeout_s=LIMIT_S)
    third.close()


def test_work_that_outlives_its_fork_server_ends_at_its_limit(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(
        pool_tasks.spin_in_c_without_kernel_guard, str(tmp_path / "spin"), timeout_s=2.0
    )
    worker = announced(tmp_path / "spin")
    # Before it is in the C call, its second guard would end it.
    spent_ns = processor_ns(worker)
    eventually(lambda: processor_ns(worker) > spent_ns + SPINS_NS)
    os.kill(parent_of(worker), signal.SIGKILL)
    assert isinstance(failure(task), TimeLimitExceeded)
    eventually(lambda: is_gone(worker))
    assert call(pool, operator.neg, 1) == -1


def test_a_stopped_fork_server_holds_nobody_up_for_long(open_pool: OpenPool) -> None:
    pool = open_pool(fork_server=ForkServer(start_limit_s=0.5))
    worker = call(pool, pool_tasks.pid)
    assert isinstance(worker, int)
    os.kill(parent_of(worker), signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    assert call(pool, operator.neg, 1) == -1


def test_a_killed_worker_is_replaced_without_another_warm_up(
    open_pool: OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm_up = tmp_path / "warm"
    warm_up.mkdir()
    monkeypatch.setenv(pool_tasks.WARM_FOLDER, str(warm_up))
    pool = open_pool(fork_server=ForkServer("support.pool_tasks:warm_slowly"))
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    announced(tmp_path / "spin")
    task.cancel()
    assert call(pool, operator.neg, 1) == -1
    assert len(list(warm_up.iterdir())) == 1


def test_lost_worker_is_replaced_before_there_is_work(open_pool: OpenPool) -> None:
    pool = open_pool(2)
    eventually(lambda: len(pool.pids()) == 2)
    assert isinstance(fault(pool, pool_tasks.vanish, 3), WorkerDied)
    eventually(lambda: len(pool.pids()) == 2)


def test_warm_up_that_fails_fails_tasks_instead_of_holding_them(open_pool: OpenPool) -> None:
    pool = open_pool(fork_server=ForkServer("support.pool_tasks:warm_badly"))
    error = fault(pool, operator.neg, 1)
    assert isinstance(error, NotStarted)
    assert "status 1" in str(error)


def test_warm_up_that_hangs_fails_tasks_instead_of_holding_them(open_pool: OpenPool) -> None:
    pool = open_pool(fork_server=ForkServer("support.pool_tasks:warm_for_ever", start_limit_s=0.2))
    error = fault(pool, operator.neg, 1)
    assert isinstance(error, NotStarted)
    assert "not ready after 0.2 s" in str(error)


def test_process_that_cannot_start_fails_tasks_and_the_pool_recovers(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nonexistent/python")
        pool = open_pool()
        assert isinstance(fault(pool, operator.neg, 1), NotStarted)
    assert call(pool, operator.neg, 2) == -2


def test_workers_outlive_the_thread_that_opened_the_pool(open_pool: OpenPool) -> None:
    pools: list[Pool] = []
    opener = threading.Thread(target=lambda: pools.append(open_pool(2)))
    opener.start()
    opener.join()
    (pool,) = pools
    eventually(lambda: len(pool.pids()) == 2)
    before = call(pool, pool_tasks.pid)
    assert before in pool.pids()
    assert {call(pool, pool_tasks.pid) for _ in range(5)} <= set(pool.pids())


# Time and memory


def test_time_limit_kills_the_work_near_its_limit(pool: Pool, tmp_path: Path) -> None:
    call(pool, pool_tasks.pid)
    started_at = time.monotonic()
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=0.4)
    error = failure(task)
    assert time.monotonic() - started_at >= 0.4
    assert isinstance(error, TimeLimitExceeded)
    assert error.limit_s == 0.4
    assert is_gone(announced(tmp_path / "spin"))
    assert call(pool, operator.neg, 1) == -1


def test_time_limit_reaches_code_that_never_returns_from_c(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.spin_in_c, str(tmp_path / "spin"), timeout_s=0.2)
    assert isinstance(failure(task), TimeLimitExceeded)
    assert is_gone(announced(tmp_path / "spin"))


def test_time_limit_holds_while_a_request_is_being_sent(pool: Pool) -> None:
    worker = call(pool, pool_tasks.pid)
    assert isinstance(worker, int)
    os.kill(worker, signal.SIGSTOP)
    assert isinstance(failure(pool.submit(len, b"x" * (4 * MIB), timeout_s=0.2)), TimeLimitExceeded)
    assert is_gone(worker)


def test_time_in_the_queue_does_not_count(pool: Pool) -> None:
    first = pool.submit(pool_tasks.spend, 0.6, 1, timeout_s=LIMIT_S)
    second = pool.submit(operator.neg, 1, timeout_s=0.5)
    assert result(second) == -1
    assert first.future.done()


def test_neighbours_notice_nothing_of_a_kill(open_pool: OpenPool, tmp_path: Path) -> None:
    pool, release = open_pool(2), tmp_path / "release"
    neighbour = pool.submit(
        pool_tasks.hold, str(tmp_path / "hold"), str(release), timeout_s=LIMIT_S
    )
    pid = announced(tmp_path / "hold")
    for _ in range(3):
        hanging = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=0.1)
        assert isinstance(failure(hanging), TimeLimitExceeded)
    assert not neighbour.future.done()
    release.touch()
    assert result(neighbour) == pid


def test_worker_that_leaves_with_status_1_counts_as_out_of_memory(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=256 * MIB)
    error = fault(pool, pool_tasks.vanish, 1)
    assert isinstance(error, MemoryLimitExceeded)
    assert error.limit_bytes == 256 * MIB
    assert call(pool, operator.neg, 1) == -1


def test_memory_limit_is_what_a_task_may_add_to_its_warm_process(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=256 * MIB)
    assert call(pool, pool_tasks.allocate, 200 * MIB) == 200 * MIB
    error = fault(pool, pool_tasks.allocate, 257 * MIB)
    assert isinstance(error, MemoryLimitExceeded)
    assert error.limit_bytes == 256 * MIB


def test_process_that_ran_out_of_memory_is_not_used_again(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=256 * MIB)
    before = call(pool, pool_tasks.pid)
    assert isinstance(fault(pool, pool_tasks.allocate, 1 << 40), MemoryLimitExceeded)
    assert call(pool, pool_tasks.pid) != before


def test_state_that_qulacs_cannot_allocate_is_out_of_memory(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=1024 * MIB)
    assert call(pool, pool_tasks.allocate_state, 20) == 20
    assert isinstance(fault(pool, pool_tasks.allocate_state, 28), MemoryLimitExceeded)


def test_request_larger_than_the_memory_limit_is_out_of_memory(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=32 * MIB)
    assert isinstance(fault(pool, len, b"x" * (64 * MIB)), MemoryLimitExceeded)
    assert call(pool, operator.neg, 1) == -1


def test_result_larger_than_the_memory_limit_is_out_of_memory(open_pool: OpenPool) -> None:
    pool = open_pool(memory_bytes=96 * MIB)
    assert isinstance(fault(pool, pool_tasks.blob, 64 * MIB), MemoryLimitExceeded)
    assert call(pool, operator.neg, 1) == -1


# Cancelling


def test_cancelled_waiting_task_never_runs(pool: Pool, tmp_path: Path) -> None:
    running = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    worker = announced(tmp_path / "spin")
    waiting = pool.submit(pool_tasks.announce, str(tmp_path / "never"), timeout_s=LIMIT_S)
    waiting.cancel()
    assert waiting.future.done()
    assert isinstance(failure(waiting), Stopped)
    assert not is_gone(worker)
    assert not running.future.done()
    running.cancel()
    assert call(pool, operator.neg, 1) == -1
    assert not (tmp_path / "never").is_symlink()


def test_task_cancelled_while_its_dead_worker_is_being_replaced_never_runs(
    open_pool: OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    monkeypatch.setenv(pool_tasks.GATE, str(gate))
    gate.touch()
    pool = open_pool(fork_server=ForkServer("support.pool_tasks:warm_when_let"))
    idle = call(pool, pool_tasks.pid)
    assert isinstance(idle, int)
    gate.unlink()
    os.kill(parent_of(idle), signal.SIGKILL)
    eventually(lambda: is_gone(idle))
    task = pool.submit(pool_tasks.announce, str(tmp_path / "never"), timeout_s=LIMIT_S)
    eventually(lambda: pool.busy == 1 and children() and pool.pids() == [])
    task.cancel()
    gate.touch()
    assert isinstance(failure(task), Stopped)
    assert call(pool, operator.neg, 1) == -1
    assert not (tmp_path / "never").is_symlink()


@pytest.mark.parametrize("function", [pool_tasks.spin, pool_tasks.spin_in_c])
def test_cancelled_running_task_loses_its_process(
    pool: Pool, tmp_path: Path, function: Callable[[str], None]
) -> None:
    task = pool.submit(function, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    worker = announced(tmp_path / "spin")
    task.cancel()
    assert isinstance(failure(task), Stopped)
    assert is_gone(worker)
    assert call(pool, operator.neg, 1) == -1


def test_cancelling_work_that_is_over_changes_nothing(pool: Pool) -> None:
    task = pool.submit(pool_tasks.pid, timeout_s=LIMIT_S)
    worker = result(task)
    task.cancel()
    assert task.future.result() == worker
    assert call(pool, pool_tasks.pid) == worker


def test_task_may_be_cancelled_twice_and_from_its_own_callback(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    task.future.add_done_callback(lambda _: task.cancel())
    announced(tmp_path / "spin")
    task.cancel()
    task.cancel()
    assert isinstance(failure(task), Stopped)


def test_future_cannot_be_cancelled_past_its_task(pool: Pool, tmp_path: Path) -> None:
    task = pool.submit(pool_tasks.spin, str(tmp_path / "spin"), timeout_s=LIMIT_S)
    assert task.future.cancel() is False
    task.cancel()
    assert isinstance(failure(task), Stopped)


# Closing


def test_close_stops_running_and_waiting_work_and_leaves_nothing(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    before = holdings()
    pool = open_pool(2)
    tasks = [
        pool.submit(pool_tasks.spin, str(tmp_path / f"{k}"), timeout_s=LIMIT_S) for k in range(5)
    ]
    eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = pool.pids()
    pool.close()
    assert [type(failure(task)) for task in tasks] == [Stopped] * 5
    assert all(is_gone(pid) for pid in pids)
    assert pool.pids() == []
    assert holdings() <= before


def test_pool_may_close_before_its_workers_are_up(open_pool: OpenPool) -> None:
    before = holdings()
    pool = open_pool(2)
    task = pool.submit(operator.neg, 1, timeout_s=LIMIT_S)
    pool.close()
    pool.close()
    assert isinstance(failure(task), Stopped)
    assert holdings() <= before


def test_closed_pool_takes_no_work(pool: Pool) -> None:
    pool.close()
    with pytest.raises(Stopped):
        pool.submit(operator.neg, 1, timeout_s=LIMIT_S)


# What a worker is


def test_worker_inherits_no_file_or_socket_of_the_server(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, (tmp_path / "jobs.db").open("w") as file:
        os.set_inheritable(server.fileno(), True)
        os.set_inheritable(file.fileno(), True)
        files = call(open_pool(), pool_tasks.open_files)
    assert isinstance(files, dict)
    assert [files[0], files[1]] == ["/dev/null", "/dev/null"]
    rest = sorted(name.split(":")[0] for fd, name in files.items() if fd > 2)
    assert [name for name in rest if not name.startswith("/proc/")] == ["anon_inode", "socket"]


def test_worker_is_set_apart_and_light(pool: Pool) -> None:
    worker = call(pool, pool_tasks.pid)
    assert call(pool, pool_tasks.surroundings) == {
        "threads": ["1", "1"],
        "session": os.getsid(0),
        "group": worker,
        "core": [0, 0],
        "sigterm": True,
        "blocked": [],
        "imported": [],
    }


@pytest.mark.parametrize(
    "warm_up",
    [
        "qwicket.engines:warm_up",
        "qwicket.engines:prepare",
        "qwicket.programs:warm_up",
        "qwicket.programs:preload_qiskit",
    ],
)
def test_a_fork_server_has_one_thread(open_pool: OpenPool, warm_up: str) -> None:
    """A lock that another thread holds would stay locked in each fork."""
    worker = call(open_pool(fork_server=ForkServer(warm_up)), pool_tasks.pid)
    assert isinstance(worker, int)
    assert len(list(Path(f"/proc/{parent_of(worker)}/task").iterdir())) == 1


def test_worker_ends_on_sigterm_though_its_owner_ignores_and_blocks_it(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    ignored = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        pool = open_pool()
        task = pool.submit(pool_tasks.spin_in_c, str(tmp_path / "spin"), timeout_s=LIMIT_S)
        os.kill(announced(tmp_path / "spin"), signal.SIGTERM)
        error = failure(task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGTERM, ignored)
    assert isinstance(error, WorkerDied)
    assert error.exitcode == -signal.SIGTERM


def test_worker_whose_owner_ended_while_it_started_ends_silently() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    arguments = [str(theirs.fileno()), str(os.getpid()), ""]
    done = subprocess.run(
        [sys.executable, "-P", worker.__file__, *arguments],
        pass_fds=(theirs.fileno(),),
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    theirs.close()
    assert (done.returncode, done.stderr) == (0, b"")


# What workers write to standard error


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_lines_of_native_code_are_logged_escaped_and_cut_under_their_worker(
    pool: Pool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    text = b"panicked at \x1b[31m\r\xe2\x80\xae\xff\n\n" + b"x" * 1_000_000 + b"\nno end of line"
    pid = call(pool, pool_tasks.complain, text)
    pool.close()
    said = f"worker {pid} wrote to standard error: "
    assert logged(caplog) == [
        said + r"panicked at \x1b[31m\r\u202e\ufffd",
        said + "x" * 300 + "…",
        said + "no end of line",
    ]
    assert capfd.readouterr().err == ""


def test_last_output_of_a_worker_is_logged_before_its_death(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(fault(pool, pool_tasks.complain_and_abort, b"out of luck"), WorkerDied)
    words, death = logged(caplog)
    assert words.endswith("wrote to standard error: out of luck")
    assert death == "a worker ended during a task with status -6"


def test_a_flood_on_standard_error_is_cut_off_for_all_workers_together(
    open_pool: OpenPool, caplog: pytest.LogCaptureFixture
) -> None:
    pool = open_pool(2)
    flood = b"a line\n" * 100_000
    tasks = [pool.submit(pool_tasks.complain, flood, timeout_s=LIMIT_S) for _ in range(2)]
    assert {result(task) for task in tasks} == set(pool.pids())
    pool.close()
    *lines, last = sorted(logged(caplog), key=lambda line: line.startswith("more"))
    assert len(lines) == 50
    assert last == "more from workers' standard error is dropped for 60 s"
