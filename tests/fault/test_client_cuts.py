"""The network is cut at random bytes of our client's `run()`: one job and one result each time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import Client, Result, Unreachable
from qwicket.clients.native.aio import AsyncClient
from qwicket.clients.native.async_transport import AsyncTransport
from qwicket.clients.native.transport import Transport
from support.cutting_proxy import Cut, CuttingProxy
from support.ledger import ledger
from support.programs import BELL
from support.repetitions import databases, runs
from support.server import LiveServer, server_on

CUTS = runs(50, long=200)
ASYNC_CUTS = runs(10, long=200)
STAYS_AWAY = runs(2, long=5)
SHOTS = 10
QUICK = RetryPolicy(first_pause_s=0.01, max_pause_s=0.05)


@pytest.fixture(scope="module", params=databases("sqlite"))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(request.param, request, tmp_path_factory.mktemp("server")) as live:
        yield live


@pytest.fixture
def proxy(server: LiveServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(server.url) as made:
        yield made


def run_and_wait(client: Client) -> Result:
    return client.submit(BELL, "simulator", shots=SHOTS).result(timeout=60)


def places(lengths: list[tuple[int, int]], number: int) -> list[Cut]:
    """Return so many cuts, spread evenly over all the bytes of requests and answers, both ends in.

    The last byte of an answer is not among them: a client that has it all notices no cut.
    """
    stretches: list[tuple[int, int, str]] = []
    for nth, (asked, answered) in enumerate(lengths):
        stretches += [(nth, asked + 1, "request"), (nth, answered, "answer")]
    total = sum(length for _, length, _ in stretches)
    cuts = []
    for place in (round(i * (total - 1) / (number - 1)) for i in range(number)):
        at = place
        for nth, length, way in stretches:
            if at < length:
                cuts.append(Cut("request" if way == "request" else "answer", at, number=nth))
                break
            at -= length
    return cuts


@pytest.fixture
def earlier(server: LiveServer) -> set[str]:
    """The jobs of earlier tests."""
    with ledger(server) as books:
        return {job for (job,) in books.rows("select id from job")}


def assert_one_job_each(server: LiveServer, results: list[Result], others: set[str]) -> None:
    assert [sum(result.counts.values()) for result in results] == [SHOTS] * len(results)
    made = {result.job for result in results}
    assert len(made) == len(results)
    with ledger(server) as books:
        books.await_end()
        books.assert_all_completed_uncounted(made | others)
        assert {job for (job,) in books.rows("select id from job")} == made | others


@pytest.mark.timeout(400)
def test_cuts_of_a_run_leave_one_job_and_its_result_each(
    server: LiveServer, proxy: CuttingProxy, earlier: set[str]
) -> None:
    with Client(Transport(proxy.url, server.token(), 30.0, QUICK, QUICK)) as client:
        whole = run_and_wait(client)
        assert len(proxy.lengths) == 3, "submit, wait and result are a request each"
        cuts = places(list(proxy.lengths), CUTS)
        assert {(cut.number, cut.way) for cut in cuts} == {
            (nth, way) for nth in range(3) for way in ("request", "answer")
        }
        results = []
        for cut in cuts:
            proxy.plan(cut)
            results.append(run_and_wait(client))
            assert proxy.has_cut.is_set(), f"{cut} was not made"
    assert_one_job_each(server, results, {whole.job} | earlier)


@pytest.mark.timeout(400)
def test_cuts_of_a_run_in_an_event_loop_leave_one_job_and_its_result_each(
    server: LiveServer, proxy: CuttingProxy, earlier: set[str]
) -> None:
    async def main() -> tuple[list[Result], str]:
        transport = AsyncTransport(proxy.url, server.token(), 30.0, QUICK, QUICK)
        async with AsyncClient(transport) as client:

            async def run() -> Result:
                job = await client.submit(BELL, "simulator", shots=SHOTS)
                return await job.result(timeout=60)

            whole = await run()
            results = []
            for cut in places(list(proxy.lengths), ASYNC_CUTS):
                proxy.plan(cut)
                results.append(await run())
                assert proxy.has_cut.is_set(), f"{cut} was not made"
            return results, whole.job

    results, whole = asyncio.run(main())
    assert_one_job_each(server, results, {whole} | earlier)


@pytest.mark.parametrize("way", ["request", "answer"])
def test_a_run_given_up_is_found_again_by_its_key(
    server: LiveServer, proxy: CuttingProxy, earlier: set[str], way: str
) -> None:
    """The network stays away for longer than the client tries; its user runs the script again."""
    cut = Cut("request", 1.0, "/v1/jobs", is_lasting=True)
    if way == "answer":
        cut = Cut("answer", 20, "/v1/jobs", is_lasting=True)
    results = []
    with Client(Transport(proxy.url, server.token(), 30.0, QUICK, QUICK)) as client:
        for number in range(STAYS_AWAY):
            proxy.plan(cut)
            with pytest.raises(Unreachable):
                client.submit(BELL, "simulator", shots=SHOTS, key=f"{way} {number}")
            proxy.plan(None)
            job = client.submit(BELL, "simulator", shots=SHOTS, key=f"{way} {number}")
            results.append(job.result(timeout=60))
    assert_one_job_each(server, results, earlier)
