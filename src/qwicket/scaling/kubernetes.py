"""Workers as Kubernetes Jobs with one pod each, made from a manifest.

Uses the HTTP interface `batch/v1` of the API server, with the field `status.ready` of Jobs, which
exists since Kubernetes 1.24.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

from qwicket.clients.http import bounds
from qwicket.clients.http.requests_adapter import mount_deadline_adapters
from qwicket.scaling.site import SiteError, Workers

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S: Final = 30.0
_POD_FILES: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_GROUP: Final = "qwicket.org/group"
_KIND: Final = "qwicket.org/kind"


class KubernetesSite:
    """Creates Jobs from a manifest.

    Args:
        manifest: A Job whose first container runs `qwicket worker`; the worker's name, slots and
            idle time come as environment variables.
        group: Name of the group.
        slots: Jobs that each worker runs at the same time.
        idle_s: Seconds without a job after which a spare worker ends.
        url: Address of `kubectl proxy`; None uses the account of the pod in which this runs.

    Raises:
        ValueError: The manifest is not that of a Job with a container.
        SiteError: This does not run in a pod, and no address is given.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        group: str,
        *,
        slots: int,
        idle_s: float,
        url: str | None = None,
    ) -> None:
        _check(manifest)
        self.slots = slots
        self._manifest = manifest
        self._group = group
        self._idle_s = idle_s
        self._session = requests.Session()
        mount_deadline_adapters(self._session)
        self._session.trust_env = False  # proxy settings must not apply inside the cluster
        if url is None:
            url, default_namespace = _use_pod_account(self._session)
        else:
            default_namespace = "default"
        namespace = (manifest.get("metadata") or {}).get("namespace") or default_namespace
        self._path = f"{url.rstrip('/')}/apis/batch/v1/namespaces/{namespace}/jobs"

    def __repr__(self) -> str:
        return f"<KubernetesSite of {self._group} at {self._path}>"

    def workers(self) -> Workers:
        found = [each for each in self._jobs() if not _has_ended(each)]
        kinds = [each["metadata"]["labels"].get(_KIND) for each in found]
        n_waiting = sum(map(_is_waiting, found))
        return Workers(kinds.count("kept"), kinds.count("spare"), n_waiting)

    def start(self, n: int, *, is_kept: bool) -> None:
        for _ in range(n):
            self._call("POST", self._path, json=self._job(is_kept=is_kept))

    def withdraw(self) -> None:
        for each in self._jobs():
            if _is_waiting(each) and not _has_ended(each):
                path = f"{self._path}/{each['metadata']['name']}"
                self._call("DELETE", path, params={"propagationPolicy": "Background"})

    def _job(self, *, is_kept: bool) -> dict[str, Any]:
        job: dict[str, Any] = copy.deepcopy({**self._manifest})
        metadata = job["metadata"] = job.get("metadata") or {}
        metadata.pop("name", None)
        metadata["generateName"] = f"qwicket-{self._group}-"
        metadata["labels"] = (metadata.get("labels") or {}) | {
            _GROUP: self._group,
            _KIND: "kept" if is_kept else "spare",
        }
        spec = job["spec"]
        # Kubernetes restarts no failed worker, because the scaler starts a new one after a pause.
        spec.setdefault("backoffLimit", 0)
        spec.setdefault("ttlSecondsAfterFinished", 300)
        pod = spec["template"]["spec"]
        pod.setdefault("restartPolicy", "Never")
        variables = {"QWICKET_NAME": self._group, "QWICKET_SLOTS": str(self.slots)}
        if not is_kept:
            variables["QWICKET_IDLE_S"] = f"{self._idle_s:g}"
        container = pod["containers"][0]
        others = [each for each in container.get("env") or [] if each.get("name") not in variables]
        container["env"] = [*others, *({"name": k, "value": v} for k, v in variables.items())]
        return job

    def _jobs(self) -> list[dict[str, Any]]:
        found = self._call("GET", self._path, params={"labelSelector": f"{_GROUP}={self._group}"})
        items: list[dict[str, Any]] = found.get("items") or []
        return items

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        # In a pod `verify` is the path of a certificate. Kubernetes replaces the token of a running
        # pod, so each request reads the file.
        if self._session.verify is not True:
            try:
                token = (_POD_FILES / "token").read_text().strip()
            except OSError as error:
                raise SiteError(f"{_POD_FILES}/token cannot be read: {error.strerror}") from None
            options["headers"] = {"Authorization": f"Bearer {token}"}
        try:
            with bounds.within(bounds.SMALL) as in_use:
                response = self._session.request(
                    method, path, timeout=_TIMEOUT_S, allow_redirects=False, **options
                )
            body = response.json()
        except (requests.RequestException, ValueError) as error:
            if in_use.exceeded:
                raise SiteError(in_use.exceeded) from None
            raise SiteError(f"Kubernetes does not respond: {type(error).__name__}") from None
        if not response.ok or not isinstance(body, dict):
            reason = str(body.get("message", ""))[:500] if isinstance(body, dict) else ""
            raise SiteError(f"Kubernetes refuses {method}: {response.status_code} {reason}")
        return body


def _use_pod_account(session: requests.Session) -> tuple[str, str]:
    """Let a session use this pod's certificate; return the API's address and its namespace."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}") for name in ("HOST", "PORT"))
    if not host or not (_POD_FILES / "token").exists():
        raise SiteError(
            "this does not run in a pod of Kubernetes; start `kubectl proxy` and set"
            " --kubernetes-url http://127.0.0.1:8001"
        )
    session.verify = str(_POD_FILES / "ca.crt")
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}:{port or 443}", (_POD_FILES / "namespace").read_text().strip()


def _check(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError unless a manifest is that of a Job with a container, which has an image."""
    try:
        is_job = (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
        is_job = is_job and bool(manifest["spec"]["template"]["spec"]["containers"][0]["image"])
    except (KeyError, IndexError, TypeError):
        is_job = False
    if not is_job:
        raise ValueError("it is not the manifest of a Job of batch/v1 with a container.")


def _has_ended(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    return any(
        each.get("type") in {"Complete", "Failed"} and each.get("status") == "True"
        for each in conditions
    )


def _is_waiting(job: Mapping[str, Any]) -> bool:
    """Return whether a Job is a spare worker without a ready pod."""
    is_spare = job["metadata"]["labels"].get(_KIND) == "spare"
    return is_spare and not job.get("status", {}).get("ready")
