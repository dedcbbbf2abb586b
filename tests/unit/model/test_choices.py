from __future__ import annotations

from qwicket.model.choices import Candidate, Weights, scored

FIRST = Candidate(device="first", starts_in_s=0.0, fidelity=0.9, cost=1.0)
SECOND = Candidate(device="second", starts_in_s=60.0, fidelity=0.45, cost=3.0)
"""Each of its terms is one half: 0.45/0.9, 60/(60 + 60), (1 + 1)/(1 + 3)."""


def scores(*found: Candidate, **weights: float) -> dict[str, float | None]:
    return {each.device: each.score for each in scored([*found], Weights(**weights))}


def test_a_score_is_the_weighted_mean_of_three_terms() -> None:
    assert scores(SECOND, FIRST) == {"first": 1.0, "second": 0.5}
    late = Candidate(device="late", starts_in_s=60.0, fidelity=0.9, cost=1.0)
    assert scores(FIRST, late, start=2.0)["late"] == 0.75
    assert scores(FIRST, late, start=0.0)["late"] == 1.0
    dear = Candidate(device="dear", starts_in_s=0.0, fidelity=0.9, cost=3.0)
    assert scores(FIRST, dear, cost=3.0)["dear"] == 0.7
    poor = Candidate(device="poor", starts_in_s=0.0, fidelity=0.45, cost=1.0)
    assert scores(FIRST, poor, fidelity=0.5)["poor"] == 0.9


def test_figures_that_are_unknown_count_nothing_and_no_cost_is_none() -> None:
    unknown = Candidate(device="unknown")
    assert scores(unknown) == {"unknown": 0.3333}
    free = Candidate(device="free", starts_in_s=0.0, fidelity=0.9)
    assert scores(FIRST, free, fidelity=0.0, start=0.0) == {"free": 1.0, "first": 0.5}


def test_the_best_comes_first_and_ties_are_broken_by_name() -> None:
    twins = [Candidate(device=name, starts_in_s=0.0) for name in ("b", "a", "c")]
    assert list(scores(SECOND, *twins, fidelity=0.0)) == ["a", "b", "c", "second"]
