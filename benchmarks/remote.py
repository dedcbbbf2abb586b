"""The time that a second server in front adds to a call and to a job, and a check for lost jobs.

`python -m benchmarks.remote [JOBS]` starts two servers, one behind the other, and prints a table of
calls of IonQ's API: in turn at the server behind, at the one in front, and at an address of the
one in front whose requests pass through. Then it sends JOBS jobs through both servers, by Qwicket's
own API, and counts how often each arrived.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from support.own_addresses import own_url
from support.programs import BELL
from support.remotes import write_device
from support.server import LiveServer
from support.waiting import until

JOBS: Final = 10_000
ROUNDS: Final = 200
POLL_S: Final = 0.2
AT_ONCE: Final = 64
_CLIENTS: Final = 16
_END_S: Final = 1800.0
_API: Final = "/ionq/v0.4"


class Side(NamedTuple):
    """An address of IonQ's API, a token for it, and the name of the device there."""

    url: str
    token: str
    device: str


class Row(NamedTuple):
    """One call, or one job: the median and the 95th percentile at each side, in milliseconds."""

    name: str
    figures: list[tuple[float, float]]


def rows(sides: dict[str, Side]) -> list[Row]:
    """Return the figures of each call, measured in turn, in the order of the sides."""
    took: dict[tuple[str, str], list[float]] = {}
    clients = {
        name: httpx.Client(base_url=side.url, headers={"Authorization": f"apiKey {side.token}"})
        for name, side in sides.items()
    }
    for _, side in itertools.product(range(ROUNDS), sides):
        client, body = clients[side], {"backend": sides[side].device, "shots": 10, "input": BELL}
        began = time.perf_counter()
        made = client.post("/jobs", json={"type": "ionq.circuit.v1", **body})
        took.setdefault(("submit", side), []).append(time.perf_counter() - began)
        job = made.raise_for_status().json()["id"]
        # All of them delay the first read of a young job until it ends, at most 250 ms.
        while client.get(f"/jobs/{job}").raise_for_status().json()["status"] != "completed":
            assert time.perf_counter() - began < _END_S
            time.sleep(0.01)
        took.setdefault(("job", side), []).append(time.perf_counter() - began)
        read_at = time.perf_counter()
        client.get(f"/jobs/{job}/results/probabilities").raise_for_status()
        took.setdefault(("read", side), []).append(time.perf_counter() - read_at)
        listed = time.perf_counter()
        client.get("/backends").raise_for_status()
        took.setdefault(("backends", side), []).append(time.perf_counter() - listed)
    for each in clients.values():
        each.close()
    names = {
        "submit": "`POST /jobs`",
        "read": "`GET /jobs/{id}/results/…`",
        "backends": "`GET /backends`",
        "job": "a job, from its submission to its end",
    }
    return [Row(text, [_figures(took[key, side]) for side in sides]) for key, text in names.items()]


def _figures(times: list[float]) -> tuple[float, float]:
    return statistics.median(times) * 1000, statistics.quantiles(times, n=20)[-1] * 1000


def pass_through(front: LiveServer, behind: LiveServer, count: int) -> str:
    """Send jobs to `far`; return a sentence with the times and numbers.

    They do not pass through: the server in front polls their states.
    """
    began = time.perf_counter()
    with front.client() as http, ThreadPoolExecutor(_CLIENTS) as threads:
        body = {"program": BELL, "device": "far", "shots": 10}
        made = threads.map(lambda _: http.post("/v1/jobs", json=body), range(count))
        sent = [each.raise_for_status().json()["id"] for each in made]
        submitted_s = time.perf_counter() - began
        while not _have_ended(http):
            assert time.perf_counter() - began < _END_S
            time.sleep(0.5)
        took_s = time.perf_counter() - began
        n_completed = sum(each["state"] == "completed" for each in _jobs(http))
    with behind.client(behind.token("gate")) as http:
        names = Counter(each["name"] for each in _jobs(http))
    there = Counter(names[f"qwicket-{each}"] for each in sent)
    return (
        f"{count:,} jobs by Qwicket's own API: submitted in {submitted_s:.0f} s, ended after"
        f" {took_s:.0f} s ({count / took_s:.0f} jobs/s; at most {AT_ONCE} at the server behind at a"
        f" time, polled at most every {POLL_S} s). {n_completed:,} jobs of the account are"
        f" completed. The server behind received {there[1]:,} jobs exactly once, {there[0]:,}"
        f" never, {sum(there.values()) - there[0] - there[1]:,} more than once."
    )


def _have_ended(http: httpx.Client) -> bool:
    query = {"state": "queued,running,uncertain", "limit": "1"}
    return not http.get("/v1/jobs", params=query).raise_for_status().json()["jobs"]


def _jobs(http: httpx.Client) -> Iterator[dict[str, Any]]:
    query: dict[str, str] = {"limit": "200"}
    while True:
        page = http.get("/v1/jobs", params=query).raise_for_status().json()
        yield from page["jobs"]
        if page["next"] is None:
            return
        query["before"] = str(page["next"])


def main() -> None:
    """Print the tables."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        behind = LiveServer(folder / "behind")
        key = behind.token("gate")
        at = (folder / "devices", behind, key)
        devices = write_device(*at, poll_s=POLL_S, jobs_at_once=AT_ONCE)
        write_device(*at, kind="ionq", name="passed", pass_through=True)
        front = LiveServer(
            folder / "front",
            *("--device-dir", str(devices), "--listen", "port=0,dialect=ionq,device=passed"),
        )
        try:
            with front.client() as http:
                until(
                    lambda: http.get("/v1/devices/far").json()["status"] == "on",
                    "the server behind is seen",
                )
            sides = {
                "direct": Side(behind.url + _API, behind.token(), "simulator"),
                "through both": Side(front.url + _API, front.token(), "far"),
                "passed through": Side(
                    own_url(front, "ionq") + _API.removeprefix("/ionq"), front.token(), "simulator"
                ),
            }
            print(f"| call |{''.join(f' {each}, median ms | p95 |' for each in sides)}")
            print(f"|---|{'--:|' * 2 * len(sides)}")
            for row in rows(sides):
                cells = [f"{figure:.1f}" for pair in row.figures for figure in pair]
                print(f"| {row.name} | {' | '.join(cells)} |")
            print(f"\n{pass_through(front, behind, count)}")
        finally:
            front.stop()
            behind.stop()


if __name__ == "__main__":
    main()
