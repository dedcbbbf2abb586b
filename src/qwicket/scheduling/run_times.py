"""Expected run times: estimates, corrected by what recent jobs of the device took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.store import EndedJob, QueueState

_OVERHEAD_S: Final = 0.25
"""Standard deviation of the overhead that is expected before any job has completed, in seconds."""
_RATIO_ERROR: Final = 3.0
"""Standard deviation of the ratio, around 1, that is expected before any job has completed."""
_RATIOS: Final = (0.01, 100.0)
"""Bounds of measured over estimated run times, against outliers and changes of the clock."""


class RunTimes(NamedTuple):
    """Run times as a linear function of the estimates.

    Attributes:
        overhead_s: What each job takes beside its estimate, in seconds.
        ratio: Run time per estimated second.
    """

    overhead_s: float
    ratio: float

    def expected_s(self, est_seconds: float) -> float:
        """Return the expected run time of a job with this estimate, in seconds."""
        return self.overhead_s + self.ratio * est_seconds

    def correct(self, state: QueueState) -> QueueState:
        """Return the queue with expected run times in place of estimates."""
        expected_s = self.expected_s
        return state._replace(
            waiting=[j._replace(est_seconds=expected_s(j.est_seconds)) for j in state.waiting],
            running=[j._replace(est_seconds=expected_s(j.est_seconds)) for j in state.running],
            recent=[j._replace(est_seconds=expected_s(j.est_seconds)) for j in state.recent],
        )


def fit(recent: Sequence[EndedJob]) -> RunTimes:
    """Fit overhead and ratio to completed jobs by weighted least squares.

    The weight of a job falls with its estimate, so that without an overhead the ratio is about that
    of the sums of measured and estimated run times. Jobs with equal estimates determine only one of
    the two numbers. Normal priors around an overhead of 0 and a ratio of 1 then decide: time that
    tiny jobs take beyond their estimates raises the overhead, that of jobs of a second the ratio.
    """
    minimum, maximum = _RATIOS
    weights, moments, squares = 1 / _OVERHEAD_S**2, 0.0, 1 / _RATIO_ERROR**2
    excess, moments_of_excess = 0.0, 0.0
    for job in recent:
        est_s = job.est_seconds
        ran_s = (job.ended_at - job.started_at) / 1000
        ran_s = min(maximum * max(est_s, _OVERHEAD_S), max(minimum * est_s, ran_s))
        weight = 1 / (est_s + _OVERHEAD_S**2)
        weights += weight
        moments += weight * est_s
        squares += weight * est_s**2
        excess += weight * (ran_s - est_s)
        moments_of_excess += weight * est_s * (ran_s - est_s)
    determinant = weights * squares - moments**2
    overhead_s = (squares * excess - moments * moments_of_excess) / determinant
    ratio = 1 + (weights * moments_of_excess - moments * excess) / determinant
    if overhead_s < 0:
        overhead_s, ratio = 0.0, 1 + moments_of_excess / squares
    return RunTimes(overhead_s, min(maximum, max(minimum, ratio)))
