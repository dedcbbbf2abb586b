"""Jobs that a token asks for first: who confirms them, for what, and how each dialect says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from abuse.every_route import SUBMISSIONS, SUBMIT_PATHS, SignedIn
from abuse.refusals import SHAPES, STATUSES
from support import ibm
from support.pages import PASSWORD, TOKEN, Browser, Person
from support.programs import BELL
from support.server import LiveServer, cli, run_here

JOB = {"device": "simulator", "program": BELL, "shots": 100}
LINK = re.compile(r"(http://[^ ]+)(/ui/confirmations/([0-9a-f-]{36}))")


class Assistant:
    """An assistant with a token that asks first above 50 shots, and the person who owns it."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.person = Person(server, "ada")
        self.secret = self.new_token()
        self.http = server.client(self.secret)
        self.owner = server.client(self.person.token)

    def new_token(self, **fields: Any) -> str:
        fields = {"project": self.person.name, "name": "helper", **fields}
        page = self.person.browser.submit(
            "/ui/account", "/ui/tokens", **{"ask_above_shots": "50", **fields}
        )
        return str(TOKEN.findall(page.text)[0])

    def close(self) -> None:
        self.http.close()
        self.owner.close()
        self.person.__exit__()

    def submit(self, **changes: Any) -> httpx.Response:
        return self.http.post("/v1/jobs", json=JOB | changes)

    def asked(self, **changes: Any) -> str:
        """Submit a job that is refused until a person confirms it; return the question's id."""
        refused = self.submit(**changes)
        assert refused.status_code == 403, refused.text
        assert refused.json()["code"] == "confirmation_needed"
        found = LINK.search(refused.json()["detail"])
        assert found
        assert found[1] == self.server.url
        return found[3]

    def answer(self, question: str, answer: str = "confirm") -> httpx.Response:
        path = f"/ui/confirmations/{question}"
        return self.person.browser.submit(path, path, answer=answer)

    def tool(self, name: str, **arguments: Any) -> dict[str, Any]:
        call = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        result = self.http.post("/mcp", json=body).json()["result"]
        assert result["isError"] == ("error" in result["structuredContent"])
        found: dict[str, Any] = result["structuredContent"]
        return found


@pytest.fixture
def assistant(shared_server: LiveServer) -> Iterator[Assistant]:
    made = Assistant(shared_server)
    yield made
    made.close()


def test_a_person_reads_what_is_asked_and_confirms_it_once(assistant: Assistant) -> None:
    assert assistant.submit(shots=50).status_code == 201
    question = assistant.asked(name="<b>scan</b>")
    assert assistant.asked(name="<b>scan</b>") == question
    with Browser(assistant.server.url) as browser:
        path = f"/ui/confirmations/{question}"
        assert browser.get(path).headers["location"] == "/ui/sign-in"
        back = browser.sign_in(assistant.person.name, PASSWORD)
        assert back.headers["location"] == path
        page = browser.get(path).text
        for shown in ("helper", "&lt;b&gt;scan", "100 shots", "simulator", "gate"):
            assert shown in page
        assert browser.post(path, data={"answer": "confirm"}).status_code == 403, "no csrf"
        wrong = browser.submit(path, path, answer="perhaps")
        assert wrong.status_code == 400
    assert assistant.asked() == question, "the name is not what is confirmed"
    assert assistant.answer(question).status_code == 303
    assert "You have confirmed it" in assistant.person.browser.get(path).text
    job = assistant.submit(name="<b>scan</b>")
    assert job.status_code == 201, job.text
    assert "the job was submitted" in assistant.person.browser.get(path).text
    assert assistant.asked() != question, "a confirmation holds once"


@pytest.mark.parametrize(
    "changes",
    [
        {"shots": 101},
        {"device": "clifford"},
        {"program": BELL | {"qubits": 3}},
        {"program": BELL | {"circuit": [*BELL["circuit"], {"gate": "h", "target": 0}]}},
    ],
    ids=["shots", "device", "qubits", "circuit"],
)
def test_a_confirmation_is_for_one_device_program_and_number_of_shots(
    assistant: Assistant, changes: dict[str, Any]
) -> None:
    question = assistant.asked()
    assistant.answer(question)
    assert assistant.asked(**changes) != question
    assert assistant.submit().status_code == 201


def test_a_refusal_is_said_to_the_assistant_and_does_not_ask_again(assistant: Assistant) -> None:
    question = assistant.asked()
    assistant.answer(question, "refuse")
    refused = assistant.submit()
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_refused")
    assert "/ui/" not in refused.json()["detail"]
    assert (
        "You have refused it" in assistant.person.browser.get(f"/ui/confirmations/{question}").text
    )
    again = assistant.person.browser.submit(
        "/ui/account", f"/ui/confirmations/{question}", answer="confirm"
    )
    assert again.status_code == 409
    assert "answered already" in again.text


def test_only_another_token_without_bounds_that_may_submit_the_job_confirms_it(
    assistant: Assistant,
) -> None:
    question = assistant.asked()
    server, name = assistant.server, assistant.person.name

    def made(*options: str) -> str:
        return server.admin("token", "create", "--user", name, *options)

    refusing = {
        "its own": (assistant.secret, 403),
        "another with bounds": (assistant.new_token(), 403),
        "one that only reads": (made("--scope", "jobs:read"), 403),
        "one for another device": (made("--device", "clifford"), 404),
        "another account's": (server.token(server.unused("ben")), 404),
    }
    for whose, (secret, status) in refusing.items():
        with server.client(secret) as http:
            path = f"/v1/confirmations/{question}"
            assert http.get(path).status_code == status, whose
            assert http.post(path, json={"answer": "confirm"}).status_code == status, whose
            listed = http.get("/v1/confirmations")
            assert listed.status_code == 403 or listed.json() == {"confirmations": []}, whose
    assistant.asked()
    path = f"/v1/confirmations/{question}"
    for wrong in ("nothing", "%00", question.replace(question[0], "f", 1)):
        answer = {"answer": "confirm"}
        assert assistant.owner.post(f"/v1/confirmations/{wrong}", json=answer).status_code == 404
    assert assistant.owner.post(path, json={"answer": "yes"}).status_code == 400
    (waiting,) = assistant.owner.get("/v1/confirmations").json()["confirmations"]
    assert waiting == assistant.owner.get(path).json()
    answered = assistant.owner.post(path, json={"answer": "confirm"}).json()
    changed = {"state": "confirmed", "answered_at": answered["answered_at"]}
    assert answered == waiting | changed
    assert json.loads(waiting["program"])["circuit"] == BELL["circuit"]
    assert assistant.submit().status_code == 201
    assert assistant.owner.get(path).json()["state"] == "used"
    assert assistant.owner.post(path, json={"answer": "confirm"}).status_code == 409


def test_a_command_lists_confirms_and_refuses(assistant: Assistant) -> None:
    env = {"QWICKET_URL": assistant.server.url, "QWICKET_TOKEN": assistant.person.token}
    first, second = assistant.asked(name="scan"), assistant.asked(shots=200)
    listed = cli("confirm", env=env).splitlines()
    assert [line.split()[0] for line in listed] == [first, second]
    assert listed[0].split()[1:] == ["simulator", "100", "helper", "scan"]
    assert cli("confirm", first, env=env) == f"{first}  confirmed"
    assert json.loads(cli("confirm", second, "--refuse", "--json", env=env))["state"] == "refused"
    assert assistant.submit().status_code == 201
    assert assistant.submit(shots=200).json()["code"] == "confirmation_refused"
    own = run_here("confirm", first, env=env | {"QWICKET_TOKEN": assistant.secret})
    assert own.returncode == 1
    assert "A token with bounds confirms nothing" in own.stderr
    assert run_here("confirm", "--refuse", env=env).returncode == 2


@pytest.mark.parametrize("prefix", SHAPES)
def test_each_dialect_says_whom_to_ask_and_where(assistant: Assistant, prefix: str) -> None:
    secret = assistant.new_token(ask_above_shots="0")
    with httpx.Client(base_url=assistant.server.url, timeout=60) as http:
        headers = SignedIn(http, secret).headers(prefix)
        path = prefix + SUBMIT_PATHS.get(prefix, "/jobs")
        answer = http.post(path, json=SUBMISSIONS[prefix], headers=headers)
        assert answer.status_code == STATUSES[prefix], answer.text
        said = SHAPES[prefix](answer)
        assert "Say to the person: " in said
        found = LINK.search(said)
        assert found
        assert found[1] == assistant.server.url
        assert assistant.answer(found[3]).status_code == 303
        again = http.post(path, json=SUBMISSIONS[prefix], headers=headers)
        assert again.is_success, again.text


def test_an_uploaded_program_fails_its_job_with_the_page(assistant: Assistant) -> None:
    secret = assistant.new_token(ask_above_shots="0")
    with httpx.Client(base_url=assistant.server.url, timeout=60) as http:
        client = ibm.Client(http, secret)

        def uploaded() -> dict[str, Any]:
            draft = client.draft()
            assert http.put(draft["objectStorageInfo"]["uploadUrl"], json=ibm.qobj()).is_success
            client.call("POST", f"/Jobs/{draft['id']}/jobDataUploaded")
            return client.ended(draft["id"])

        refused = uploaded()
        assert refused["status"] != "COMPLETED"
        found = re.search(r"/ui/confirmations/([0-9a-f-]{36})", str(refused["error"]))
        assert found
        assistant.answer(found[1])
        assert uploaded()["status"] == "COMPLETED"


def test_tools_say_what_is_left_and_what_to_say_to_the_person(assistant: Assistant) -> None:
    secret = assistant.new_token(daily_shots="250")
    assistant.http.headers["authorization"] = f"Bearer {secret}"
    program = {"device": "simulator", "program": BELL, "shots": 100}
    estimate = assistant.tool("estimate", **program)
    left = {"shots_left": 250, "cost_left": None, "refusal": "", "asks_first": True}
    assert estimate["bounds"] == left
    assert "asks the person" in estimate["next"]
    refused = assistant.tool("submit_job", **program)
    assert refused["error"]["code"] == "confirmation_needed"
    found = LINK.search(refused["next"])
    assert found
    assert refused["next"].startswith('Say to the person: "Please open http://')
    claimed = assistant.tool("submit_job", **program, confirmed=True)
    assert "confirmed" in claimed["untrusted"]["detail"], "no argument confirms"
    assistant.answer(found[3])
    assert assistant.tool("submit_job", **program)["id"]
    usage = assistant.tool("usage")["bounds"]
    assert (usage["daily_shots"], usage["shots_left"], usage["ask_above_shots"]) == (250, 150, 50)
    estimate = assistant.tool("estimate", **program | {"shots": 200})
    assert "150 shots left" in estimate["bounds"]["refusal"]
    assert "use no more today" in estimate["next"]
    capped = assistant.tool("submit_job", **program | {"shots": 200})
    assert capped["error"]["code"] == "bound_reached", "no person is asked in vain"


def test_a_repeated_call_is_one_job_and_uses_one_confirmation(assistant: Assistant) -> None:
    job = {**JOB, "idempotency_key": "one"}
    found = LINK.search(assistant.tool("submit_job", **job)["next"])
    assert found
    assistant.answer(found[3])
    first, second = (assistant.tool("submit_job", **job) for _ in range(2))
    assert first["id"] == second["id"]
    other = assistant.tool("submit_job", **job | {"idempotency_key": "two"})
    assert other["error"]["code"] == "confirmation_needed"
