"""Agents that are killed, paused or cut off: each of their jobs ends exactly once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from support.agents import Lab, LiveAgent, ended, submit
from support.cutting_proxy import PHASES, Cut, CuttingProxy
from support.ledger import Ledger, ledger
from support.processes import children_of, is_alive
from support.repetitions import databases, runs
from support.server import LiveServer, Serve, server_on
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.promise

AGENTS = 3
AGENT_KILLS = runs(3, long=200)
SERVER_KILLS = runs(2, long=100)
VERBS = ("/pull?wait=30", "/pull?wait=0", "/results")
LEASE_S = 1.0
LEASE = ("--lease-s", str(LEASE_S))
SHARED_LEASE_S = 2.0
RUNNING = "select count(*) from job where state = 'running'"
RELEASES = """select count(*) from job_event where "to" = 'queued'"""


@pytest.fixture(scope="module", params=databases("sqlite"))
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server that runs through all tests."""
    lease = ("--lease-s", str(SHARED_LEASE_S))
    with server_on(request.param, request, tmp_path_factory.mktemp("shared"), *lease) as live:
        yield live


def assert_not_run_after_the_end(lab: Lab, books: Ledger) -> None:
    """A job that ended is not begun again: as often begun as it was claimed, at most."""
    begun = Counter(job for job, word, _ in lab.log() if word == "begins")
    releases = Counter(
        job for (job,) in books.rows("""select job from job_event where "to" = 'queued'""")
    )
    for job, times in begun.items():
        assert times <= 1 + releases[job]


@pytest.mark.timeout(runs(300, long=1800))
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_jobs_of_killed_agents_are_offered_again_and_end_exactly_once(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    rng = random.Random(5)
    server = serve("server", database_url, *LEASE)
    with (
        Lab(server, tmp_path / "lab") as lab,
        server.client() as client,
        ledger(server) as books,
    ):
        agents = [lab.agent() for _ in range(AGENTS)]
        jobs = set()
        for number in range(AGENT_KILLS):
            jobs |= {submit(client, shots=500) for _ in range(2)}
            if number % 2 == 0:
                victim = until(lambda: paused_at_work(lab, agents), "one works", timeout_s=60)
            else:
                victim = any_agent_after_a_claim(lab, agents, books, rng)
            victim.kill()
            agents[agents.index(victim)] = lab.agent()
        books.await_end(timeout_s=120)
        books.assert_all_completed_uncounted(jobs)
        assert_not_run_after_the_end(lab, books)
        hits = (AGENT_KILLS + 1) // 2
        assert books.number(RELEASES) >= hits, "a job of a killed agent was not offered again"


def paused_at_work(lab: Lab, agents: list[LiveAgent]) -> LiveAgent | None:
    """Return an agent that was paused while its function ran a job: its kill hits that job."""
    for agent in agents:
        if runs_a_job(lab, agent):
            agent.pause()
            if runs_a_job(lab, agent):
                return agent
            agent.resume()
    return None


def runs_a_job(lab: Lab, agent: LiveAgent) -> bool:
    """Say whether the last thing in the log from an agent's process is that a job begins."""
    pids = children_of(agent.process.pid)
    return [word for _, word, pid in lab.log() if pid in pids][-1:] == ["begins"]


def any_agent_after_a_claim(
    lab: Lab, agents: list[LiveAgent], books: Ledger, rng: random.Random
) -> LiveAgent:
    """Return an agent that may hold a job, or have finished one, or have none."""
    begun = lab.begun()
    until(
        lambda: lab.begun() > begun or books.number(RUNNING) > 0, "a job is claimed", timeout_s=60
    )
    threading.Event().wait(rng.uniform(0, 0.1))
    return rng.choice(agents)


@pytest.mark.extended
@pytest.mark.timeout(runs(300, long=1800))
@pytest.mark.parametrize("database_url", databases("postgres"), indirect=True)
def test_agents_outlive_kills_of_the_server_and_each_job_ends_exactly_once(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    rng = random.Random(6)
    server = serve("server", database_url, *LEASE)
    with Lab(server, tmp_path / "lab") as lab, ledger(server) as books:
        agents = [lab.agent() for _ in range(2)]
        jobs = set()
        for _ in range(SERVER_KILLS):
            with server.client() as client:
                jobs |= {submit(client, shots=100) for _ in range(2)}
            threading.Event().wait(rng.uniform(0, 0.3))
            server.kill()
            server.start()
        books.await_end(timeout_s=120)
        books.assert_all_completed_uncounted(jobs)
        assert_not_run_after_the_end(lab, books)
        assert [agent.stop() for agent in agents] == [0, 0], "agents survive their server"


@pytest.mark.extended
@pytest.mark.timeout(180)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_a_network_cut_at_any_phase_loses_no_job_and_doubles_none(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    server = serve("server", database_url, *LEASE)
    with (
        CuttingProxy(server.url) as proxy,
        Lab(server, tmp_path / "lab", url=proxy.url) as lab,
        server.client() as client,
        ledger(server) as books,
    ):
        lab.agent()
        jobs = {submit(client)}
        ended(client, *jobs)
        for verb, (phase, (way, at)) in product(VERBS, PHASES.items()):
            proxy.plan(Cut(way, at, verb))
            # A job lasts so long that its lease is renewed.
            job = submit(client, shots=500 if verb == "/pull?wait=0" else 20)
            jobs.add(job)
            assert ended(client, job) == "completed"
            until(proxy.has_cut.is_set, f"the network was cut at the {phase} of {verb}")
        books.assert_all_completed_uncounted(jobs)
        assert_not_run_after_the_end(lab, books)


@pytest.mark.extended
@pytest.mark.timeout(120)
def test_a_cut_while_a_cancelled_job_is_given_back_leaves_it_cancelled(
    shared: LiveServer, tmp_path: Path
) -> None:
    with (
        CuttingProxy(shared.url) as proxy,
        Lab(shared, tmp_path / "lab", device="cut", url=proxy.url) as lab,
        shared.client() as client,
    ):
        lab.agent()
        for phase, (way, at) in PHASES.items():
            begun = lab.begun()
            job = lab.submit(client, shots=10_000)

            def it_begins(begun: int = begun) -> bool:
                return lab.begun() > begun

            until(it_begins, "it begins")
            proxy.plan(Cut(way, at, "/results"))
            client.post(f"/v1/jobs/{job}/cancel")
            assert ended(client, job) == "cancelled"
            until(proxy.has_cut.is_set, f"the network was cut at the {phase} of the release")


@pytest.mark.extended
@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", databases("postgres"), indirect=True)
def test_a_result_that_comes_after_the_lease_was_lost_is_refused(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    """The first agent sleeps longer than its lease; another one does the job meanwhile."""
    server = serve("server", database_url, *LEASE)
    with (
        Lab(server, tmp_path / "lab") as lab,
        server.client() as client,
        ledger(server) as books,
    ):
        sleeper = lab.agent("ignores_stop")
        job = submit(client, shots=400)
        until(lambda: lab.begun() == 1, "it begins")
        sleeper.pause()
        lab.agent("ignores_stop")
        assert ended(client, job) == "completed"
        kept = books.rows("select version, ended_at from job")
        sleeper.resume()
        until(
            lambda: "was lost" in sleeper.log_text() or "came too late" in sleeper.log_text(),
            "it hears",
            timeout_s=PROMPT_S,
        )
        assert books.rows("select version, ended_at from job") == kept
        books.assert_all_completed_uncounted({job})
        again = submit(client, shots=10)
        assert ended(client, again) == "completed", "it goes on with other jobs"


@pytest.mark.extended
@pytest.mark.timeout(120)
def test_a_finished_outcome_is_kept_until_the_server_is_back(serve: Serve, tmp_path: Path) -> None:
    server = serve("server", None, "--lease-s", "20")
    with Lab(server, tmp_path / "lab") as lab, ledger(server) as books:
        agent = lab.agent()
        with server.client() as client:
            job = submit(client, shots=500)
        until(lambda: lab.begun() == 1, "it begins")
        server.kill()
        until(lambda: lab.log()[-1][1] == "ends", "it ends while the server is away")
        until(lambda: "not delivered yet" in agent.log_text(), "the agent tries")
        server.start()
        with server.client() as client:
            assert ended(client, job) == "completed"
        assert lab.begun() == 1, "nothing was run twice"
        books.assert_all_completed_uncounted({job})


@pytest.mark.extended
@pytest.mark.timeout(60)
def test_nothing_drives_the_machine_when_its_agent_was_killed(
    shared: LiveServer, tmp_path: Path
) -> None:
    with Lab(shared, tmp_path / "lab", device="driven") as lab, shared.client() as client:
        agent = lab.agent("ignores_stop")
        lab.submit(client, shots=20_000)
        pid = until(lambda: next((pid for _, _, pid in lab.log()), None), "it begins")
        agent.kill()
        until(lambda: not is_alive(pid), "the lab's process is gone", timeout_s=PROMPT_S)


@pytest.mark.extended
@pytest.mark.timeout(60)
def test_a_dead_agent_is_noticed_and_the_device_is_away(shared: LiveServer, tmp_path: Path) -> None:
    with Lab(shared, tmp_path / "lab", device="watched") as lab, shared.client() as client:
        device = f"/v1/devices/{lab.device}"
        job = lab.submit(client, shots=60_000)

        def state() -> str:
            return str(client.get(f"/v1/jobs/{job}").json()["state"])

        agent = lab.agent()
        until(lambda: client.get(device).json()["status"] == "on", "the agent is there")
        # An agent that is gone before it has received the claim gives the job back at once.
        until(lambda: lab.log(), "the lab's process runs it")
        agent.kill()
        until(lambda: state() == "queued", "it waits again")
        seen = client.get(device).json()
        assert (seen["status"], seen["agents"]) == ("away", 0)
        assert seen["last_seen_at"] is not None
        unknown = {"starts_in_s": None, "starts_after_s": None, "starts_before_s": None}
        assert seen["queue"] == {"length": 1, **unknown}
