"""A job remembers the job and the account of Slurm that its client named; nothing checks them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import pytest

import qwicket
from support.for_each import for_each
from support.pages import Person
from support.programs import BELL
from support.server import LiveServer, run_here

BODY = {"program": BELL, "device": "simulator", "shots": 10}
SAID = "Slurm, as its client says"


def test_a_client_in_slurm_names_its_job_and_account_and_every_view_says_who_said_it(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "physics.lab-1")
    with Person(server, "sue") as sue, Person(server, "chief", "admin") as chief:
        job = sue.submit()
        assert job.info["slurm"] == {"job": "4711", "account": "physics.lab-1"}
        said = "job 4711, account physics.lab-1"
        assert f"<dt>{SAID}</dt><dd>{said}</dd>" in sue.browser.get(f"/ui/jobs/{job.id}").text
        page = chief.browser.get(f"/ui/admin/jobs/{job.id}").text
        assert f"<dt>{SAID}</dt><dd>{said}</dd>" in page
        assert SAID in job._repr_html_()
        assert said in job._repr_html_()
        env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": sue.token}
        shown = run_here("job", "show", job.id, env=env).stdout
        (line,) = [line for line in shown.splitlines() if said in line]
        assert line.startswith(SAID)


def test_a_command_in_slurm_names_its_job(server: LiveServer, tmp_path: Path) -> None:
    program = tmp_path / "bell.qasm"
    program.write_text("OPENQASM 3.0; qubit q; bit c = measure q;")
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token(), "SLURM_JOB_ID": "4712"}
    done = run_here("submit", str(program), "--device", "simulator", env=env)
    with qwicket.connect(server.url, server.token()) as client:
        assert client.job(done.stdout.strip()).info["slurm"] == {"job": "4712", "account": None}
        assert client.submit(BELL, "simulator").info["slurm"] is None


def test_a_name_that_a_server_would_refuse_keeps_no_program_from_running(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711\r\nX: y")
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "a" * 65)
    with qwicket.connect(server.url, server.token()) as client:
        assert client.submit(BELL, "simulator").info["slurm"] is None


@for_each(
    "header, name",
    [
        (header, name)
        for header in ("Qwicket-Slurm-Job", "Qwicket-Slurm-Account")
        for name in ("", "a" * 65, "=1+1", "-j", "a b", "a,b", "<b>", "a/b")
    ],
)
def test_a_name_that_is_long_or_not_plain_is_refused_by_its_header(
    http: httpx.Client, header: str, name: str
) -> None:
    answer = http.post("/v1/jobs", json=BODY, headers={header: name})
    assert (answer.status_code, answer.json()["field"]) == (400, header)
    assert f"{header} must be 1 to 64" in answer.json()["detail"]


def test_a_name_of_64_characters_is_taken(http: httpx.Client) -> None:
    headers = {"Qwicket-Slurm-Job": "9" * 64, "Qwicket-Slurm-Account": "a.b_c+d@e-f"}
    found = http.post("/v1/jobs", json=BODY, headers=headers).json()["slurm"]
    assert found == {"job": "9" * 64, "account": "a.b_c+d@e-f"}


def test_a_submission_that_is_repeated_in_another_job_of_slurm_is_the_same_job(
    http: httpx.Client,
) -> None:
    headers = {"Idempotency-Key": "once-in-slurm", "Qwicket-Slurm-Job": "1"}
    first = http.post("/v1/jobs", json=BODY, headers=headers).json()
    again = http.post("/v1/jobs", json=BODY, headers=headers | {"Qwicket-Slurm-Job": "2"})
    assert (again.json()["id"], again.json()["slurm"]["job"]) == (first["id"], "1")


def test_the_use_of_jobs_is_summed_by_what_their_clients_said_of_slurm(server: LiveServer) -> None:
    name = server.unused("sum")
    with server.client(server.token(name)) as http:
        for headers in (
            {"Qwicket-Slurm-Job": "71", "Qwicket-Slurm-Account": "chem"},
            {"Qwicket-Slurm-Job": "71", "Qwicket-Slurm-Account": "chem"},
            {"Qwicket-Slurm-Job": "72", "Qwicket-Slurm-Account": "chem"},
            {},
        ):
            answer = http.post("/v1/jobs?wait=60", json=BODY, headers=headers).json()
            assert answer["state"] == "completed"
    found = server.admin("usage", "--by", "account,slurm_account,slurm_job", "--csv")
    lines = [line for line in csv.reader(io.StringIO(found)) if line[0] in {"account", name}]
    assert [line[:5] for line in lines] == [
        ["account", "slurm_account", "slurm_job", "jobs", "shots"],
        [name, "", "", "1", "10"],
        [name, "chem", "71", "2", "20"],
        [name, "chem", "72", "1", "10"],
    ]
    with Person(server, "boss", "admin") as boss:
        page = boss.browser.get("/ui/admin/usage?by=slurm_account").text
    assert "account of Slurm, as clients say" in page
    assert "chem" in page
