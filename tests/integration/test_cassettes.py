"""Cassettes over HTTP: a second server is the vendor, with its own faults."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket import testing
from qwicket.testing import CassetteError, Cloud, Recording, Replay
from qwicket.testing.cassettes.scrubbing import Scrubber
from qwicket.testing.cassettes.tape import read
from support.waiting import until

BELL = {
    "type": "ionq.circuit.v1",
    "backend": "simulator",
    "shots": 100,
    "input": {
        "qubits": 2,
        "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
    },
}
AT = "/ionq/v0.4"
JOBS = f"{AT}/jobs"
ENDED = ("completed", "failed", "canceled")


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture
def vendor(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.json"


def recording(vendor: Cloud, tape: Path, **options: Any) -> Recording:
    return testing.record(tape, {AT: f"{vendor.url}/v0.4"}, key=vendor.token, **options)


def client(session: Recording | Replay) -> httpx.Client:
    headers = {"Authorization": f"apiKey {session.token}"}
    return httpx.Client(base_url=session.url, headers=headers, timeout=30)


def bell(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Run a job as a client does; return its last answer."""
    answer = http.post(JOBS, json={**BELL, **fields})
    assert answer.is_success, answer.text
    job = answer.json()["id"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = http.get(f"{JOBS}/{job}").json()
        return found if found["status"] in ENDED else None

    until(ended, "the job has ended", timeout_s=30)
    found: dict[str, Any] = http.get(f"{JOBS}/{job}/results/probabilities").json()
    return found


def record_bell(vendor: Cloud, tape: Path, **fields: Any) -> dict[str, Any]:
    with recording(vendor, tape) as session, client(session) as http:
        return bell(http, **fields)


# --- recording and replaying ----------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_a_recorded_job_is_replayed(strict: bool, vendor: Cloud, tape: Path) -> None:
    vendor.scenario("stay_queued", polls=2)
    recorded = record_bell(vendor, tape)
    count = len(vendor.requests())
    with testing.replay(tape, strict=strict) as session, client(session) as http:
        assert bell(http) == recorded
    assert len(vendor.requests()) == count


def test_a_file_says_what_it_is_and_a_wrong_one_is_refused(vendor: Cloud, tape: Path) -> None:
    record_bell(vendor, tape)
    document = json.loads(tape.read_text())
    assert (document["format"], document["version"]) == ("qwicket-cassette", 1)
    assert document["targets"] == {AT: f"{vendor.url}/v0.4"}
    assert document["exchanges"][0]["request"]["body"]["json"] == BELL
    for change, message in (
        ({"version": 2}, '"version" is 2; this program reads 1'),
        ({"format": "vcr"}, "\"format\" is 'vcr'"),
        ({"exchanges": [{}]}, "is not a cassette"),
        ({"exchanges": 1}, "is not a cassette"),
    ):
        tape.write_text(json.dumps({**document, **change}))
        with pytest.raises(CassetteError, match=message):
            testing.replay(tape)
    with pytest.raises(CassetteError, match="No such file"):
        testing.replay(tape.with_name("none.json"))


def test_a_strict_replay_shows_what_is_different(vendor: Cloud, tape: Path) -> None:
    record_bell(vendor, tape)
    changed = {**BELL, "shots": 200, "name": "mine", "secret": "not-to-be-shown"}

    def use() -> None:
        with testing.replay(tape) as session, client(session) as http:
            answer = http.post(JOBS, json=changed)
            assert answer.status_code == 400
            assert "body/shots: recorded 100, sent 200" in answer.json()["message"]

    with pytest.raises(CassetteError, match="is not as it was recorded") as caught:
        use()
    text = str(caught.value)
    assert 'body/name: recorded nothing, sent "mine"' in text
    assert "not-to-be-shown" not in text
    assert "Request 1 was not sent: POST /ionq/v0.4/jobs" in text


@pytest.mark.parametrize(
    ("method", "path", "shown"),
    [
        ("GET", JOBS, 'method: recorded "POST", sent "GET"'),
        ("POST", f"{AT}/job", f'path: recorded "{JOBS}", sent "{AT}/job"'),
        ("POST", f"{JOBS}?limit=1", 'query/limit: recorded nothing, sent ["1"]'),
    ],
)
def test_a_strict_replay_refuses_another_order(
    method: str, path: str, shown: str, vendor: Cloud, tape: Path
) -> None:
    record_bell(vendor, tape)
    with testing.replay(tape, strict=False) as session, client(session) as http:
        assert http.get(f"{AT}/whoami").status_code == 400
        assert "has no response to GET /ionq/v0.4/whoami" in session.problems.pop()
        session._player.problems.clear()

    def use() -> None:
        with testing.replay(tape) as session, client(session) as http:
            http.request(method, path, json=BELL)
            assert shown in session.problems[0]

    with pytest.raises(CassetteError):
        use()


def test_a_strict_replay_ends_and_notes_are_added_to_the_error_of_a_test(
    vendor: Cloud, tape: Path
) -> None:
    record_bell(vendor, tape)

    def use_more() -> None:
        with testing.replay(tape) as session, client(session) as http:
            bell(http)
            http.get(JOBS)

    def fail() -> None:
        with testing.replay(tape) as session, client(session) as http:
            http.get(JOBS)
            raise KeyError("id")

    with pytest.raises(CassetteError, match="a further one came: GET"):
        use_more()
    with pytest.raises(KeyError) as caught:
        fail()
    assert any('recorded "POST", sent "GET"' in each for each in caught.value.__notes__)


def test_a_value_that_changes_each_time_can_be_ignored(vendor: Cloud, tape: Path) -> None:
    record_bell(vendor, tape, name="run 1")
    document = json.loads(tape.read_text())
    document["exchanges"][0]["request"]["ignore"] = ["/name", "/input/circuit/*/target"]
    tape.write_text(json.dumps(document))
    with testing.replay(tape) as session, client(session) as http:
        bell(http, name="run 2")


def test_a_lenient_replay_accepts_other_orders_and_more_polls(vendor: Cloud, tape: Path) -> None:
    with recording(vendor, tape) as session, client(session) as http:
        first = http.post(JOBS, json={**BELL, "name": "first"}).json()["id"]
        second = http.post(JOBS, json={**BELL, "name": "second"}).json()["id"]
        until(lambda: http.get(f"{JOBS}/{first}").json()["status"] in ENDED, "it ended")
    with testing.replay(tape, strict=False) as replayed, client(replayed) as http:
        assert http.post(JOBS, json={**BELL, "name": "second"}).json()["id"] == second
        assert http.post(JOBS, json={**BELL, "name": "first"}).json()["id"] == first
        found = [http.get(f"{JOBS}/{first}").json()["status"] for _ in range(40)]
        assert found[-2:] == ["completed", "completed"]


# --- errors and faults ----------------------------------------------------------------------------


def test_refusals_and_faults_are_recorded_and_replayed(vendor: Cloud, tape: Path) -> None:
    vendor.fault("status", status=429, retry_after=7, message="Too fast.", times=1)
    vendor.fault("drop", times=1)
    vendor.fault("cut", times=1)
    vendor.fault("truncate", times=1)
    vendor.fault("html", times=1)
    vendor.fault("garbage", times=1)

    def seen(session: Recording | Replay) -> list[Any]:
        found: list[Any] = []
        with client(session) as http:
            for _ in range(6):
                try:
                    answer = http.get(JOBS)
                    shown = answer.content.replace(b" ", b"")
                    found.append((answer.status_code, answer.headers.get("retry-after"), shown))
                except httpx.TransportError as error:
                    found.append(type(error).__name__)
            found.append(http.post(JOBS, json={**BELL, "shots": 0}).status_code)
        return found

    with recording(vendor, tape) as session:
        recorded = seen(session)
    assert recorded[0][:2] == (429, "7")
    assert b"Toofast." in recorded[0][2]
    assert [type(each) for each in recorded[:3]] == [tuple, str, str]
    assert recorded[4][2].startswith(b"<!DOCTYPEhtml>")
    assert recorded[6] == 400
    with testing.replay(tape) as replayed:
        assert seen(replayed) == recorded


def test_an_unreachable_vendor_is_named(tape: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with testing.record(tape, {"/x": address}) as session:
        answer = httpx.get(f"{session.url}/x/y")
        assert (answer.status_code, f"{address} cannot be reached" in answer.text) == (502, True)
        answer = httpx.get(f"{session.url}/elsewhere")
        assert "There is no target for /elsewhere; there are /x." in answer.text
    assert read(tape).exchanges == ()


@pytest.mark.parametrize(
    ("targets", "key", "message"),
    [
        ({}, None, "give at least one"),
        ({"ionq": "https://api.ionq.co"}, None, "must begin with a slash"),
        ({"/ionq": "api.ionq.co"}, None, "is not an address"),
        ({"/ionq": "https://me:secret@api.ionq.co"}, None, "must not contain a user"),
        ({"/ionq": "http://api.ionq.co"}, None, "would carry the key unencrypted"),
        ({"/ionq": "https://api.ionq.co"}, "short", "at least 8 printable characters"),
    ],
)
def test_a_wrong_target_or_key_is_refused(
    targets: dict[str, str], key: str | None, message: str, tape: Path
) -> None:
    with pytest.raises(CassetteError, match=message):
        testing.record(tape, targets, key=key)


# --- secrets --------------------------------------------------------------------------------------


def test_no_secret_is_in_the_file_in_any_encoding(vendor: Cloud, tape: Path) -> None:
    """Every place that a client can put a key into, and some that it should not."""
    key = vendor.token
    other = vendor.account("ben").token
    for _ in range(2):
        # A vendor that shows the key in an error and in a header that clients read.
        vendor.fault("status", status=401, message=f"The key {key} is unknown.", times=1)
    with recording(vendor, tape) as session, client(session) as http:
        own = session.token
        assert http.get(f"{AT}/whoami").status_code == 401
        assert http.get(f"{AT}/whoami").status_code == 401
        assert http.get(f"{AT}/whoami").is_success  # with the key in the place of the placeholder
        http.get(f"{JOBS}?access_token={key}&api_key={other}")
        http.post(
            JOBS,
            json={
                **BELL,
                "name": f"for {key}",
                "metadata": {
                    "note": base64.b64encode(f"x{key}".encode()).decode(),
                    "owner": "ada.lovelace@lab.example.org",
                    "password": "rather-secret-7",
                },
            },
        )
        http.get(f"{JOBS}/{key}")
        http.get(JOBS, headers={"Authorization": f"apiKey {other}", "Cookie": "sid=c00kie-9876"})
        pair = base64.b64encode(f"ada:{other}".encode()).decode()
        http.get(JOBS, headers={"Authorization": f"Basic {pair}", "X-Secret-Thing": other})
        http.post(f"{AT}/login", data={"refresh_token": own, "password": "rather-secret-8"})
    text = tape.read_text()
    secrets = [key, other, own, "c00kie-9876", "rather-secret-7", "rather-secret-8"]
    scrubber = Scrubber([*secrets, "ada.lovelace@lab.example.org"])
    assert not scrubber.contains_secret(text.encode())
    for each in [*secrets, "ada.lovelace", pair]:
        assert each not in text
    assert "SCRUBBED-KEY" in text
    assert len(read(tape).exchanges) == 9
    # The key itself went to the vendor, the placeholder did not.
    assert vendor.requests(path="*/whoami", status=200)


def test_a_session_token_that_the_vendor_issues_is_scrubbed_and_can_be_replayed(
    vendor: Cloud, tape: Path
) -> None:
    with testing.record(tape, {"/": vendor.url}, key=vendor.token) as session:
        issued = xanadu(session)
    assert issued not in tape.read_text()
    with testing.replay(tape) as session:
        assert xanadu(session) != issued


def xanadu(session: Recording | Replay) -> str:
    """Sign in and use the token that comes back; return it."""
    path = "/auth/realms/platform/protocol/openid-connect/token"
    form = {
        "grant_type": "refresh_token",
        "refresh_token": session.token,
        "client_id": "public",
    }
    answer = httpx.post(session.url + path, data=form)
    assert answer.is_success, answer.text
    token = str(answer.json()["access_token"])
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{session.url}/devices", headers=headers).is_success
    return token


def test_a_key_follows_no_redirect(tmp_path: Path, tape: Path) -> None:
    arrived: list[bytes] = []

    def serve(listener: socket.socket, answer: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                arrived.append(connection.recv(65536))
                connection.sendall(answer)

    with (
        socket.create_server(("127.0.0.1", 0)) as thief,
        socket.create_server(("127.0.0.1", 0)) as first,
    ):
        elsewhere = f"http://127.0.0.1:{thief.getsockname()[1]}/steal"
        here = f"http://127.0.0.1:{first.getsockname()[1]}"
        redirect = f"HTTP/1.1 307 x\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n".encode()
        for listener in (thief, first):
            threading.Thread(target=serve, args=(listener, redirect), daemon=True).start()
        with testing.record(tape, {"/v": here}, key="a-key-of-mine") as session:
            headers = {"X-Api-Key": session.token}
            answer = httpx.get(f"{session.url}/v/jobs", headers=headers, follow_redirects=True)
            assert answer.status_code == 502
            assert "Keys follow no redirect" in answer.text
        for listener in (thief, first):
            listener.shutdown(socket.SHUT_RDWR)
    assert len(arrived) == 1
    assert b"a-key-of-mine" in arrived[0]
    assert b"location" not in tape.read_bytes()


def test_addresses_of_the_vendor_become_those_of_the_recorder(vendor: Cloud, tape: Path) -> None:
    targets = {"/": vendor.url}
    with testing.record(tape, targets, key=vendor.token) as session:
        headers = {"Authorization": f"Bearer {session.token}"}
        assert httpx.get(f"{session.url}/v1/devices", headers=headers).is_success
    assert vendor.url not in tape.read_text().partition('"exchanges"')[2]


# --- drift ----------------------------------------------------------------------------------------


def test_our_own_recording_has_no_drift(vendor: Cloud, tape: Path) -> None:
    vendor.scenario("stay_queued", polls=2)
    record_bell(vendor, tape)
    vendor.reset()
    assert vendor.check(tape) == []
    paths = [each.path for each in vendor.requests()]
    ids = {each["request"]["path"] for each in json.loads(tape.read_text())["exchanges"][1:]}
    assert not ids & {*paths}  # the recorded id became that of the new job


def test_drift_is_found_field_by_field(vendor: Cloud, tape: Path) -> None:
    record_bell(vendor, tape)
    document = json.loads(tape.read_text())
    last = next(
        e for e in reversed(document["exchanges"]) if e["response"]["body"]["json"].get("id")
    )
    answer = last["response"]["body"]["json"]
    answer["status"] = "done"
    answer["shots"] = "100"
    answer["queue_position"] = 3
    removed = answer.pop("backend")
    answer["submitted_at"] = 1_700_000_000
    document["exchanges"][0]["response"]["status"] = 202
    document["exchanges"][-1]["response"]["body"]["json"] = {"00": 0.5, "11": 0.5, "norm": 1}
    tape.write_text(json.dumps(document))
    found = {(each.field, each.vendor, each.qwicket) for each in vendor.check(tape)}
    assert removed == "simulator"
    assert found == {
        ("status", "202", "201"),
        ("/status", '"done"', '"completed"'),
        ("/shots", "digits", "number"),
        ("/queue_position", "number", "nothing"),
        ("/backend", "nothing", '"simulator"'),
        ("/submitted_at", "number", "time"),
        ("/norm", "number", "nothing"),
    }
    ignored = vendor.check(tape, ignore=("/s*", "status", "/queue*"))
    assert {each.field for each in ignored} == {"/backend", "/norm"}


def test_names_of_devices_can_be_others_here(vendor: Cloud, tape: Path) -> None:
    record_bell(vendor, tape)
    tape.write_text(tape.read_text().replace('"simulator"', '"qpu.harmony-9"'))
    assert vendor.check(tape)
    assert not [
        e for e in vendor.check(tape, names={"qpu.harmony-9": "simulator"}) if e.qwicket == ""
    ]


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.extended
def test_the_commands_record_replay_and_check(vendor: Cloud, tape: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, requests\n"
        "headers = {'Authorization': 'apiKey ' + os.environ['IONQ_API_KEY']}\n"
        "assert 'A_KEY' not in os.environ\n"
        "r = requests.get(os.environ['IONQ_API_URL'] + '/whoami', headers=headers)\n"
        "print(r.status_code, sorted(r.json()))\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "qwicket", "cassette", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "A_KEY": vendor.token, "PYTHONWARNINGS": "error"},
        )

    program = ("--client", "qiskit-ionq", "--", sys.executable, str(script))
    target = ("--target", f"{AT}={vendor.url}/v0.4", "--key-env", "A_KEY")
    made = run("record", str(tape), *target, *program)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("200 ")
    script.write_text(script.read_text().replace("assert 'A_KEY' not in os.environ\n", ""))
    again = run("replay", str(tape), *program)
    assert (again.returncode, again.stdout, again.stderr) == (0, made.stdout, "")
    script.write_text(script.read_text().replace("/whoami", "/whois"))
    wrong = run("replay", str(tape), *program)
    assert wrong.returncode == 1
    assert f'path: recorded "{AT}/whoami", sent "{AT}/whois"' in wrong.stderr
    same = run("check", str(tape))
    assert (same.returncode, same.stdout) == (0, "No response differs.\n"), same.stderr
    tape.write_text(tape.read_text().replace('"status": 200', '"status": 203'))
    drifted = run("check", str(tape), "--json")
    assert drifted.returncode == 1
    assert json.loads(drifted.stdout)[0]["field"] == "status"
    assert "There is no command 'nothing'" in run("replay", str(tape), "--", "nothing").stderr


def test_a_recording_without_a_command_ends_with_a_signal(vendor: Cloud, tape: Path) -> None:
    command = [sys.executable, "-m", "qwicket", "cassette", "record", str(tape)]
    key = tape.with_name("key")
    key.write_text(f"{vendor.token}\n")
    command += ["--target", f"{AT}={vendor.url}/v0.4", "--key-file", str(key)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().removeprefix("Listening on ").partition(";")[0]
        lines = [process.stderr.readline().strip() for _ in range(2)]
        token = lines[1].removeprefix("export QWICKET_TOKEN=")
        headers = {"Authorization": f"apiKey {token}"}
        assert httpx.get(f"{url}{AT}/whoami", headers=headers).is_success
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert len(read(tape).exchanges) == 1
