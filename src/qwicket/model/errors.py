"""Every refusal and failure that may leave the server, as one tree.

    QwicketError
    ├── InvalidRequest      400  the request is malformed, or a field of it is
    │   └── InvalidProgram  400  the program's text is refused
    ├── LimitExceeded       400  a limit of this server or device is exceeded
    │   └── BodyTooLarge    413
    ├── Unauthenticated     401  no token, or one that is not valid
    ├── Forbidden           403  the token or account may not do this
    ├── NotFound            404  absent, or not yours: the two look alike
    ├── MethodNotAllowed    405
    ├── RequestTimeout      408  the request did not arrive in time
    ├── Conflict            409  the thing's present state does not allow it
    │   ├── NotFinished     409  the job has not ended yet
    │   ├── NoResult        409  the job ended without a result
    │   └── StaleLease      409  another runner has the job, or it has ended
    ├── KeyReused           422  an idempotency key came with other content
    ├── TooManyRequests     429
    ├── InternalError       500  unknown; known to the operator by its id
    ├── NotOffered          501  known by name, and not done here
    ├── Unavailable         503  queue full, server stopping
    │   └── DeviceOff       503  an administrator or the lab turned the device off
    └── StorageFull         507

Each class carries an HTTP status, a stable code, a sentence that says what it means, what usually
causes it, and a sentence for the remedy. Dialects map the code to their vendor's body; nobody else
builds error bodies. `codes` is the table that pages are made from.
"""

from __future__ import annotations

from typing import ClassVar


class QwicketError(Exception):
    """Root of the tree.

    Args:
        detail: One sentence for the person who sent the request. Never a path, SQL or traceback.
        field: Name of the field at fault, if one is.
        retry_after_s: Seconds after which a retry makes sense, if it does.
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
        " its range, or a query parameter is none that the path knows."
    )
    remedy = "Correct the field that the detail names and send the request again."


class InvalidProgram(InvalidRequest):
    code = "invalid_program"
    title = "The program was refused."
    cause = (
        "The text is no program of its format, or says something that the format's reader"
        " does not take. The detail has the line, or the place in the JSON."
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
    cause = "The body is over `body_bytes`, or an upload is over `upload_bytes`."
    remedy = "Send a smaller body."


class Unauthenticated(QwicketError):
    status = 401
    code = "unauthenticated"
    title = "A valid token is needed."
    cause = (
        "No token came, or it is misspelt, expired, revoked, or of an account that was disabled."
    )
    remedy = "Send a token made by `qwicket token create` that is neither expired nor revoked."


class Forbidden(QwicketError):
    status = 403
    code = "forbidden"
    title = "This token may not do that."
    cause = (
        "The token lacks a scope, is not for this device or project, or the thing belongs to"
        " another account of your project."
    )
    remedy = "Use a token with the scope or device that the detail names."


class NotFound(QwicketError):
    status = 404
    code = "not_found"
    title = "There is no such thing here."
    cause = (
        "The id or name is wrong, the thing was deleted, or it belongs to somebody else: the"
        " answer is the same, so that nobody learns what others have."
    )
    remedy = "Check the id or name, and that the token belongs to the account that owns it."


class MethodNotAllowed(QwicketError):
    status = 405
    code = "method_not_allowed"
    title = "This path does not take that method."
    cause = "The path exists, for other methods."
    remedy = "Use a method that the Allow header lists."

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{method} is not allowed here, {' and '.join(allowed)} are.")


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
        "The thing is not in a state for that: a job that has not ended is deleted, a part is"
        " cancelled without its job, a group is closed, a name is taken."
    )
    remedy = "Read the thing's state and decide anew."


class NotFinished(Conflict):
    code = "not_finished"
    title = "The job has not ended yet."
    cause = "A result was asked for while the job waits or runs."
    remedy = "Wait for the job, for example with `?wait=30`, and ask again."


class NoResult(Conflict):
    code = "no_result"
    title = "The job ended without a result."
    cause = "The job failed or was cancelled before it had an outcome."
    remedy = "Read the job's error, correct the cause and submit again."


class StaleLease(Conflict):
    """The lease is no longer the newest: what its holder says about the job counts for nothing."""

    code = "stale_lease"
    title = "This lease is no longer valid."
    cause = (
        "The agent was silent for longer than the lease time, the job was cancelled or ended, or it"
        " was offered again."
    )
    remedy = "Stop working on the job: another runner has it, or it has ended."


class KeyReused(QwicketError):
    status = 422
    code = "idempotency_key_reused"
    title = "This idempotency key was used with other content."
    cause = (
        "Two submits bear the same `Idempotency-Key` and differ in what they ask for. A key"
        " counts for 24 hours."
    )
    remedy = "Use a new key for new content."


class TooManyRequests(QwicketError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests."
    cause = (
        "Too many wrong tokens or passwords came from one address, too many of your programs"
        " wait to be read, or your project has too many jobs waiting. The detail names the"
        " limit."
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
        """Say which limit was reached.

        Args:
            detail: As everywhere.
            field: As everywhere.
            retry_after_s: As everywhere.
            limit: Name of the limit.
            quota: How much it allows.
        """
        self.limit = limit
        self.quota = quota
        super().__init__(detail, field=field, retry_after_s=retry_after_s)


class InternalError(QwicketError):
    status = 500
    code = "internal_error"
    title = "Something unexpected went wrong."
    cause = (
        "A defect of this server, or of a library in it. Nothing that was answered with 2xx"
        " is lost by it."
    )
    remedy = "Tell the administrator the id in the detail: the log has the cause under it."


class NotOffered(QwicketError):
    status = 501
    code = "not_offered"
    title = "This server does not offer that."
    cause = "The vendor's own service has it, and this server knows it by name alone."
    remedy = "Do without it: no setting of this server switches it on."


class Unavailable(QwicketError):
    status = 503
    code = "unavailable"
    title = "This is not available at the moment."
    cause = (
        "The server is starting or stopping, its database does not answer,"
        " or it has no room for more connections, streams or bodies at this moment."
    )
    remedy = "Try again later; the detail says what is missing."


class DeviceOff(Unavailable):
    code = "device_off"
    title = "The device is off."
    cause = "An administrator or the lab turned the device off; the detail has their reason."
    remedy = (
        "An administrator must turn the device on, unless the detail names a time. Use another"
        " device until then."
    )


class StorageFull(QwicketError):
    status = 507
    code = "storage_full"
    title = "The server has no room to store this."
    cause = "The disk of the server, or of its database, is full. Nothing was half stored."
    remedy = "Tell the administrator that the server's disk is full."


def codes() -> dict[str, type[QwicketError]]:
    """Return every code with the class that says it first, by the code.

    A dialect's own classes are among them once the dialect is imported.
    """
    found: dict[str, type[QwicketError]] = {}
    kinds = [*QwicketError.__subclasses__()]
    for kind in kinds:
        found.setdefault(kind.code, kind)
        kinds += kind.__subclasses__()
    return dict(sorted(found.items()))
