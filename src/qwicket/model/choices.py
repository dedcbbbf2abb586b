"""The choice of a device by the server: weights, and the figures of each candidate."""

from __future__ import annotations

from typing import Final

import msgspec

BEST: Final = "best"
"""In place of a device: the best one of all."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How much each figure counts in a choice; the request's body bounds them.

    Attributes:
        fidelity: Weight of the expected fidelity.
        start: Weight of the expected start.
        cost: Weight of the cost.
    """

    fidelity: float = 1.0
    start: float = 1.0
    cost: float = 1.0

    @property
    def sum(self) -> float:
        return self.fidelity + self.start + self.cost


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device among which the server has chosen.

    Attributes:
        device: Its name.
        starts_in_s: Expected seconds until the start; None if unknown.
        fidelity: Expected fidelity from 0 to 1; None if unknown.
        cost: Cost in credits; None if it costs nothing.
        score: From 0 to 1; None if the device was refused.
        refusal: Why it was refused; empty if it was not.
    """

    device: str
    starts_in_s: float | None = None
    fidelity: float | None = None
    cost: float | None = None
    score: float | None = None
    refusal: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """How the server chose a device: the candidates, the best first, and the refused ones last."""

    weights: Weights
    candidates: tuple[Candidate, ...]


_START_S: Final = 60.0
_CREDITS: Final = 1.0


def scored(found: list[Candidate], weights: Weights) -> list[Candidate]:
    """Return candidates that can run a job with their scores, the best first, and ties by name.

    A score is the weighted mean of three terms, each 1 for the best candidate:

        fidelity    fidelity / highest fidelity
        start       (60 s + earliest start) / (60 s + start)
        cost        (1 credit + lowest cost) / (1 credit + cost)

    Unknown fidelities and starts count 0. With the two summands, small differences count little.

    Args:
        found: The candidates.
        weights: The weights, of which one is above 0.
    """
    highest = max((each.fidelity or 0.0 for each in found), default=0.0)
    earliest = min((each.starts_in_s for each in found if each.starts_in_s is not None), default=0)
    lowest = min((each.cost or 0.0 for each in found), default=0.0)

    def score(each: Candidate) -> float:
        fidelity = (each.fidelity or 0.0) / highest if highest else 0.0
        start = 0.0
        if each.starts_in_s is not None:
            start = (_START_S + earliest) / (_START_S + each.starts_in_s)
        cost = (_CREDITS + lowest) / (_CREDITS + (each.cost or 0.0))
        total = weights.fidelity * fidelity + weights.start * start + weights.cost * cost
        return round(total / weights.sum, 4)

    with_scores = [msgspec.structs.replace(each, score=score(each)) for each in found]
    return sorted(with_scores, key=lambda each: (-(each.score or 0.0), each.device))
