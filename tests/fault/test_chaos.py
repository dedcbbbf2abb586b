"""`make chaos` in short, and its checker, which must find what is wrong."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import pytest

from chaos.checker import (
    BAD_END,
    BAD_STEP,
    DIFFERENT,
    DOUBLED,
    LOST,
    STUCK,
    TWICE,
    WRONG,
    Change,
    Line,
    Stored,
    StuckWatch,
    check,
    job_id,
)
from chaos.plan import plan, until_kills
from qwicket.vendors.qbraid.dialect.ids import tail

JOBS = [f"019aa000-0000-7000-8000-{number:08d}0000" for number in range(3)]
CLIENT = "native"
COMPLETED = ("", "queued", "running", "completed")


class Story:
    """What clients and the database recorded of three jobs, of which one was released once."""

    def __init__(self) -> None:
        self.history: list[Line] = []
        for number, job in enumerate(JOBS):
            self.say("submit", number, {"000": 20})
            self.say("accepted", number, job)
            self.say("answer", number, job, {"000": 20}, "aa")
            self.say("answer", number, job, {"000": 20}, "aa")
        self.stored = {
            job: Stored(job, CLIENT, f"native-{number}", "completed", 0, "", 1)
            for number, job in enumerate(JOBS)
        }
        self.states = {job: list(COMPLETED) for job in JOBS}
        self.states[JOBS[1]][3:3] = ["queued", "running"]
        self.results = {job: [("", "stored")] for job in JOBS}

    def say(self, word: str, number: int, *values: object) -> None:
        self.history.append(Line(CLIENT, word, number, 0.0, values))

    def findings(self, stuck: dict[str, str] | None = None) -> list[tuple[str, str]]:
        changes = []
        for job, states in self.states.items():
            changes += [Change(job, "state", *step) for step in itertools.pairwise(states)]
            changes += [Change(job, "result", *step) for step in self.results[job]]
        report = check(self.history, self.stored.values(), changes, distinct=[CLIENT], stuck=stuck)
        return [(each.kind, each.job) for each in report.findings]


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_history_that_keeps_all_promises_has_no_findings(story: Story) -> None:
    assert story.findings() == []


def test_a_job_that_was_accepted_and_is_not_stored_is_lost(story: Story) -> None:
    for kept in (story.stored, story.states, story.results):
        del kept[JOBS[1]]
    assert story.findings() == [(LOST, JOBS[1])]


def test_a_job_that_was_deleted_is_lost(story: Story) -> None:
    story.states[JOBS[1]].append("")
    del story.stored[JOBS[1]]
    assert set(story.findings()) == {(LOST, JOBS[1])}


def test_one_id_for_two_submissions_means_that_one_is_lost(story: Story) -> None:
    story.say("submit", 7, {"000": 20})
    story.say("accepted", 7, JOBS[1])
    assert story.findings() == [(LOST, JOBS[1])]


def test_a_job_that_ends_again_is_found(story: Story) -> None:
    story.states[JOBS[1]] += ["running", "completed"]
    assert set(story.findings()) == {(TWICE, JOBS[1]), (BAD_STEP, JOBS[1])}


@pytest.mark.parametrize(
    "further",
    [("", "stored"), ("stored", "changed"), ("stored", "")],
    ids=["second", "new", "none"],
)
def test_a_result_that_changes_after_the_end_is_found(
    story: Story, further: tuple[str, str]
) -> None:
    story.results[JOBS[1]].append(further)
    assert story.findings() == [(TWICE, JOBS[1])]


def test_a_completed_job_without_a_result_is_found(story: Story) -> None:
    story.results[JOBS[1]].clear()
    assert story.findings() == [(TWICE, JOBS[1])]


def test_two_answers_that_differ_are_found(story: Story) -> None:
    story.say("answer", 1, JOBS[1], {"000": 20}, "bb")
    assert story.findings() == [(DIFFERENT, JOBS[1])]


def test_the_result_of_another_program_is_found(story: Story) -> None:
    story.say("submit", 8, {"111": 20})
    story.say("answer", 8, JOBS[1], {"000": 20}, "aa")
    assert story.findings() == [(WRONG, JOBS[1])]


def test_a_job_that_has_not_ended_is_stuck(story: Story) -> None:
    story.states[JOBS[1]].pop()
    story.results[JOBS[1]].clear()
    story.stored[JOBS[1]] = story.stored[JOBS[1]]._replace(state="running")
    assert story.findings() == [(STUCK, JOBS[1])]


def test_a_client_that_waits_in_vain_and_a_lease_that_stays_are_stuck(story: Story) -> None:
    story.say("gave up", 2, JOBS[2])
    assert story.findings({JOBS[0]: "too long"}) == [(STUCK, JOBS[0]), (STUCK, JOBS[2])]


def test_a_second_job_of_a_submission_with_a_key_is_found(story: Story) -> None:
    story.stored[JOBS[1]] = story.stored[JOBS[1]]._replace(name="native-0")
    assert story.findings() == [(DOUBLED, JOBS[1])]


def test_a_second_job_of_the_same_program_is_found_where_programs_differ(story: Story) -> None:
    for number, job in enumerate(JOBS):
        content = str(min(number, 1))
        story.stored[job] = story.stored[job]._replace(name="", content=content)
    assert story.findings() == [(DOUBLED, JOBS[2])]


def test_ten_times_as_many_jobs_take_no_more_memory() -> None:
    def peak_bytes(n_jobs: int) -> int:
        def jobs() -> Iterator[tuple[int, str]]:
            return ((number, f"019aa000-0000-7000-8000-{number:012d}") for number in range(n_jobs))

        history = (
            Line(CLIENT, word, number, 0.0, values)
            for number, job in jobs()
            for word, values in (
                ("submit", ({"000": 20},)),
                ("accepted", (job,)),
                ("answer", (job, {"000": 20}, "aa")),
            )
        )
        stored = (Stored(job, CLIENT, str(n), "completed", 0, "", 1) for n, job in jobs())
        steps = [("state", *step) for step in itertools.pairwise(COMPLETED)]
        steps.append(("result", "", "stored"))
        changes = (Change(job, *step) for _, job in jobs() for step in steps)
        tracemalloc.start()
        report = check(history, stored, changes, distinct=[CLIENT])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (report.findings, report.figures["completed"]) == ([], n_jobs)
        return peak

    assert peak_bytes(2_000) < peak_bytes(200) + 100_000


def test_a_step_that_is_not_in_the_state_table_is_found(story: Story) -> None:
    story.states[JOBS[1]] = ["", "queued", "completed"]
    assert story.findings() == [(BAD_STEP, JOBS[1])]


@pytest.mark.parametrize(("attempts", "is_wrong"), [(0, True), (2, True), (3, False)])
def test_a_job_fails_only_after_its_third_attempt(
    story: Story, attempts: int, is_wrong: bool
) -> None:
    story.states[JOBS[1]][-1] = "failed"
    story.results[JOBS[1]].clear()
    job = story.stored[JOBS[1]]._replace(state="failed", attempts=attempts, error_code="x")
    story.stored[JOBS[1]] = job
    assert story.findings() == ([(BAD_END, JOBS[1])] if is_wrong else [])


def test_a_cancelled_job_is_found_because_nobody_cancels(story: Story) -> None:
    story.states[JOBS[1]] = ["", "queued", "cancelled"]
    story.results[JOBS[1]].clear()
    story.stored[JOBS[1]] = story.stored[JOBS[1]]._replace(state="cancelled")
    assert story.findings() == [(BAD_END, JOBS[1])]


@pytest.mark.parametrize(
    ("state", "error_code"), [("draft", ""), ("cancelled", ""), ("failed", "draft_expired")]
)
def test_a_client_may_give_up_a_job_whose_program_it_could_not_upload(
    story: Story, state: str, error_code: str
) -> None:
    given_up = "019aa000-0000-7000-8000-000000070000"
    story.stored[given_up] = Stored(given_up, "ibmq", "", state, 0, error_code, 1)
    story.states[given_up] = ["", "draft"] + [state] * (state != "draft")
    story.results[given_up] = []
    assert story.findings() == []
    story.say("submit", 9, {"000": 20})
    story.say("accepted", 9, given_up)
    assert story.findings() == [(STUCK if state == "draft" else BAD_END, given_up)]


def test_ids_of_all_dialects_lead_to_the_job() -> None:
    assert job_id(JOBS[2]) == JOBS[2]
    assert job_id(f"arn:aws:braket:us-east-1:1:quantum-task/{JOBS[2]}") == JOBS[2]
    assert job_id(f"qbraid:qbraid:sim:statevector-abcd-qjob-{tail(JOBS[2])}") == JOBS[2]


def test_a_lease_counts_as_stuck_only_while_a_server_could_end_it() -> None:
    held = {(JOBS[0], 1, "runner")}
    watch = StuckWatch(7.0)
    watch.observe(0.0, held, 0.0)
    watch.observe(20.0, held, 15.0)
    assert watch.found == {}, "the server came back 5 s ago"
    watch.observe(22.5, held, 15.0)
    assert list(watch.found) == [JOBS[0]]


def test_another_lease_of_a_job_begins_anew() -> None:
    watch = StuckWatch(7.0)
    for second in range(20):
        watch.observe(second, {(JOBS[0], second // 5, "runner")}, 0.0)
    assert watch.found == {}


def test_a_seed_is_one_plan_and_another_seed_another() -> None:
    def first(seed: int, database: str) -> list[str]:
        return [str(each) for each in itertools.islice(plan(seed, database, lease_s=2.0), 200)]

    assert first(3, "postgres") == first(3, "postgres")
    assert first(3, "postgres") != first(4, "postgres")
    assert not any("database" in each for each in first(3, "sqlite"))


def test_postgresql_is_killed_every_5_to_40_s() -> None:
    drawn = (each for each in plan(1, "postgres", lease_s=2.0) if each.kind == "kill_database")
    kills = [each.at_s for each in itertools.islice(drawn, 100)]
    pauses = [after - before for before, after in itertools.pairwise(kills)]
    assert 5 <= min(pauses) < 8
    assert 37 < max(pauses) <= 40


def test_a_number_of_kills_ends_the_plan_with_the_last_of_them() -> None:
    steps = until_kills(plan(5, "postgres", lease_s=2.0), 200)
    assert sum(each.is_kill for each in steps) == 200
    assert steps[-1].is_kill
    assert any(not each.is_kill for each in steps)
