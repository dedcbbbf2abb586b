"""Where vendors' clients go when no address is given; and that no Qwicket token strays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwicket.clients.http.addresses import Destination, Service, choose_destination
from qwicket.clients.ibm_qx import IBMQXClient, IBMQXClientError
from qwicket.clients.ionq import IonQClient, IonQClientError
from qwicket.clients.qbraid import ApiError, QbraidSession
from qwicket.clients.qlued import QluedClient, QluedClientError
from qwicket.clients.xanadu import Connection, Settings
from support.bad_server import BadServer, answer
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


HOME = "http://127.0.0.1:47821"
OURS = "qw_" + "a" * 40
VENDOR = "https://vendor.invalid/v1"
SERVICE = Service("VENDOR_URL", "VENDOR_KEY", "/vendor", VENDOR)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    names = ("QWICKET_URL", "QWICKET_TOKEN", "IONQ_API_KEY", "IONQ_API_URL", "QE_TOKEN", "QE_URL")
    for name in (*names, "QBRAID_API_KEY", "QBRAID_API_URL", "QLUED_URL", "QLUED_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "token", "expected"),
    [
        ({}, None, None, (VENDOR, None, "VENDOR_URL")),
        ({}, None, "key", (VENDOR, "key", "VENDOR_URL")),
        (
            {"VENDOR_URL": "http://v", "VENDOR_KEY": "k"},
            None,
            None,
            ("http://v", "k", "VENDOR_URL"),
        ),
        (
            {"VENDOR_KEY": "k", "QWICKET_URL": HOME, "QWICKET_TOKEN": OURS},
            None,
            None,
            (VENDOR, "k", "VENDOR_URL"),
        ),
        (
            {"VENDOR_KEY": OURS, "QWICKET_URL": HOME},
            None,
            None,
            (f"{HOME}/vendor", OURS, "QWICKET_URL"),
        ),
        (
            {"QWICKET_URL": f"{HOME}/", "QWICKET_TOKEN": OURS},
            None,
            None,
            (f"{HOME}/vendor", OURS, "QWICKET_URL"),
        ),
        ({"QWICKET_URL": HOME}, None, None, (f"{HOME}/vendor", None, "QWICKET_URL")),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": OURS},
            None,
            "key",
            (VENDOR, "key", "VENDOR_URL"),
        ),
        ({"QWICKET_URL": HOME}, None, OURS, (f"{HOME}/vendor", OURS, "QWICKET_URL")),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": OURS, "VENDOR_URL": "http://v"},
            f"{HOME}/x",
            None,
            (f"{HOME}/x", OURS, "the argument url"),
        ),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": OURS},
            "http://y",
            None,
            ("http://y", None, "the argument url"),
        ),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": OURS, "VENDOR_KEY": "k"},
            f"{HOME}/x",
            None,
            (f"{HOME}/x", OURS, "the argument url"),
        ),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": f"{OURS}b", "VENDOR_KEY": OURS},
            f"{HOME}/x",
            None,
            (f"{HOME}/x", OURS, "the argument url"),
        ),
        ({"QWICKET_URL": HOME, "VENDOR_KEY": "k"}, HOME, None, (HOME, "k", "the argument url")),
        (
            {"QWICKET_URL": HOME, "QWICKET_TOKEN": OURS, "VENDOR_KEY": "k"},
            HOME,
            "key",
            (HOME, "key", "the argument url"),
        ),
        ({"QWICKET_TOKEN": OURS}, None, None, (VENDOR, None, "VENDOR_URL")),
        ({"QWICKET_TOKEN": OURS}, "http://y", None, ("http://y", None, "the argument url")),
    ],
)
def test_an_address_and_a_token_are_chosen_together(
    environment: dict[str, str],
    url: str | None,
    token: str | None,
    expected: tuple[str | None, str | None, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert choose_destination(SERVICE, url, token, ValueError) == Destination(*expected)


def test_a_destination_does_not_show_its_token() -> None:
    assert OURS not in repr(Destination(HOME, OURS, "QWICKET_URL"))


WITHOUT_AN_ADDRESS: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "ionq": (lambda: IonQClient(OURS), IonQClientError),
    "ibm_qx": (lambda: IBMQXClient(OURS), IBMQXClientError),
    "qbraid": (lambda: QbraidSession(api_key=OURS).get("/identity"), ApiError),
    "qlued": (lambda: QluedClient(token=OURS), QluedClientError),
    "xanadu": (lambda: Connection(OURS), ValueError),
    "xanadu, loaded": (lambda: Connection.load(Settings(REFRESH_TOKEN=OURS)), ValueError),
}


@pytest.mark.parametrize("name", WITHOUT_AN_ADDRESS)
def test_a_qwicket_token_goes_to_no_vendor_because_an_address_is_missing(name: str) -> None:
    make, kind = WITHOUT_AN_ADDRESS[name]
    with pytest.raises(kind, match="QWICKET_URL") as caught:
        make()
    assert OURS not in str(caught.value)


ASK: dict[str, Callable[[], Any]] = {
    "ionq": lambda: IonQClient().retrieve_job("7"),
    "ibm_qx": lambda: IBMQXClient().login_with_token(),
    "qbraid": lambda: QbraidSession().get("/identity"),
    "qlued": lambda: QluedClient().status("rydberg", "7"),
    "xanadu": lambda: Connection.load().update_access_token(),
}
PATHS = {
    "ionq": "/ionq/v0.4/jobs/7",
    "ibm_qx": "/ibm/api/users/loginWithToken",
    "qbraid": "/qbraid/api/identity",
    "qlued": "/qlued/api/v2/rydberg/get_job_status?job_id=7&token=" + OURS,
    "xanadu": "/auth/realms/platform/protocol/openid-connect/token",
}


WITH_A_TOKEN: dict[str, Callable[[], Any]] = {
    "ionq": lambda: IonQClient(OURS).retrieve_job("7"),
    "ibm_qx": lambda: IBMQXClient(OURS).login_with_token(),
    "qbraid": lambda: QbraidSession(api_key=OURS).get("/identity"),
    "qlued": lambda: QluedClient(token=OURS).status("rydberg", "7"),
    "xanadu": lambda: Connection(OURS).update_access_token(),
    "xanadu, access": lambda: Connection(access_token=OURS).ping(),
    "xanadu, loaded": lambda: Connection.load(refresh_token=OURS).update_access_token(),
}


@for_each("name", WITH_A_TOKEN)
def test_a_qwicket_token_alone_is_sent_to_the_server_of_the_environment(name: str) -> None:
    body = {"id": "a", "access_token": "a", "email": "a@b.c"}
    with BadServer(answer(200, body)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWICKET_URL", server.url)
        WITH_A_TOKEN[name]()
        assert len(server.requests) == 1


def test_xanadus_client_takes_the_token_of_the_server_also_at_its_given_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWICKET_URL", HOME)
    monkeypatch.setenv("QWICKET_TOKEN", OURS)
    assert Connection.load(host="127.0.0.1", port=47821, tls=False).refresh_token == OURS
    assert Settings(HOST="127.0.0.1", PORT=47822, TLS=False).REFRESH_TOKEN is None
    assert Connection(OURS, port=47822).url() == "http://127.0.0.1:47822/"


@pytest.mark.parametrize("name", ASK)
def test_every_client_finds_the_server_of_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BadServer(answer(200, {"id": "a", "access_token": "a", "email": "a@b.c"})) as server:
        monkeypatch.setenv("QWICKET_URL", server.url)
        monkeypatch.setenv("QWICKET_TOKEN", OURS)
        ASK[name]()
        (request,) = server.requests
    assert request.path == PATHS[name]
    assert OURS in f"{request.path}{dict(request.headers)}{request.body!r}"
