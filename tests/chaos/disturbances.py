"""One function for each kind of disturbance; each returns whether it found something to disturb."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import psycopg

from chaos.plan import Disturbance
from chaos.world import World
from support.processes import parsers_of, workers_of

T = TypeVar("T")

_HOUR_S: Final = 3600.0
_ANSWER_BYTES: Final = 1500


def disturb(world: World, step: Disturbance) -> bool:
    """Do one step of a plan."""
    return _KINDS[step.kind](world, step)


def picked(pick: float, those: Sequence[T]) -> T | None:
    return those[int(pick * len(those))] if those else None


def kill_part(world: World, step: Disturbance) -> bool:
    kind = step.kind.removeprefix("kill_")
    part = picked(step.pick, world.of(kind))
    if kind == "server":
        world.upset()
    return part is not None and part.kill()


def pause_part(world: World, step: Disturbance) -> bool:
    kind = step.kind.removeprefix("pause_")
    part = picked(step.pick, world.of(kind))
    if kind == "server":
        world.upset()
    return part is not None and part.pause(step.lasts_s)


def kill_worker(world: World, step: Disturbance) -> bool:
    return _send(step.pick, _below(world, workers_of), signal.SIGKILL)


def kill_parser(world: World, step: Disturbance) -> bool:
    return _send(step.pick, _below(world, parsers_of), signal.SIGKILL)


def pause_worker(world: World, step: Disturbance) -> bool:
    """Pause a process that runs jobs; its server cannot know, and renews its lease."""
    pid = picked(step.pick, _below(world, workers_of))
    if pid is None:
        return False
    is_done = _signalled(pid, signal.SIGSTOP)

    def resume() -> None:
        _signalled(pid, signal.SIGCONT)
        world.upset()

    _later(step.lasts_s, resume)
    return is_done


def break_connections(world: World, step: Disturbance) -> bool:
    world.proxy.tell("break")
    return True


def cut_answer(world: World, step: Disturbance) -> bool:
    world.proxy.tell(f"cut {int(step.pick * _ANSWER_BYTES)}")
    return True


def cut_off(world: World, step: Disturbance) -> bool:
    world.proxy.tell("down")
    _later(step.lasts_s, lambda: world.proxy.tell("up"))
    return True


def kill_database(world: World, step: Disturbance) -> bool:
    assert world.postgres is not None
    is_up = world.postgres.first_pid is not None
    world.upset()
    world.postgres.kill()
    return is_up


def end_sessions(world: World, step: Disturbance) -> bool:
    """Cut the servers off from their database."""
    world.upset()
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(world.place, autocommit=True) as database,
    ):
        database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'qwicket' and datname = current_database()"
        )
        return True
    return False


def fill_disk(world: World, step: Disturbance) -> bool:
    world.upset()
    world.disk.fill(world.writers())

    def empty() -> None:
        world.disk.empty(world.writers())
        world.upset()

    _later(step.lasts_s, empty)
    return True


def move_clock(world: World, step: Disturbance) -> bool:
    world.move_clock(step.size * _HOUR_S)
    _later(step.lasts_s, lambda: world.move_clock(0))
    return True


def _below(world: World, find: Callable[[int], list[int]]) -> list[int]:
    """Return the processes of a kind below the servers and the worker on another machine."""
    pids = [part.pid for part in (*world.of("server"), *world.of("pilot"))]
    found = []
    for pid in pids:
        if pid is not None:
            with suppress(OSError):  # it ended meanwhile
                found += find(pid)
    return found


def _send(pick: float, pids: list[int], number: signal.Signals) -> bool:
    pid = picked(pick, pids)
    return pid is not None and _signalled(pid, number)


def _signalled(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _later(seconds: float, act: Callable[[], object]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


_KINDS: Final[dict[str, Callable[[World, Disturbance], bool]]] = {
    "kill_server": kill_part,
    "kill_agent": kill_part,
    "kill_pilot": kill_part,
    "kill_worker": kill_worker,
    "kill_parser": kill_parser,
    "kill_database": kill_database,
    "pause_server": pause_part,
    "pause_agent": pause_part,
    "pause_pilot": pause_part,
    "pause_worker": pause_worker,
    "break_connections": break_connections,
    "cut_answer": cut_answer,
    "cut_off": cut_off,
    "end_sessions": end_sessions,
    "fill_disk": fill_disk,
    "move_clock": move_clock,
}
