"""All errors that the server may return, as one tree; dialects define some subclasses.

    QwicketError
    ├── InvalidRequest      400  the request is malformed, or a field of it is
    │   └── InvalidProgram  400  the program's text is refused
    ├── LimitExceeded       400  a limit of this server or device is exceeded
    │   └── BodyTooLarge    413
    ├── Unauthenticated     401  no token, or one that is not valid
    ├── Forbidden           403  the token or account may not do this
    │   └── BudgetSpent     403  a budget of the project has no room for the job
    │       ├── BoundReached         403  the token may use no more today
    │       ├── ConfirmationNeeded   403  a person must confirm the job first
    │       └── ConfirmationRefused  403  a person has refused the job
    ├── NotFound            404  unknown, or not yours, without distinction
    ├── MethodNotAllowed    405
    ├── RequestTimeout      408  the request did not arrive in time
    ├── Conflict            409  the present state does not allow it
    │   ├── NotFinished     409  the job has not ended yet
    │   ├── NoResult        409  the job ended without a result
    │   └── StaleLease      409  another runner has the job, or it has ended
    ├── Gone                410  it was taken away, and something else took its place
    ├── KeyReused           422  an idempotency key came with other content
    ├── TooManyRequests     429
    ├── InternalError       500  unexpected; logged under an id
    ├── NotOffered          501  known, but not implemented here
    ├── Unavailable         503  server stopping, database silent, no capacity
    │   └── DeviceOff       503  the device is off, or takes no new jobs
    └── StorageFull         507  the disk of the server or its database is full

Each class has an HTTP status, a stable code, and sentences for meaning, usual cause and remedy.
Dialects map the code to their vendor's body; no other code builds error bodies. The documentation
is generated from `codes`.
"""

from __future__ import annotations

from typing import ClassVar


class QwicketError(Exception):
    """Base class.

    Args:
        detail: Text for the user. In responses it has no path of a file, no SQL and no traceback.
        field: Name of the invalid field, if any.
        retry_after_s: Seconds after which a retry is useful, if it is.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    title: ClassVar[str] = "The request failed."
    cause: ClassVar[str] = ""
    remedy: ClassVar[str] = "See the detail."

    def __init__(
        self, detail: str = "", *, field: str | None = None, retry_after_s: float | None = None
    ) -> None:
        self.detail = detail or self.title
        self.field = field
        self.retry_after_s = retry_after_s
        super().__init__(self.detail)


class InvalidRequest(QwicketError):
    status = 400
    code = "invalid_request"
    title = "The request is malformed."
    cause = (
        "The JSON does not parse, a field is missing, unknown, of the wrong type or out of"
        " its range, or the path has no such query parameter."
    )
    remedy = "Correct the field that the detail names and send the request again."


class InvalidProgram(InvalidRequest):
    code = "invalid_program"
    title = "The program was refused."
    cause = (
        "The text is not a program of its format, or uses something that its parser does not"
        " support. The detail gives the line, or the path in the JSON."
    )
    remedy = "Correct the program where the detail points and submit it again."


class LimitExceeded(QwicketError):
    status = 400
    code = "limit_exceeded"
    title = "A limit was exceeded."
    cause = (
        "A size, a number or an estimate is above a limit of this server or of the device."
        " The detail names the limit and its value."
    )
    remedy = "Ask for less, or ask the administrator to raise the limit that the detail names."


class BodyTooLarge(LimitExceeded):
    status = 413
    code = "body_too_large"
    title = "The request body is too large."
    cause = (
        "The body is over `body_bytes`, an upload is over `upload_bytes`, or the report of an agent"
        " or worker is over `outcome_bytes`."
    )
    remedy = "Send a smaller body."


class Unauthenticated(QwicketError):
    status = 401
    code = "unauthenticated"
    title = "A valid token is needed."
    cause = "The token is missing, misspelt, expired or revoked, or its account is disabled."
    remedy = "Send a token made by `qwicket token create` that is neither expired nor revoked."


class Forbidden(QwicketError):
    status = 403
    code = "forbidden"
    title = "This token may not do that."
    cause = (
        "The token lacks a scope, is not for this device or project, or the object belongs to"
        " another account of your project."
    )
    remedy = "Use a token with the scope or device that the detail names."


class BudgetSpent(Forbidden):
    code = "budget_spent"
    title = "A budget of the project is not enough."
    cause = (
        "The jobs of the project may use a limited number of jobs, shots, device-seconds or"
        " credits, and the rest is less than this job needs. The detail names the budget."
    )
    remedy = (
        "Ask for less, wait for the next period of the budget, or ask the administrator to raise"
        " it (`qwicket budget set`). `GET /v1/account` shows what is left."
    )


class BoundReached(BudgetSpent):
    code = "bound_reached"
    title = "A bound of the token is reached."
    cause = (
        "The jobs of this token may use a limited number of shots or credits a day, and the rest is"
        " less than this job needs. The detail names the bound."
    )
    remedy = "Ask for less, wait for the next day, or ask the person for another token."


class ConfirmationNeeded(BudgetSpent):
    """A token asks a person first.

    Args:
        detail: Text for the user, with the path of a page.
        field: Name of the field at fault.
        sentence: What to say to the person, with the same path; a part of the detail.
        page: This path, in place of which users get an address (see `locate`).
    """

    code = "confirmation_needed"
    title = "A person must confirm this job first."
    cause = (
        "The token asks first above a number of shots or credits a job. The detail has the address"
        " of the page on which the owner of the token answers."
    )
    remedy = (
        "Tell the person the address in the detail. Once they have confirmed the job, submit it"
        " again, unchanged."
    )

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        sentence: str = "",
        page: str = "",
    ) -> None:
        super().__init__(detail, field=field, retry_after_s=retry_after_s)
        self.sentence = sentence
        self._page = page

    def locate(self, server_url: str) -> None:
        """Write the address of the page into the texts, in place of its path."""
        if self._page:
            address = server_url + self._page
            self.detail = self.detail.replace(self._page, address)
            self.sentence = self.sentence.replace(self._page, address)
            self._page = ""


class ConfirmationRefused(BudgetSpent):
    code = "confirmation_refused"
    title = "A person has refused this job."
    cause = "The token asks first above a number of shots or credits a job, and the answer was no."
    remedy = "Do not submit the job again, unless the person asks for it."


class NotFound(QwicketError):
    status = 404
    code = "not_found"
    title = "The object does not exist."
    cause = (
        "The id or name is wrong, the object was deleted, or it belongs to another account. The"
        " response is the same, so that ids of other accounts cannot be guessed."
    )
    remedy = "Check the id or name, and that the token belongs to the account that owns it."


class MethodNotAllowed(QwicketError):
    status = 405
    code = "method_not_allowed"
    title = "This path does not support that method."
    cause = "The path supports other methods."
    remedy = "Use a method from the Allow header."

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{method} is not allowed here. Allowed: {', '.join(allowed)}.")


class RequestTimeout(QwicketError):
    status = 408
    code = "request_timeout"
    title = "The request did not arrive in time."
    cause = "The body came more slowly than `body_timeout_s` and `body_bytes_per_s` allow."
    remedy = "Send the request again over a better connection."


class Conflict(QwicketError):
    status = 409
    code = "conflict"
    title = "The present state does not allow that."
    cause = (
        "The object's state does not allow this: deleting a job that has not ended, cancelling a"
        " part without its job, using a closed group, taking a used name."
    )
    remedy = "Read the object's state, then decide."


class NotFinished(Conflict):
    code = "not_finished"
    title = "The job has not ended yet."
    cause = "A result was asked for while the job waits or runs."
    remedy = "Wait for the job, for example with `?wait=30`, and repeat the request."


class NoResult(Conflict):
    code = "no_result"
    title = "The job ended without a result."
    cause = "The job failed or was cancelled before it had an outcome."
    remedy = "Read the job's error, correct the cause and submit again."


class StaleLease(Conflict):
    """The lease is no longer the newest, so its holder may not report on the job."""

    code = "stale_lease"
    title = "This lease is no longer valid."
    cause = (
        "The agent or worker sent nothing for longer than the lease time, or the job was cancelled,"
        " ended or queued again."
    )
    remedy = "Stop working on the job: another runner has it, or it has ended."


class Gone(QwicketError):
    status = 410
    code = "gone"
    title = "This request is no longer answered."
    cause = "The program that sent it is older than the server, which has another request for it."
    remedy = "Install the server's version of the program, as the detail says."


class KeyReused(QwicketError):
    status = 422
    code = "idempotency_key_reused"
    title = "This idempotency key was used with other content."
    cause = (
        "Two submissions have the same `Idempotency-Key` and different content. A key is valid"
        " for 24 hours."
    )
    remedy = "Use a new key for new content."


class TooManyRequests(QwicketError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests."
    cause = (
        "Too many wrong tokens or passwords came from one address; or your account or project has"
        " too many jobs waiting, programs to be parsed, large bodies or responses, or open streams."
        " The detail names the limit."
    )
    remedy = "Wait as long as Retry-After says."

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        limit: str = "",
        quota: int | None = None,
    ) -> None:
        """Create the error.

        Args:
            detail: As for `QwicketError`.
            field: As for `QwicketError`.
            retry_after_s: As for `QwicketError`.
            limit: Name of the limit.
            quota: Value of the limit.
        """
        self.limit = limit
        self.quota = quota
        super().__init__(detail, field=field, retry_after_s=retry_after_s)


class InternalError(QwicketError):
    status = 500
    code = "internal_error"
    title = "An unexpected error occurred."
    cause = (
        "A defect of this server or of one of its libraries. Requests with a 2xx response are not"
        " affected."
    )
    remedy = "Give the administrator the id in the detail; the log has the cause under it."


class NotOffered(QwicketError):
    status = 501
    code = "not_offered"
    title = "This server does not offer that."
    cause = "The vendor's own service offers it; this server does not implement it."
    remedy = "Do without it. No setting of this server enables it."


class Unavailable(QwicketError):
    status = 503
    code = "unavailable"
    title = "This is not available at the moment."
    cause = (
        "The server is starting or stopping, its database does not respond,"
        " or it cannot hold more connections, streams or bodies at this moment."
    )
    remedy = "Try again later; the detail says what is missing."


class DeviceOff(Unavailable):
    code = "device_off"
    title = "The device is off."
    cause = (
        "An administrator turned the device off or lets it take no new jobs, or it is in"
        " maintenance; the detail has the reason."
    )
    remedy = (
        "Use another device, or wait until an administrator turns this one on or its maintenance"
        " ends."
    )


class StorageFull(QwicketError):
    status = 507
    code = "storage_full"
    title = "The server has no room to store this."
    cause = "The disk of the server, or of its database, is full. Nothing was half stored."
    remedy = "Inform the administrator that the server's disk is full."


def codes() -> dict[str, type[QwicketError]]:
    """Return the class of every code: the first one that defines it.

    The classes of a dialect are included once it is imported.
    """
    found: dict[str, type[QwicketError]] = {}
    kinds = [*QwicketError.__subclasses__()]
    for kind in kinds:
        found.setdefault(kind.code, kind)
        kinds += kind.__subclasses__()
    return dict(sorted(found.items()))
