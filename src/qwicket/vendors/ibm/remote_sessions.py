"""Sessions and batches of the IBM Quantum Platform, one for each group of jobs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from qwicket.drivers.remote.clouds import CloudError, NoSuchJob, NotAccepted, Refused
from qwicket.drivers.remote.failures import SERVICE_ERRORS, submission_error
from qwicket.vendors.ibm.client.errors import IBMQXError
from qwicket.vendors.ibm.dialect.names import RUNTIME
from qwicket.vendors.ibm.dialect.runtime.wire import session_fields_decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.groups import ForwardedGroup

_MAX_KNOWN: Final = 1_000
"""Sessions whose ids are in memory; those of others are read from a job there."""


class Sessions:
    """Opens a session for each group at its first job, finds it again, and closes it.

    Args:
        request: Sends a request to the API, as `PlatformClient.at_runtime`.
        backend: Name of the device there.
    """

    def __init__(self, request: Callable[..., Any], backend: str) -> None:
        self._request = request
        self._backend = backend
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()  # two jobs of a group must not open two sessions

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of the groups whose sessions are known."""
        return tuple(self._known)

    def of(self, group: ForwardedGroup) -> str:
        """Return the id of the session of a group; open one if it has none that takes jobs.

        Raises:
            Refused: The account may have no such session.
            NotAccepted: There is none now. No job was sent.
        """
        with self._lock:
            try:
                id = self._find(group)
                if id is None or not self._takes_jobs(id):
                    id = self._open(group)
            except NotAccepted:
                raise
            except CloudError as error:
                raise NotAccepted(str(error), error.retry_after_s) from None
            self._known.pop(group.id, None)
            while len(self._known) >= _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[group.id] = id
            return id

    def close(self, group: str) -> None:
        """Close the session of a group, if it takes jobs.

        Raises:
            CloudError: This failed.
        """
        with self._lock:
            id = self._known.get(group)
            if id is not None and self._takes_jobs(id):
                with SERVICE_ERRORS.cancelling():
                    self._request("PATCH", "sessions", id, body={"accepting_jobs": False})
            self._known.pop(group, None)

    def _find(self, group: ForwardedGroup) -> str | None:
        known = self._known.get(group.id)
        if known is not None or group.vendor_job_id is None:
            return known
        try:
            with SERVICE_ERRORS.reading():
                job = self._request("GET", "jobs", group.vendor_job_id, exclude_params="true")
        except NoSuchJob:
            return None
        id = job.get("session_id")
        return id if isinstance(id, str) and id else None

    def _takes_jobs(self, id: str) -> bool:
        try:
            with SERVICE_ERRORS.reading():
                return self._request("GET", "sessions", id).get("accepting_jobs") is True
        except NoSuchJob:
            return False

    def _open(self, group: ForwardedGroup) -> str:
        mode = "batch"
        if group.dialect == RUNTIME:
            mode = session_fields_decoder.decode(group.body).mode
        body: dict[str, Any] = {"mode": mode, "backend": self._backend}
        if group.expires_at is not None:
            body["max_ttl"] = max(1, group.expires_at // 1000 - int(time.time()))
        try:
            id = self._request("POST", "sessions", body=body).get("id")
        except IBMQXError as error:
            meaning = submission_error(error)
            if isinstance(meaning, NotAccepted | Refused):
                raise meaning from None
            raise NotAccepted(str(error)) from None
        if not isinstance(id, str) or not id:
            raise NotAccepted("the session there has no id")
        return id
