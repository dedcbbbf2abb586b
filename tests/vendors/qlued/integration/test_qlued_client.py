"""Our qlued client against our own dialect: what it builds runs, and what fails says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np
import pytest
from msgspec import convert

from qwicket.clients.qlued import (
    Fermions,
    MultiQudit,
    QluedAPIError,
    QluedClient,
    QluedJobError,
    Rydberg,
    SingleQudit,
    shots,
)
from qwicket.vendors.qlued.dialect import description
from support.server import LiveServer
from support.vendors import bound, distance

SHOTS = 4_000


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[QluedClient]:
    with QluedClient(f"{server.url}/qlued/api/v2", server.token()) as made:
        yield made


def frequencies(array: np.ndarray) -> dict[tuple[int, ...], float]:
    assert array.shape[0] == SHOTS
    return {row: n / SHOTS for row, n in Counter(map(tuple, array.tolist())).items()}


def test_devices_say_what_they_are(client: QluedClient) -> None:
    found = [each["display_name"] for each in client.backends()]
    assert found == ["singlequdit", "multiqudit", "rydberg", "fermions"]
    assert client.config("rydberg")["backend_name"] == "qwicket_rydberg_simulator"
    assert client.backend_status("qwicket_rydberg_simulator")["operational"] is True
    with pytest.raises(QluedAPIError, match="Unknown back-end") as caught:
        client.config("nothing")
    assert caught.value.status_code == 404


def test_the_documented_functions_return_the_documents_of_the_page(client: QluedClient) -> None:
    posted = client.post_job("singlequdit", SingleQudit(shots=5).load(1).measure())
    job_id = convert(posted, description.StatusMsgDict).job_id
    client.wait("singlequdit", job_id, timeout=60)
    status = convert(client.get_job_status("singlequdit", job_id), description.StatusMsgDict)
    assert (status.job_id, status.status) == (job_id, "DONE")
    convert(client.get_job_result("singlequdit", job_id), description.ResultDict)
    for read in (client.get_job_status, client.get_job_result):
        unknown = convert(read("singlequdit", "unknown"), description.StatusMsgDict)
        assert unknown.status == "ERROR"
    convert(client.get_config("rydberg"), description.BackendConfigSchemaOut)
    convert(client.list_backends(), list[description.BackendConfigSchemaOut])
    convert(client.get_backend_status("rydberg"), description.BackendStatusSchemaOut)


def test_a_long_spin_is_turned_over(client: QluedClient) -> None:
    job = client.post("singlequdit", SingleQudit(shots=5).load(10).rlx(pi).measure())
    (found,) = shots(client.wait("singlequdit", job, timeout=60))
    assert found.tolist() == [[10]] * 5
    assert client.status("singlequdit", job)["status"] == "DONE"


def test_experiments_of_one_job_come_back_in_their_order(client: QluedClient) -> None:
    sent = [SingleQudit(shots=n).load(n).rlx(pi).measure() for n in (3, 1, 12)]
    job = client.post("singlequdit", sent)
    found = shots(client.wait("singlequdit", job, timeout=60))
    assert [each.tolist() for each in found] == [[[n]] * n for n in (3, 1, 12)]


def test_spins_exchange_as_the_formula_says(client: QluedClient) -> None:
    circuit = MultiQudit(2, shots=SHOTS).rlx(0, pi).rlxly([0, 1], 0.4).measure()
    (found,) = shots(client.wait("multiqudit", client.post("multiqudit", circuit), timeout=60))
    exact = {(0, 1): sin(0.4) ** 2, (1, 0): cos(0.4) ** 2}
    assert distance(frequencies(found), exact) < bound(exact, SHOTS)


def test_fermions_hop_as_the_formula_says(client: QluedClient) -> None:
    circuit = Fermions(shots=SHOTS).load(0).fhop(0, 0.7).measure(0, 2)
    (found,) = shots(client.wait("fermions", client.post("fermions", circuit), timeout=60))
    exact = {(0, 1): sin(0.7) ** 2, (1, 0): cos(0.7) ** 2}
    assert distance(frequencies(found), exact) < bound(exact, SHOTS)


def test_a_seed_gives_the_same_shots_again(client: QluedClient) -> None:
    circuit = Rydberg(3, shots=50, seed=3).rydberg_full(2.0, 0.7, 25.0).measure()
    jobs = [client.post("rydberg", circuit) for _ in range(2)]
    first, second = (shots(client.wait("rydberg", job, timeout=60))[0] for job in jobs)
    assert np.array_equal(first, second)
    assert len(np.unique(first, axis=0)) > 1


def test_a_refusal_of_the_device_is_reported_with_its_reason(client: QluedClient) -> None:
    job = client.post("rydberg", Rydberg(1).rlx(0, 7.0).measure())
    with pytest.raises(QluedJobError, match="omega must be 0 to"):
        client.wait("rydberg", job, timeout=60)
    assert client.status("rydberg", job)["status"] == "ERROR"


def test_an_unknown_job_and_a_wrong_token_are_reported_at_once(
    client: QluedClient, server: LiveServer
) -> None:
    with pytest.raises(QluedJobError, match="Missing status file"):
        client.wait("rydberg", "nothing", timeout=60)
    with QluedClient(f"{server.url}/qlued/api/v2", "qw_wrong") as other:
        with pytest.raises(QluedAPIError, match="Invalid credentials") as caught:
            other.post("rydberg", Rydberg(1))
        assert caught.value.status_code == 401
