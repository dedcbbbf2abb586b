"""A stub of Kubernetes with Dask's operator, whose scheduler and workers are processes here.

It keeps objects as `dask-kubernetes` and its library `kr8s` create and read them, and does what the
operator does: a DaskCluster becomes a scheduler with a service and a worker group, and the number
of workers follows the replicas of the group.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from support.dask import QUIET
from support.json_handler import JSONHandler
from support.ports import held_port

Object = dict[str, Any]

_API: Final = "kubernetes.dask.org/v1"
_KINDS: Final = {
    "v1": {"Pod": "pods", "Service": "services"},
    _API: {
        "DaskCluster": "daskclusters",
        "DaskWorkerGroup": "daskworkergroups",
        "DaskAutoscaler": "daskautoscalers",
    },
}
_STEP_S: Final = 0.1


class DaskOperator:
    """Listens for clients with the environment `env`; `objects` are by kind and name."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.objects: dict[tuple[str, str], Object] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self._port = held_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=each, daemon=True)
            for each in (self._server.serve_forever, self._follow)
        ]
        for thread in self._threads:
            thread.start()
        cluster = {"server": f"http://127.0.0.1:{self._server.server_port}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stub",
            "clusters": [{"name": "stub", "cluster": cluster}],
            "users": [{"name": "stub", "user": {}}],
            "contexts": [
                {
                    "name": "stub",
                    "context": {"cluster": "stub", "user": "stub", "namespace": "lab"},
                }
            ],
        }
        file = folder / "kubeconfig"
        file.write_text(json.dumps(config))
        self.env = {"KUBECONFIG": str(file)}

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._end()

    @property
    def replicas(self) -> int:
        """Number of workers that a client asks for; 0 without a cluster."""
        groups = [each for (kind, _), each in self.objects.items() if kind == "daskworkergroups"]
        return sum(each["spec"]["worker"]["replicas"] for each in groups)

    def create(self, kind: str, made: Object) -> Object:
        name = made["metadata"]["name"]
        made["metadata"] |= {"namespace": "lab", "uid": name, "resourceVersion": "1"}
        made["metadata"].setdefault("labels", {})
        self.objects[kind, name] = made
        if kind == "daskclusters":
            self._create_cluster(made, name)
        return made

    def delete(self, kind: str, name: str) -> Object | None:
        found = self.objects.pop((kind, name), None)
        if kind == "daskclusters":
            self.objects.clear()
        return found

    def _create_cluster(self, cluster: Object, name: str) -> None:
        self._scheduler = self._run(
            *("scheduler", "--host", "127.0.0.1", "--port", str(self._port)),
            *("--dashboard-address", "127.0.0.1:0"),
        )
        labels = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}

        def part(api: str, kind: str, ending: str, **fields: Any) -> None:
            metadata = {"name": f"{name}-{ending}", "labels": labels}
            made = {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}
            self.create(_KINDS[api][kind], made)

        ready = [{"type": each, "status": "True"} for each in ("Ready", "ContainersReady")]
        container = {"name": "scheduler", "ready": True, "state": {"running": {}}}
        status = {"phase": "Running", "conditions": ready, "containerStatuses": [container]}
        part("v1", "Pod", "scheduler-0", status=status)
        ports = [{"name": each, "port": self._port} for each in ("tcp-comm", "http-dashboard")]
        part(
            *("v1", "Service", "scheduler"),
            spec={"type": "LoadBalancer", "selector": labels, "ports": ports},
            status={"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
        )
        worker = {"replicas": cluster["spec"]["worker"]["replicas"]}
        part(_API, "DaskWorkerGroup", "default", spec={"cluster": name, "worker": worker})
        cluster["status"] = {"phase": "Running"}

    def _follow(self) -> None:
        while not self._stopping.wait(_STEP_S):
            if not any(kind == "daskclusters" for kind, _ in self.objects):
                self._end()
                continue
            self.workers = [each for each in self.workers if each.poll() is None]
            while len(self.workers) < self.replicas:
                self.workers.append(
                    self._run(
                        *("worker", f"tcp://127.0.0.1:{self._port}", "--nthreads", "1"),
                        *("--no-nanny", "--no-dashboard", "--memory-limit", "1GB"),
                        *("--local-directory", str(self._folder)),
                    )
                )
            while len(self.workers) > self.replicas:
                _kill(self.workers.pop())

    def _end(self) -> None:
        for each in [*self.workers, *filter(None, [self._scheduler])]:
            _kill(each)
        self.workers, self._scheduler = [], None

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **QUIET},
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _merge(into: Object, changes: Object) -> None:
    for name, value in changes.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


def _discovered(path: str) -> Object | None:
    """Return what Kubernetes answers about itself."""
    if path == "/version":
        return {"major": "1", "minor": "30", "gitVersion": "v1.30.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        version = {"groupVersion": _API, "version": "v1"}
        group = {"name": "kubernetes.dask.org", "versions": [version], "preferredVersion": version}
        return {"kind": "APIGroupList", "groups": [group]}
    api = path.removeprefix("/apis/").removeprefix("/api/")
    if api not in _KINDS:
        return None
    resources = [
        {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": ["create", "delete", "get", "list", "patch"],
        }
        for kind, plural in _KINDS[api].items()
    ]
    return {"kind": "APIResourceList", "groupVersion": api, "resources": resources}


def _is_selected(found: Object, query: dict[str, list[str]]) -> bool:
    metadata = found["metadata"]
    phase = found.get("status", {}).get("phase")
    fields = {"metadata.name": metadata["name"], "status.phase": phase}
    return all(
        known.get(clause.partition("=")[0]) == clause.partition("=")[2].lstrip("=")
        for option, known in (("fieldSelector", fields), ("labelSelector", metadata["labels"]))
        for clause in ",".join(query.get(option, [])).split(",")
        if clause
    )


def _handler(operator: DaskOperator) -> type[JSONHandler]:
    class Handler(JSONHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind, name, query = self._target()
            known = _discovered(urlsplit(self.path).path.rstrip("/"))
            if known is not None or name:
                self._answer_found(known or operator.objects.get((kind, name)))
                return
            items = [
                each
                for (other, _), each in [*operator.objects.items()]
                if other == kind and _is_selected(each, query)
            ]
            self.answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})

        def do_POST(self) -> None:
            self.answer(201, operator.create(self._target()[0], self.body()))

        def do_PATCH(self) -> None:
            kind, name, _ = self._target()
            changes, found = self.body(), operator.objects.get((kind, name))
            if found is not None:
                _merge(found, changes)
            self._answer_found(found)

        def do_DELETE(self) -> None:
            self.body()
            kind, name, _ = self._target()
            self._answer_found(operator.delete(kind, name))

        def _target(self) -> tuple[str, str, dict[str, list[str]]]:
            """Return the kind and the name in the path, and the query."""
            parts = urlsplit(self.path)
            _, _, rest = parts.path.partition("/namespaces/lab/")
            kind, _, name = rest.partition("/")
            return kind, name, parse_qs(parts.query)

        def _answer_found(self, found: Object | None) -> None:
            missing = {"kind": "Status", "code": 404, "message": "not found"}
            self.answer(404 if found is None else 200, missing if found is None else found)

    return Handler
