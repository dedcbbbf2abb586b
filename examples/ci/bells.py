"""The code under test: a Bell pair by IonQ's API. It repeats requests that a busy cloud refuses."""

import os
import time

import requests

RETRIED = {429, 502, 503}
BELL = {
    "type": "ionq.circuit.v1",
    "backend": "simulator",
    "shots": 100,
    "input": {
        "qubits": 2,
        "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
    },
}


class JobFailed(Exception):
    """The job ended without a result; the message is the vendor's."""


def bell_probabilities(pause_s: float = 0.1, tries: int = 5) -> dict[str, float]:
    """Submit a Bell pair and return its probabilities by outcome.

    Args:
        pause_s: Seconds between two requests.
        tries: Requests until a refusal counts.

    Raises:
        JobFailed: The job failed or was cancelled.
    """
    job = _request("POST", "/jobs", tries, pause_s, BELL)["id"]
    while (found := _request("GET", f"/jobs/{job}", tries, pause_s))["status"] != "completed":
        if found["status"] in ("failed", "canceled"):
            raise JobFailed((found.get("failure") or {}).get("error") or found["status"])
        time.sleep(pause_s)
    return _request("GET", f"/jobs/{job}/results/probabilities", tries, pause_s)


def _request(method: str, path: str, tries: int, pause_s: float, body: dict | None = None) -> dict:
    url = os.environ["IONQ_API_URL"] + path
    headers = {"Authorization": "apiKey " + os.environ["IONQ_API_KEY"]}
    for _ in range(tries):
        answer = requests.request(method, url, json=body, headers=headers, timeout=10)
        if answer.status_code not in RETRIED:
            break
        time.sleep(pause_s)
    answer.raise_for_status()
    return answer.json()
