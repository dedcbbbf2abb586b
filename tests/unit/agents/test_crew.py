"""The process of a lab's function, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwicket.agents import Program, hand
from qwicket.agents.crew import CannotStart, Died, Hand
from qwicket.agents.outcomes import Part
from support.lab_machine import entries
from support.processes import is_alive
from support.waiting import until

MACHINE = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a lab, where its module is found."""
    monkeypatch.chdir(MACHINE)
    monkeypatch.setenv("LAB_LOG", str(tmp_path / "lab.log"))
    return tmp_path


@pytest.fixture
def hands(folder: Path) -> Iterator[list[Hand]]:
    made: list[Hand] = []
    yield made
    for each in made:
        each.kill()


def start(hands: list[Hand], run: str) -> Hand:
    made = Hand(f"support.lab_machine:{run}")
    hands.append(made)
    made.start()
    return made


def program(shots: int = 1) -> Program:
    circuits = msgspec.msgpack.encode([[1, [], [["c", 1]]]])
    return Program(
        job="j",
        device="lab5",
        family="qubit",
        format="openqasm3",
        source="",
        shots=shots,
        seed=1,
        outputs=("counts",),
        packed=circuits,
    )


def heard(crew: Hand, *kinds: str) -> tuple[Any, ...]:
    return until(
        lambda: next((m for m in [crew.hear(0.1)] if m and m[0] in kinds), None), str(kinds)
    )


def test_a_program_is_run_and_its_outcomes_come_back_packed(hands: list[Hand]) -> None:
    crew = start(hands, "run")
    crew.begin(program())
    assert heard(crew, hand.PROGRESS) == (hand.PROGRESS, 0.5, "half of it")
    _, (part,), seconds = heard(crew, hand.DONE)
    assert isinstance(part, Part)
    assert seconds > 0


def test_the_process_stays_from_job_to_job(hands: list[Hand], folder: Path) -> None:
    crew = start(hands, "run")
    for _ in range(3):
        crew.start()
        crew.begin(program())
        heard(crew, hand.DONE)
    assert len({pid for _, _, pid in entries(folder)}) == 1


def test_a_function_that_is_asked_to_stop_says_that_it_has(hands: list[Hand]) -> None:
    crew = start(hands, "run")
    crew.begin(program(shots=60_000))
    heard(crew, hand.PROGRESS)
    crew.ask_to_stop()
    assert heard(crew, hand.STOPPED) == (hand.STOPPED,)
    crew.begin(program())
    assert heard(crew, hand.DONE), "an order to stop is for one job"


def test_a_function_that_raises_fails_the_job_and_lives_on(hands: list[Hand]) -> None:
    crew = start(hands, "raises")
    for _ in range(2):
        crew.begin(program())
        _, failed, _ = heard(crew, hand.FAILED)
        assert failed.code == "device_failed"
        assert "ttyUSB0" not in failed.message


def test_a_death_is_told_with_its_signal_and_another_process_takes_over(hands: list[Hand]) -> None:
    crew = start(hands, "dies")
    crew.begin(program())
    with pytest.raises(Died, match=f"signal {signal.SIGABRT.value}"):
        heard(crew, hand.DONE)
    crew.start()
    crew.begin(program())


def test_a_process_that_died_while_it_was_idle_is_noticed(hands: list[Hand], folder: Path) -> None:
    crew = start(hands, "run")
    crew.begin(program())
    heard(crew, hand.DONE)
    ((_, _, pid), *_) = entries(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "it is gone")

    def begin_and_hear() -> None:
        crew.begin(program())
        crew.hear(5)

    with pytest.raises(Died):
        begin_and_hear()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("no_such_module_anywhere:run", "no_such_module_anywhere"),
        ("support.lab_machine:nothing", "has no function nothing"),
        ("support.lab_machine", "is not of the form module:function"),
    ],
)
def test_a_function_that_is_not_there_is_told(folder: Path, reference: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        Hand(reference).start()


def test_a_process_ends_when_its_agent_lets_go(hands: list[Hand], folder: Path) -> None:
    crew = start(hands, "run")
    crew.begin(program())
    heard(crew, hand.DONE)
    ((_, _, pid), *_) = entries(folder)
    crew.end()
    assert not is_alive(pid)
