"""The loop of an agent, at a server that refuses its requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from qwicket.agents import AgentAPI, Failed, Program
from qwicket.agents.agent import Agent
from qwicket.agents.api import HeldLease, Lease
from qwicket.agents.outcomes import Part
from qwicket.clients.native import ApiError
from support.lab_programs import program

FOLDER = Path(__file__).parents[2]


class Refusing(AgentAPI):
    """Has two jobs, and refuses to renew the lease of the first."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "qw_" + "s" * 43, "lab5")
        self.serving: Agent | None = None
        self.jobs = [(Lease("first", 1, "n"), program(500)), (Lease("second", 2, "n"), program(1))]
        self.ended: list[tuple[str, str]] = []

    def claim(self, wait_s: float) -> tuple[Lease, Program] | None:
        if self.jobs:
            return self.jobs.pop(0)
        assert self.serving is not None
        self.serving.leave()
        return None

    def renew(self, held: HeldLease) -> str:
        if held.lease.job == "first":
            raise ApiError(400, {"code": "bad_request", "detail": "no"})
        return "go on"

    def finish(self, lease: Lease, parts: Sequence[Part | Failed], seconds: float) -> bool:
        (part,) = parts
        assert isinstance(part, Part)
        self.ended.append((lease.job, f"ran {seconds < 0.3}"))
        return True

    def fail(self, lease: Lease, failed: Failed, seconds: float) -> bool:
        self.ended.append((lease.job, failed.code))
        return True

    def leave(self) -> None: ...


def test_a_refused_renewal_fails_its_job_and_not_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("LAB_LOG", str(tmp_path / "lab.log"))
    api = Refusing()
    api.serving = Agent(api, "support.lab_machine:run")
    api.serving.serve()
    assert api.ended == [("first", "outcome_refused"), ("second", "ran True")]
