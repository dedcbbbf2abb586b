"""A stub of the API server of Kubernetes: Jobs of `batch/v1`, each pod a process of this machine.

It answers as the API's reference says, and runs the command of a Job's first container. This lets
tests run a scaler together with its workers.
"""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.json_handler import JSONHandler

JOBS = "/apis/batch/v1/namespaces/lab/jobs"


class Kubernetes:
    """Listens at `url`; has `jobs` by name; while `is_full`, new pods stay pending."""

    def __init__(self, folder: Path) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, subprocess.Popen[bytes]] = {}
        self.is_full = False
        self.refusal: tuple[int, str] | None = None
        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        for pod in self.pods.values():
            pod.kill()
            pod.wait()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def running(self) -> list[str]:
        return [name for name, pod in self.pods.items() if pod.poll() is None]

    def create(self, job: dict[str, Any]) -> dict[str, Any]:
        name = f"{job['metadata']['generateName']}{len(self.jobs):05}"
        job["metadata"]["name"] = name
        self.jobs[name] = job
        if not self.is_full:
            container = job["spec"]["template"]["spec"]["containers"][0]
            env = {each["name"]: each["value"] for each in container["env"]}
            with (self._folder / f"{name}.log").open("wb") as log:
                self.pods[name] = subprocess.Popen(
                    container["command"], env={**os.environ, **env}, stdout=log, stderr=log
                )
        return job

    def listed(self, selector: str) -> dict[str, Any]:
        key, _, value = selector.partition("=")
        found = [job for job in self.jobs.values() if job["metadata"]["labels"].get(key) == value]
        for job in found:
            job["status"] = self._status(job["metadata"]["name"])
        return {"kind": "JobList", "apiVersion": "batch/v1", "items": found}

    def _status(self, name: str) -> dict[str, Any]:
        pod = self.pods.get(name)
        if pod is None:
            return {"active": 1, "ready": 0}
        if pod.poll() is None:
            return {"active": 1, "ready": 1}
        kind = "Failed" if pod.returncode else "Complete"
        return {"conditions": [{"type": kind, "status": "True"}]}


def _handler(cluster: Kubernetes) -> type[JSONHandler]:
    class Handler(JSONHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            assert parts.path == JOBS
            self.answer(200, cluster.listed(parse_qs(parts.query)["labelSelector"][0]))

        def do_POST(self) -> None:
            assert self.path == JOBS
            self.answer(201, cluster.create(self.body()))

        def do_DELETE(self) -> None:
            parts = urlsplit(self.path)
            assert parse_qs(parts.query) == {"propagationPolicy": ["Background"]}
            cluster.jobs.pop(parts.path.removeprefix(f"{JOBS}/"))
            self.answer(200, {"kind": "Status", "status": "Success"})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            if cluster.refusal is not None:
                status, message = cluster.refusal
                body = {"kind": "Status", "status": "Failure", "message": message}
            super().answer(status, body)

    return Handler
