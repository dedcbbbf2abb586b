"""The registry's two functions: what they send, and what they make of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest

from qwicket.clients import ionq
from qwicket.vendors.qbraid.client import ApiError, RequestsApiError, get_job_data, init_job
from support.bad_server import BadServer, Request, Step, answer
from support.for_each import for_each

Write = Callable[..., Path]


class Device(NamedTuple):
    id: str
    vendor_device_id: str


class Circuit(NamedTuple):
    num_qubits: int
    depth: int


DEVICE = Device("aws_sv_sim", "arn:aws")


def form(request: Request) -> dict[str, list[str]]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return parse_qs(request.body.decode(), keep_blank_values=True)


@pytest.fixture
def serve(settings: Write) -> Iterator[Callable[[Step], BadServer]]:
    """Starts a server that answers so, with its address in the file of settings."""
    servers = []

    def start(step: Step) -> BadServer:
        server = BadServer(step)
        server.__enter__()
        servers.append(server)
        settings(url=f"{server.url}/qbraid/api", api_key="key")
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def test_a_job_is_registered_by_a_form(serve: Callable[[Step], BadServer]) -> None:
    server = serve(answer(200, "aws_sv_sim-ada-qjob-00000000000000000001"))
    found = init_job("v-1", DEVICE, [Circuit(3, 7)], 1_024)
    assert found == "aws_sv_sim-ada-qjob-00000000000000000001"
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/qbraid/api/init-job")
    sent = form(request)
    created = sent.pop("createdAt")[0]
    assert len(created) == len("2026-01-31 12:34:56.789012")
    assert sent == {
        "qbraidJobId": [""],
        "vendorJobId": ["v-1"],
        "qbraidDeviceId": ["aws_sv_sim"],
        "vendorDeviceId": ["arn:aws"],
        "shots": ["1024"],
        "status": ["UNKNOWN"],
        "qbraidStatus": ["INITIALIZING"],
        "circuitNumQubits": ["3"],
        "circuitDepth": ["7"],
    }


OPENQASM3 = "OPENQASM 3.0; qubit[2] q; qubit r; h q[0];"
TAKEN: dict[str, tuple[Any, Any, dict[str, list[str]]]] = {
    "dicts": (
        {"id": "d", "vendor_device_id": "arn"},
        {"num_qubits": 3, "depth": 7},
        {"vendorDeviceId": ["arn"], "circuitNumQubits": ["3"], "circuitDepth": ["7"]},
    ),
    "a device of the server, our circuit": (
        {"qbraid_id": "d", "objArg": "arn", "name": "D"},
        ionq.Circuit(2).h(0).cnot(0, 1),
        {"vendorDeviceId": ["arn"], "circuitNumQubits": ["2"], "circuitDepth": ["2"]},
    ),
    "texts": ("d", OPENQASM3, {"vendorDeviceId": [""], "circuitNumQubits": ["3"]}),
    "IonQ's JSON": (
        "d",
        {"qubits": 4, "circuit": []},
        {"vendorDeviceId": [""], "circuitNumQubits": ["4"]},
    ),
    "a method": (
        DEVICE._replace(id="d"),
        SimpleNamespace(num_qubits=1, depth=lambda: 5),
        {"vendorDeviceId": ["arn:aws"], "circuitNumQubits": ["1"], "circuitDepth": ["5"]},
    ),
}


@for_each("name", TAKEN)
def test_devices_and_circuits_of_many_kinds_are_registered(
    serve: Callable[[Step], BadServer], name: str
) -> None:
    device, circuit, expected = TAKEN[name]
    server = serve(answer(200, "job"))
    init_job("v-1", device, [circuit], 10)
    sent = form(server.requests[0])
    assert sent["qbraidDeviceId"] == ["d"]
    names = ("vendorDeviceId", "circuitNumQubits", "circuitDepth")
    assert {key: sent[key] for key in names if key in sent} == expected


GOOD = (DEVICE, [Circuit(1, 1)], 10)


@for_each(
    "arguments",
    [
        ("", *GOOD),
        (7, *GOOD),
        ("v-1", 7, [Circuit(1, 1)], 10),
        ("v-1", {}, [Circuit(1, 1)], 10),
        ("v-1", SimpleNamespace(id="d"), [Circuit(1, 1)], 10),
        *[("v-1", DEVICE, circuits, 10) for circuits in (None, [], Circuit, "h q;", ["h q;"])],
        *[("v-1", DEVICE, [circuit], 10) for circuit in (None, {}, {"num_qubits": "x"})],
        ("v-1", DEVICE, [SimpleNamespace(num_qubits=1)], 10),
        *[("v-1", DEVICE, [Circuit(1, 1)], shots) for shots in (None, 0, "x", True)],
    ],
)
def test_an_argument_that_cannot_be_registered_is_an_error_of_the_module(
    serve: Callable[[Step], BadServer], arguments: tuple[Any, ...]
) -> None:
    server = serve(answer(200, "job"))
    with pytest.raises(ApiError, match=r"vendor_job_id|device|circuits|shots"):
        init_job(*arguments)
    assert not server.requests


def test_several_circuits_are_fields_that_repeat(
    serve: Callable[[Step], BadServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada@example.org")
    server = serve(answer(200, "job"))
    init_job("v-1", DEVICE, [Circuit(2, 3), Circuit(4, 5)], 10)
    sent = form(server.requests[0])
    assert sent["circuitBatchNumQubits"] == ["2", "4"]
    assert sent["circuitBatchDepth"] == ["3", "5"]
    assert sent["email"] == ["ada@example.org"]


@pytest.mark.parametrize("body", [{}, "", [], b"nonsense"])
def test_an_answer_without_an_id_is_an_error(serve: Callable[[Step], BadServer], body: Any) -> None:
    serve(answer(200, body))
    with pytest.raises(ApiError):
        init_job("v-1", DEVICE, [Circuit(1, 1)], 1)


@pytest.mark.parametrize(
    ("update", "is_sent"),
    [
        (None, False),
        ({"status": "DONE"}, False),
        ({"qbraidStatus": "COMPLETED"}, False),
        ({"status": "DONE", "qbraidStatus": "COMPLETED"}, True),
    ],
)
def test_a_status_is_sent_when_both_arguments_are_given(
    serve: Callable[[Step], BadServer], update: dict[str, str] | None, is_sent: bool
) -> None:
    server = serve(answer(200, [{"_id": "1", "user": "2", "shots": 10}]))
    assert get_job_data("job", update) == {"shots": 10}
    (request,) = server.requests
    assert (request.method, request.path) == ("PUT", "/qbraid/api/update-job")
    sent = {"qbraidJobId", "status", "qbraidStatus"} if is_sent else {"qbraidJobId"}
    assert form(request).keys() == sent


@pytest.mark.parametrize("body", [[], {}, "text", [1], b"nonsense"])
def test_a_job_that_is_not_there_is_an_error_of_ours(
    serve: Callable[[Step], BadServer], body: Any
) -> None:
    serve(answer(200, body))
    with pytest.raises(ApiError):
        get_job_data("job")


def test_a_refusal_says_why(serve: Callable[[Step], BadServer]) -> None:
    serve(answer(404, {"error": {"message": "no such job", "code": "NOT_FOUND"}}))
    with pytest.raises(RequestsApiError, match="no such job, Error code: NOT_FOUND"):
        get_job_data("job")
