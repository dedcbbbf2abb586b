"""What other people's requests notice while hostile texts arrive: polls idle and under fire.

The texts are those of `tests/support/hostile.py`. Idle and fire take turns, so that both see the
same machine.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.latency import BELL, Figure, Keeper
from benchmarks.live import Live, account, server

ROUNDS: Final = 3
ACCOUNTS: Final = 4
IDLE_S: Final = 2.0
MOST_TIMES: Final = 3.0


def measure() -> list[Figure]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        data = Path(folder) / "data"
        with server(data) as live:
            tokens = [account(data, f"evil-{k}") for k in range(ACCOUNTS)]
            keeper = Keeper(live.url, live.token)
            job = _bell(keeper)
            idle: list[float] = []
            fire: list[float] = []
            spans: list[float] = []
            for _ in range(ROUNDS):
                idle += _polls(keeper, job, _lasting(IDLE_S))
                began = time.monotonic()
                fire += _polls_under_fire(live, tokens, keeper, job)
                spans.append(time.monotonic() - began)
    floor, p95 = _p95(idle), _p95(fire)
    return [
        Figure(
            f"poll while {len(_texts())} hostile texts arrive, p95",
            f"{1000 * p95:.2f} ms, {p95 / floor:.1f} × idle",
            f"{1000 * floor:.2f} ms",
            f"{MOST_TIMES:g} × idle",
            p95 <= MOST_TIMES * floor,
        ),
        Figure(
            f"{len(_texts())} hostile texts, of {ACCOUNTS} accounts, until the last answer",
            f"{statistics.median(spans):.1f} s",
            "",
            "",
            None,
        ),
    ]


def _texts() -> list[str]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    texts: dict[str, str] = importlib.import_module("support.hostile").HOSTILE
    return list(texts.values())


def _bell(keeper: Keeper) -> str:
    body = json.dumps({"program": BELL, "device": "simulator", "shots": 1000}).encode()
    job: str = json.loads(keeper.ask("POST", "/v1/jobs", body))["id"]
    keeper.ask("GET", f"/v1/jobs/{job}/result?wait=30")
    return job


def _polls_under_fire(live: Live, tokens: list[str], keeper: Keeper, job: str) -> list[float]:
    """Submit all texts at once; return how long each poll took until the last was answered."""
    texts = _texts()
    with ThreadPoolExecutor(len(texts)) as senders:
        sent = [
            senders.submit(_send, live, tokens[k % len(tokens)], text)
            for k, text in enumerate(texts)
        ]
        times = _polls(keeper, job, lambda: any(not each.done() for each in sent))
        assert all(each.result() < 500 for each in sent)
    return times


def _send(live: Live, token: str, text: str) -> int:
    """Submit a text; return the answer's status."""
    body = json.dumps({"program": text, "device": "simulator", "shots": 10}).encode()
    return Keeper(live.url, token).status("POST", "/v1/jobs", body)


def _lasting(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _polls(keeper: Keeper, job: str, goes_on: Callable[[], bool]) -> list[float]:
    """Ask for a job's state without a pause; return how long each answer took."""
    times = []
    while goes_on():
        began = time.perf_counter()
        keeper.ask("GET", f"/v1/jobs/{job}")
        times.append(time.perf_counter() - began)
    return times


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
