"""The table of steps against the picture in the docs, and its own sense."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from qwicket.model.states import FINAL, INITIAL, STEPS, JobState, allows, mermaid
from support.for_each import for_each

DOCS = Path(__file__).parents[3] / "docs" / "states.md"


def test_the_documented_diagram_is_the_table() -> None:
    text = DOCS.read_text()
    assert f"```mermaid\n{mermaid()}```" in text, (
        "docs/states.md is stale; write into it what `python -c "
        "'from qwicket.model.states import mermaid; print(mermaid())'` prints"
    )


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_follows_a_final_state(state: JobState) -> None:
    assert state.is_final
    assert not any(allows(state, after) for after in JobState)


@for_each("state", [s for s in JobState if s not in FINAL])
def test_every_other_state_can_reach_an_end(state: JobState) -> None:
    reached, frontier = {state}, [state]
    while frontier:
        here = frontier.pop()
        news = {after for after in JobState if allows(here, after)} - reached
        reached |= news
        frontier += news
    assert reached & FINAL


def test_every_state_can_be_reached_from_an_initial_one() -> None:
    reached = set(INITIAL)
    for _ in JobState:
        reached |= {after for before, after in product(reached, JobState) if allows(before, after)}
    assert reached == set(JobState)


def test_verbs_are_unique() -> None:
    verbs = [step.verb for step in STEPS]
    assert len(set(verbs)) == len(verbs)


def test_a_job_runs_only_after_it_was_queued_or_doubted() -> None:
    before_running = {s for s in JobState if allows(s, JobState.RUNNING)}
    assert before_running == {JobState.QUEUED, JobState.UNCERTAIN}
