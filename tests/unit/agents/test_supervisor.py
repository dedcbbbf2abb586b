"""The process of a lab's function, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwicket.agents import function_process
from qwicket.agents.outcomes import Part
from qwicket.agents.supervisor import CannotStart, ProcessDied, Supervisor
from support.lab_machine import entries
from support.lab_programs import program
from support.processes import is_alive
from support.waiting import PROMPT_S, until

MACHINE = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a lab, where its module is found."""
    monkeypatch.chdir(MACHINE)
    monkeypatch.setenv("LAB_LOG", str(tmp_path / "lab.log"))
    return tmp_path


@pytest.fixture
def supervisors(folder: Path) -> Iterator[list[Supervisor]]:
    made: list[Supervisor] = []
    yield made
    for each in made:
        each.kill()


def start(supervisors: list[Supervisor], run: str) -> Supervisor:
    made = Supervisor(f"support.lab_machine:{run}")
    supervisors.append(made)
    made.start()
    return made


def received(supervisor: Supervisor, *kinds: str) -> tuple[Any, ...]:
    return until(
        lambda: next((m for m in [supervisor.receive(0.1)] if m and m[0] in kinds), None),
        str(kinds),
    )


def test_a_program_is_run_and_its_outcomes_come_back_packed(supervisors: list[Supervisor]) -> None:
    supervisor = start(supervisors, "run")
    supervisor.begin(program())
    assert received(supervisor, function_process.PROGRESS) == (
        function_process.PROGRESS,
        0.5,
        "half of it",
    )
    _, (part,), seconds = received(supervisor, function_process.DONE)
    assert isinstance(part, Part)
    assert seconds > 0


def test_the_process_stays_from_job_to_job(supervisors: list[Supervisor], folder: Path) -> None:
    supervisor = start(supervisors, "run")
    for _ in range(3):
        supervisor.start()
        supervisor.begin(program())
        received(supervisor, function_process.DONE)
    assert len({pid for _, _, pid in entries(folder)}) == 1


def test_a_function_that_is_asked_to_stop_says_that_it_has(supervisors: list[Supervisor]) -> None:
    supervisor = start(supervisors, "run")
    supervisor.begin(program(shots=60_000))
    received(supervisor, function_process.PROGRESS)
    supervisor.ask_to_stop()
    assert received(supervisor, function_process.STOPPED) == (function_process.STOPPED,)
    supervisor.begin(program())
    assert received(supervisor, function_process.DONE), "an order to stop is for one job"


def test_an_order_to_stop_right_after_the_program_is_not_lost(
    supervisors: list[Supervisor],
) -> None:
    supervisor = start(supervisors, "run")
    for _ in range(20):
        supervisor.begin(program(shots=60_000))
        supervisor.ask_to_stop()
        assert received(supervisor, function_process.STOPPED) == (function_process.STOPPED,)


def test_a_function_that_raises_fails_the_job_and_lives_on(supervisors: list[Supervisor]) -> None:
    supervisor = start(supervisors, "raises")
    for _ in range(2):
        supervisor.begin(program())
        _, failed, _ = received(supervisor, function_process.FAILED)
        assert failed.code == "device_failed"
        assert "ttyUSB0" not in failed.message


def test_a_death_is_reported_with_its_signal_and_another_process_takes_over(
    supervisors: list[Supervisor],
) -> None:
    supervisor = start(supervisors, "dies")
    supervisor.begin(program())
    with pytest.raises(ProcessDied, match=f"signal {signal.SIGABRT.value}"):
        received(supervisor, function_process.DONE)
    supervisor.start()
    supervisor.begin(program())


def test_a_process_that_died_while_it_was_idle_is_noticed(
    supervisors: list[Supervisor], folder: Path
) -> None:
    supervisor = start(supervisors, "run")
    supervisor.begin(program())
    received(supervisor, function_process.DONE)
    ((_, _, pid), *_) = entries(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "it is gone", timeout_s=PROMPT_S)

    def begin_and_hear() -> None:
        supervisor.begin(program())
        supervisor.receive(5)

    with pytest.raises(ProcessDied):
        begin_and_hear()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("no_such_module_anywhere:run", "no_such_module_anywhere"),
        ("support.lab_machine:nothing", "has no function nothing"),
        ("support.lab_machine", "is not of the form module:function"),
    ],
)
def test_a_missing_function_is_reported(folder: Path, reference: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        Supervisor(reference).start()


def test_a_process_ends_when_its_agent_lets_go(supervisors: list[Supervisor], folder: Path) -> None:
    supervisor = start(supervisors, "run")
    supervisor.begin(program())
    received(supervisor, function_process.DONE)
    ((_, _, pid), *_) = entries(folder)
    supervisor.end()
    assert not is_alive(pid)
