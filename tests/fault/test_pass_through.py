"""A request that passes through is sent once, however the machine answers and this server dies."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.crooked_proxy import CrookedProxy
from support.own_addresses import own_url
from support.remotes import write_device
from support.server import LiveServer
from support.waiting import until

KILLS = 200 if os.environ.get("QWICKET_FAULT") == "long" else 5
JOBS_PER_KILL = 6
BELL = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


def submit(url: str, token: str, name: str) -> tuple[str, str] | None:
    """Submit once, as a client that never repeats; return name and id if there was a response."""
    body = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 5, "input": BELL}
    try:
        made = httpx.post(
            f"{url}/v0.4/jobs",
            json={**body, "name": name},
            headers={"Authorization": f"apiKey {token}"},
            timeout=30,
        )
    except httpx.HTTPError:
        return None
    return (name, str(made.json()["id"])) if made.status_code == 201 else None


def names_of(there: httpx.Client) -> dict[str, list[str]]:
    """Return the ids of the jobs at the machine by their names."""
    found: dict[str, list[str]] = {}
    query = {"limit": "200"}
    while True:
        page = there.get("/v1/jobs", params=query).json()
        for job in page["jobs"]:
            found.setdefault(job["name"], []).append(job["id"])
        if page["next"] is None:
            return found
        query["before"] = str(page["next"])


@pytest.mark.timeout(120 + 60 * KILLS)
def test_crashes_and_bad_answers_double_no_request(behind: LiveServer, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    key = behind.token("gate")
    acknowledged: dict[str, str] = {}
    with CrookedProxy(behind.url, seed, share=0.3) as proxy:
        # Nothing in a request says whose it is: a machine that mixes answers up is believed.
        proxy.mixes_up = False
        place = (tmp_path / "devices", behind, key)
        folder = write_device(*place, kind="ionq", name="lab", url=proxy.url, timeout_s=2.0)
        with (folder / "lab.toml").open("a") as file:
            file.write("pass_through = true\n")
        front = LiveServer(
            tmp_path / "front",
            *("--device-dir", str(folder), "--lease-s", "4", "--limit", "wait_s=5"),
            *("--listen", "port=0,dialect=ionq,device=lab"),
        )
        token = front.token()
        try:
            for k in range(KILLS):
                url = own_url(front, "ionq")
                with ThreadPoolExecutor(JOBS_PER_KILL) as threads:
                    waits = [
                        threads.submit(submit, url, token, f"job-{k}-{n}")
                        for n in range(JOBS_PER_KILL)
                    ]
                    time.sleep(dice.random() * 2)
                    front.kill()
                    acknowledged |= dict(found for each in waits if (found := each.result()))
                front.start()
            proxy.share = 0.0
            assert_each_ends(front, behind, key, seed)
            last = submit(own_url(front, "ionq"), token, "last")
            assert last is not None
            acknowledged |= [last]
            with behind.client(key) as there:
                at_machine = names_of(there)
            assert all(len(ids) == 1 for ids in at_machine.values()), seed
            with httpx.Client(
                base_url=own_url(front, "ionq"), headers={"Authorization": f"apiKey {token}"}
            ) as client:
                for name, id in acknowledged.items():
                    assert at_machine[name] == [id], seed
                    assert client.get(f"/v0.4/jobs/{id}").json()["name"] == name, seed
        finally:
            front.stop()
    assert len(set(proxy.faults)) > 3, "the proxy did something else than pass requests on"


def program_of(front: LiveServer, job: str) -> bytes:
    """Return the request that is a job's program, which its page shows, too."""
    place = f"file:{front.folder / 'data' / 'qwicket.db'}?mode=ro"
    with closing(sqlite3.connect(place, uri=True)) as database:
        (found,) = database.execute("select source from program where job = ?", [job]).fetchone()
    return bytes(found)


def assert_each_ends(front: LiveServer, behind: LiveServer, key: str, seed: int) -> None:
    """Decide each doubt as an administrator would who looks at the machine; then all jobs end."""
    front.as_admin(lambda admin: admin.add_account("root", "admin", email=None, password=None))
    scopes = ("jobs:read", "admin")
    token = front.as_admin(lambda admin: admin.create_token("root", scopes=scopes)).secret
    resolved: Counter[str] = Counter()
    asked = [f"job-{k}-{n}" for k in range(KILLS) for n in range(JOBS_PER_KILL)]
    with front.client() as own, front.client(token) as root, behind.client(key) as there:

        def have_all_ended() -> bool:
            query = {"state": "queued,running,uncertain,cancelling", "limit": "200"}
            left = own.get("/v1/jobs", params=query).raise_for_status().json()["jobs"]
            names = names_of(there)
            for job in left:
                if job["state"] not in ("uncertain", "cancelling"):
                    continue
                program = program_of(front, job["id"])
                name = next(each for each in asked if f'"{each}"'.encode() in program)
                sent_as = names[name][0] if name in names else None
                answer = root.post(f"/v1/admin/jobs/{job['id']}/resolve", json={"sent_as": sent_as})
                if "needs no decision" not in answer.text:  # it may be looked for at this moment
                    resolved[str(answer.status_code)] += 1
            return not left

        until(have_all_ended, f"all jobs end (seed {seed})", timeout_s=300)
    assert set(resolved) <= {"200"}, (seed, resolved)
