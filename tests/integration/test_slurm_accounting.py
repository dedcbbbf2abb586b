"""Qwicket beside Slurm's accounting: use by jobs of Slurm, and devices as licences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.held import HeldJob, held_job
from support.server import LiveServer, running_server
from support.slurm import ACCOUNT, Slurm, needs_root
from support.waiting import until

pytestmark = [pytest.mark.extended, needs_root, pytest.mark.timeout(300)]

QWICKET = (sys.executable, "-m", "qwicket")
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; h q; bit c = measure q;'


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    made = Slurm(has_accounting=True)
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with running_server(tmp_path / "server", "--workers", "2") as live:
        yield live


def qwicket(slurm: Slurm, server: LiveServer, *words: str, token: str = "") -> str:
    """Run a command where Slurm's commands are; return what it printed."""
    place = () if token else ("--data-dir", str(server.folder / "data"))
    env = {**os.environ, **slurm.env, "QWICKET_URL": server.url, "QWICKET_TOKEN": token}
    done = subprocess.run(
        [*QWICKET, *words, *place], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sbatch(slurm: Slurm, folder: Path, script: str, *options: str, **env: str) -> str:
    """Submit a batch script; return its id."""
    done = subprocess.run(
        ["sbatch", "--parsable", "--output=job.log", *options],
        env={**os.environ, **slurm.env, **env},
        input=f"#!/bin/sh\n{script}\n",
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def licences(slurm: Slurm) -> dict[str, tuple[int, int, int]]:
    """Return of each licence the number, and how many are used and reserved, by the controller."""
    found = {}
    for line in slurm.run("scontrol", "-o", "show", "licenses").splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if not fields:  # no licence is known
            continue
        total, used, reserved = (int(fields[name]) for name in ("Total", "Used", "Reserved"))
        found[fields["LicenseName"]] = (total, used, reserved)
    return found


def test_use_is_listed_beside_the_rows_of_sacct(
    slurm: Slurm, server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "coin.qasm").write_text(PROGRAM)
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}
    command = f"{sys.executable} -m qwicket submit coin.qasm --device simulator --shots 7 --wait"
    job = sbatch(slurm, tmp_path, command, **env)
    assert slurm.end_state(job, timeout_s=120) == "COMPLETED", (tmp_path / "job.log").read_text()
    body = {"program": PROGRAM, "device": "simulator", "shots": 5}
    with server.client() as http:
        for said in ({"Qwicket-Slurm-Account": "chemistry"}, {"Qwicket-Slurm-Job": "999999"}):
            headers = {"Qwicket-Slurm-Job": job} | said
            http.post("/v1/jobs?wait=60", json=body, headers=headers).raise_for_status()

    def joined() -> list[dict[str, object]]:
        return list(json.loads(qwicket(slurm, server, "slurm", "usage", "--json")))

    def ended() -> list[dict[str, object]]:
        return [each for each in joined() if each["state"] == "COMPLETED"]

    until(lambda: len(ended()) == 2, "the accounting knows that the job has ended", timeout_s=60)
    found = {(each["slurm_job"], each["said_account"]): each for each in joined()}
    own = found[job, ACCOUNT]
    assert (own["jobs"], own["shots"], own["project"]) == (1, 7, "ada")
    assert (own["slurm_account"], own["slurm_user"], own["agrees"]) == (ACCOUNT, "root", "yes")
    false = found[job, "chemistry"]
    assert (false["slurm_account"], false["shots"], false["agrees"]) == (ACCOUNT, 5, "no")
    unknown = found["999999", ""]
    assert (unknown["slurm_account"], unknown["agrees"]) == ("", "no")
    assert "agrees" in qwicket(slurm, server, "slurm", "usage", "--csv").splitlines()[0]


def test_a_job_of_slurm_starts_when_its_device_has_a_free_slot(
    slurm: Slurm, server: LiveServer, tmp_path: Path
) -> None:
    def mirrored() -> tuple[int, int, int]:
        qwicket(slurm, server, "slurm", "licenses", "--once", "--device", "simulator")
        return licences(slurm)["simulator@qwicket"]

    def submit(held: HeldJob, **headers: str) -> str:
        body = {"program": held.program, "device": "simulator"}
        job = http.post("/v1/jobs", json=body, headers=headers).json()["id"]
        held.wait_until_running()
        return str(job)

    assert mirrored() == (2, 0, 0)
    with server.client() as http:
        held = {submit(each): each for each in (held_job(), held_job())}
        assert mirrored() == (2, 0, 2), "others have all slots"
        waiting = sbatch(slurm, tmp_path, "sleep 600", "--licenses=simulator@qwicket:1")
        until(
            lambda: slurm.run("squeue", "-h", "-j", waiting, "-o", "%r") == "Licenses",
            "it waits for a licence",
            timeout_s=60,
        )
        for job, each in held.items():
            each.release()
            http.get(f"/v1/jobs/{job}", params={"wait": 60}).raise_for_status()
        assert mirrored()[::2] == (2, 0)
        until(lambda: waiting in slurm.jobs(), "it starts", timeout_s=60)
        own = held_job()
        submit(own, **{"Qwicket-Slurm-Job": waiting})
        assert mirrored() == (2, 1, 0), "Slurm itself has counted its job"
        own.release()
        server.admin("device", "off", "simulator", "--reason", "service")
        assert mirrored() == (2, 1, 2), "no job starts for a device that is off"
        server.admin("device", "on", "simulator")
        assert mirrored() == (2, 1, 0)
    slurm.run("scancel", waiting)


def test_licences_follow_the_devices_until_the_command_is_stopped(
    slurm: Slurm, server: LiveServer
) -> None:
    place = ("--data-dir", str(server.folder / "data"))
    command = (*QWICKET, "slurm", "licenses", "--server", "live", "--every-s", "1", *place)
    env = {**os.environ, **slurm.env}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: licences(slurm).get("clifford@live") == (2, 0, 0), "it has begun")
            server.admin("device", "off", "clifford", "--reason", "service")
            until(lambda: licences(slurm)["clifford@live"] == (2, 0, 2), "it follows")
            assert licences(slurm)["simulator@live"] == (2, 0, 0)
            assert "x8_01@live" in licences(slurm), "Slurm has names in lower case"
            process.terminate()
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "clifford@live: 0 of 2 are free" in said
    assert "ERROR" not in said


def test_a_device_that_is_unknown_is_refused_by_name(server: LiveServer) -> None:
    with pytest.raises(AssertionError, match="there is no device 'none'"):
        server.admin("slurm", "licenses", "--once", "--device", "none")
