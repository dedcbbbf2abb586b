"""How many workers a scaler starts, and what it does when they fail."""

from __future__ import annotations

import pytest

from qwicket import schema
from qwicket.scaling.scaler import Scaler, ScalerAPI
from qwicket.scaling.site import SiteError, Workers, to_start

NONE = Workers(0, 0, 0)


def demand(
    slots: int, workers: int = 0, *, connections: int = 0, is_active: bool = True
) -> schema.pilots.DemandBody:
    return schema.pilots.DemandBody(
        is_active=is_active, jobs=slots, slots=slots, workers=workers, connections=connections
    )


@pytest.mark.parametrize(
    ("asked", "workers", "slots", "min_workers", "max_workers", "expected"),
    [
        (demand(0), NONE, 1, 0, 4, (0, 0)),
        (demand(3), NONE, 1, 0, 4, (0, 3)),
        (demand(9), NONE, 1, 0, 4, (0, 4)),
        (demand(9), NONE, 4, 0, 4, (0, 3)),
        (demand(3), Workers(0, 2, 2), 1, 0, 4, (0, 1)),
        (demand(3, workers=2), Workers(0, 2, 0), 1, 0, 4, (0, 2)),
        (demand(9, workers=4), Workers(0, 4, 0), 1, 0, 4, (0, 0)),
        (demand(0), NONE, 1, 2, 4, (2, 0)),
        (demand(3), NONE, 1, 2, 4, (2, 1)),
        (demand(3), Workers(0, 4, 4), 1, 2, 4, (2, 0)),
        (demand(100), NONE, 1, 0, 64, (0, 16)),
    ],
)
def test_as_many_are_started_as_the_work_is_worth_within_the_bounds(
    asked: schema.pilots.DemandBody,
    workers: Workers,
    slots: int,
    min_workers: int,
    max_workers: int,
    expected: tuple[int, int],
) -> None:
    assert (
        to_start(asked, workers, slots, min_workers=min_workers, max_workers=max_workers)
        == expected
    )


class Place:
    """A site whose workers end at once, or stay."""

    slots = 1

    def __init__(self, present: Workers = NONE) -> None:
        self.present = present
        self.started: list[tuple[int, bool]] = []
        self.withdrawn = 0
        self.failure: SiteError | None = None

    def workers(self) -> Workers:
        if self.failure is not None:
            raise self.failure
        return self.present

    def start(self, n: int, *, is_kept: bool) -> None:
        self.started.append((n, is_kept))

    def withdraw(self) -> None:
        self.withdrawn += 1


class Answers(ScalerAPI):
    """Gives one answer after the other, and then lets the scaler leave."""

    def __init__(self, *answers: schema.pilots.DemandBody) -> None:
        super().__init__("http://127.0.0.1:9", "token", "group")
        self.answers = [*answers]
        self.scaler: Scaler | None = None
        self.left = 0

    def demand(self) -> schema.pilots.DemandBody:
        answer = self.answers.pop(0)
        if not self.answers and self.scaler is not None:
            self.scaler.leave()
        return answer

    def leave(self) -> None:
        self.left += 1


def serve(place: Place, *answers: schema.pilots.DemandBody, idle_s: float = 60.0) -> Answers:
    api = Answers(*answers)
    api.scaler = Scaler(api, place, min_workers=0, max_workers=4, idle_s=idle_s)
    api.scaler.serve()
    return api


def test_one_that_is_not_active_starts_nothing() -> None:
    place = Place()
    api = serve(place, demand(3, is_active=False))
    assert (place.started, api.left) == ([], 1)


def test_after_workers_that_ended_unconnected_it_pauses(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()  # whose workers end as soon as they start
    serve(place, demand(3), demand(3), demand(3))
    assert place.started == [(3, False)], "the second step started no more"
    assert "3 workers ended and none is connected" in caplog.text


class Sequence(Place):
    """A site that has other workers at each look."""

    def __init__(self, *present: Workers) -> None:
        super().__init__()
        self.all_present = [*present]

    def workers(self) -> Workers:
        return self.all_present.pop(0)


def test_an_idle_worker_that_ends_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    one = Workers(0, 1, 0)
    # It leaves the server first; the site knows it for a second longer.
    place = Sequence(NONE, one, one, NONE, NONE)
    serve(place, demand(1), demand(0, workers=1), demand(0), demand(0), demand(1))
    assert place.started == [(1, False), (1, False)]
    assert "none is connected" not in caplog.text


@pytest.mark.parametrize("connections", [(5, 6), (5, 5, 6)])
def test_a_worker_that_ends_soon_after_it_connected_is_no_failure(
    connections: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """It connects and ends between two steps, or between the two requests of one step."""
    place = Place()
    serve(place, *(demand(1, connections=each) for each in connections))
    assert place.started == [(1, False), (1, False)]
    assert "none is connected" not in caplog.text


def test_those_that_never_connected_are_counted_beside_one_that_did(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place()
    answers = [demand(3, connections=6)] * 2
    serve(place, demand(3, connections=5), *answers)
    assert place.started == [(3, False)]
    assert "2 workers ended and none is connected" in caplog.text


def test_workers_that_connected_before_it_was_active_are_not_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place()
    answers = [demand(1, connections=9), demand(1, connections=9), demand(1, connections=9)]
    serve(place, demand(1, connections=5, is_active=False), *answers)
    assert place.started == [(1, False)]
    assert "1 workers ended and none is connected" in caplog.text


def test_workers_that_wait_are_withdrawn_when_no_job_waits() -> None:
    place = Place(Workers(0, 2, 2))
    serve(place, demand(0), idle_s=0.0)
    assert (place.started, place.withdrawn) == ([], 1)


def test_a_site_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    place.failure = SiteError("squeue failed: slurmctld is down")
    serve(place, demand(1))
    assert (place.started, "slurmctld is down" in caplog.text) == ([], True)


def test_pauses_after_failures_of_the_site_grow_from_2_s_to_60_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place()
    place.failure = SiteError("squeue failed: slurmctld is down")
    api = Answers(*[demand(1)] * 1_100)
    scaler = api.scaler = Scaler(api, place, min_workers=0, max_workers=4, idle_s=60.0)
    pauses: list[float] = []
    # The pauses are recorded, because they take too long for a test.
    monkeypatch.setattr(scaler._leaving, "wait", pauses.append)
    scaler.serve()
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert pauses[-1] == 60.0, "also after more failures than a float has powers of two"


def test_its_secret_is_not_shown() -> None:
    assert "token" not in repr(ScalerAPI("http://127.0.0.1:9", "token", "group"))
