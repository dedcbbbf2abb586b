"""Translates errors of our clients: what they mean for a submission, a read or a cancellation."""

from __future__ import annotations

import logging
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.clients.http.errors import APIError, RetriableError, ServiceError
from qwicket.clients.http.retries import retry_after_s
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    CloudError,
    Forbidden,
    KeyRefused,
    NoProof,
    NoSuchJob,
    NotAccepted,
    NotUnderstood,
    OutcomeUnknown,
    Refused,
    TryLater,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qwicket.drivers.remote.clouds import RemoteStatus, Statuses

_log = logging.getLogger(__name__)
UNSURE: Final = frozenset({408, 409, 425, 499})
"""Status codes of 4xx responses after which a job may exist all the same."""
FORWARDED: Final = "qwicket-forwarded"
"""Tag of all jobs of Qwicket servers at Runtime and at other Qwicket servers, by which one request
lists them."""
_ENDED_STATUS_CODES: Final = (400, 404, 409)
"""Status codes of responses to the cancellation of a job that has ended or is gone."""
_MAX_FAILURES: Final = 3
"""Jobs whose states could not be read, after which the others are left for the next poll."""


class ErrorTranslator(NamedTuple):
    """Translates the errors of one client.

    Attributes:
        type: Class of its errors.
        status: Returns the status of the response; None if there was none.
        retry_after_s: Returns the seconds to wait that the response asks for.
    """

    type: type[Exception]
    status: Callable[[Exception], int | None]
    retry_after_s: Callable[[Exception], float] = lambda _error: 0.0

    @contextmanager
    def reading(self, on_404: Callable[[str], Exception] = NoSuchJob) -> Iterator[None]:
        """Translate the errors of a read.

        Args:
            on_404: Makes the exception for status 404 from the text of the response.

        Raises:
            CloudError: The read failed.
            NoSuchJob: The status is 404, unless `on_404` makes another exception.
        """
        try:
            yield
        except self.type as error:
            if self.status(error) == 404:
                raise on_404(str(error)) from None
            raise self._of_read(error) from None

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Translate the errors of a cancellation; a job that is over or gone is not an error.

        Raises:
            CloudError: The cancellation failed.
        """
        try:
            yield
        except self.type as error:
            if self.status(error) not in _ENDED_STATUS_CODES:
                raise self._of_read(error) from None

    def _of_read(self, error: Exception) -> CloudError:
        if refusal := key_refusal(self.status(error), str(error)):
            return refusal
        return CloudError(str(error), self.retry_after_s(error))


def _status(error: Exception) -> int | None:
    return error.status_code if isinstance(error, APIError) else None


def _retry_after_s(error: Exception) -> float:
    return retry_after_s(error.headers, time.time()) if isinstance(error, APIError) else 0.0


SERVICE_ERRORS: Final = ErrorTranslator(ServiceError, _status, _retry_after_s)
"""Errors of the clients that use `clients.http`."""


def read_one_by_one(ids: Iterable[str], read: Callable[[str], RemoteStatus]) -> Statuses:
    """Read the states of jobs one after another.

    Stop after `_MAX_FAILURES` that could not be read, or if the cloud asks for a pause.

    Args:
        ids: Ids of the jobs.
        read: Reads the state of one.
    """
    found: dict[str, RemoteStatus | NoSuchJob | CloudError] = {}
    n_failures = 0
    for id in ids:
        try:
            found[id] = read(id)
        except NoSuchJob as absent:
            found[id] = absent
        except CloudError as error:
            found[id] = error
            n_failures += 1
            if n_failures == _MAX_FAILURES or error.retry_after_s:
                break
        except Exception as error:
            found[id] = not_understood(error)
    return found


def id_with_marker(marker: str, jobs: Iterable[tuple[str | None, str]]) -> str | None:
    """Return the id of the job with a marker in a list that was filtered by this marker.

    Args:
        marker: The marker.
        jobs: Marker and id of each listed job.

    Raises:
        NoProof: The list contains other jobs: the cloud ignores the filter.
    """
    listed = list(jobs)
    for theirs, id in listed:
        if theirs == marker:
            return id
    if listed:
        raise NoProof("its list has jobs that were not asked for")
    return None


def marker_in(tags: Iterable[object]) -> str | None:
    """Return the marker among the tags of a job, or else its first other tag.

    A person may have added or changed tags there.
    """
    theirs = [str(tag) for tag in tags if tag != FORWARDED]
    markers = (tag for tag in theirs if tag.startswith(MARKER_PREFIX))
    return next(markers, theirs[0] if theirs else None)


def not_understood(error: Exception) -> NotUnderstood:
    """Return the error for a response that our code could not process; log where it failed."""
    # The text of the error is left out: it may quote the cloud, and the cloud may quote the key.
    place = "".join(traceback.format_tb(error.__traceback__))
    _log.info("a response was not understood (%s):\n%s", type(error).__name__, place)
    return NotUnderstood(f"the response was not understood ({type(error).__name__})")


def key_refusal(status: int | None, text: str) -> KeyRefused | None:
    """Return the error of a status that concerns the key; None for any other status."""
    kind = {401: KeyRefused, 403: Forbidden}.get(status or 0)
    return kind(text) if kind is not None else None


def before_submission(error: ServiceError) -> NotAccepted:
    """Return what an error before a submission means: the cloud has not accepted the job."""
    meaning = submission_error(error)
    if isinstance(meaning, NotAccepted):
        return meaning
    return NotAccepted(str(error), _retry_after_s(error))


def submission_error(error: ServiceError) -> Exception:
    """Return what the error of a client means for a submission."""
    if not isinstance(error, APIError):  # the client refused the program, or the server the job
        return Refused(error.message)
    if isinstance(error, RetriableError) and error.was_surely_not_done:
        kind = TryLater if error.status_code == 429 else NotAccepted
        return kind(str(error), retry_after_s(error.headers, time.time()))
    if not error.was_sent:
        return NotAccepted(str(error))
    found = submission_error_of_status(error.status_code, error.message)
    return OutcomeUnknown(str(error)) if isinstance(error, RetriableError) else found


def submission_error_of_status(status: int | None, text: str) -> Exception:
    """Return what the status of a response means for a submission; None means no response."""
    if refusal := key_refusal(status, text):
        return refusal
    if status is not None and 400 <= status < 500 and status not in UNSURE:
        return TryLater(text) if status == 429 else Refused(text)
    return OutcomeUnknown(text)
