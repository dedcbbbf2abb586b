"""The registry, for qbraid 0.3 to 0.5: documents about jobs that ran on other servers."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from qwicket.dialects.bodies import invalid
from qwicket.dialects.times import format_time
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound
from qwicket.vendors.qbraid.dialect import ids, statuses
from qwicket.vendors.qbraid.dialect.wire import DIALECT
from qwicket.vendors.qbraid.limits import QBraidLimits

if TYPE_CHECKING:
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.client_documents import ClientDocument
    from qwicket.model.limits import Limits
    from qwicket.vendors.qbraid.dialect.query import Query

_NUMBERS: Final = ("shots", "circuitNumQubits", "circuitDepth")
_LISTS: Final = ("circuitBatchNumQubits", "circuitBatchDepth")
_REQUIRED: Final = ("vendorJobId", "qbraidDeviceId")
_DOCUMENTS_AT_ONCE: Final = 100
"""Documents that a search reads at once."""
_MAX_BYTES: Final = 4 << 20
"""A search ends with the document with which the found ones, as stored, reach this size."""
_MAX_DIGITS: Final = 18
_BITS: Final = 103
"""Bits of a number that fits into 20 letters and digits."""

Form = dict[str, list[str]]
"""Fields of a form, each with all of its values."""
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


def form(body: bytes, limits: Limits) -> Form:
    """Return the fields of a form, each with all of its values.

    Raises:
        InvalidRequest: The body is not a form in UTF-8.
        LimitExceeded: The form has too many fields, or one is too long.
    """
    maximum, max_chars = 2 * limits.programs.circuits + 32, limits.requests.name_chars
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=maximum)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not a form in UTF-8.") from None
    except ValueError:
        detail = f"The form has more than {maximum} fields (limit circuits)."
        raise LimitExceeded(detail) from None
    found: Form = {}
    for name, value in pairs:
        if len(value) > max_chars:
            detail = f"{name[:64]} has {len(value)} characters, {max_chars} are allowed"
            raise LimitExceeded(f"{detail} (limit name_chars).", field=name)
        if "\0" in value or "\0" in name:
            raise InvalidRequest(f"{name[:64]} contains a NUL character.", field=name)
        found.setdefault(name, []).append(value)
    return found


class Registry:
    """Each user's documents, by the device and the vendor's id of the job."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def register(self, actor: Actor, fields: Form) -> str:
        """Register a job. A job that is registered already is not changed.

        Returns:
            The job's id, whose tail is a hash of the device and the vendor's id.

        Raises:
            InvalidRequest: A field is missing or malformed.
            Forbidden: The actor's token is not for the device.
            LimitExceeded: The document is too large.
        """
        texts = {name: values[-1] for name, values in fields.items() if values[-1]}
        for name in _REQUIRED:
            if not texts.get(name):
                raise InvalidRequest(f"{name} is missing.", field=name)
        actor.require_device(_bare(texts["qbraidDeviceId"]))
        key = _key(texts["qbraidDeviceId"], texts["vendorJobId"])
        device = texts["qbraidDeviceId"].replace(":", "_")  # clients cut an id at a colon
        document: dict[str, Any] = {
            "qbraidJobId": f"{device}-{actor.account_name}-qjob-{key}",
            "vendorJobId": texts["vendorJobId"],
            "qbraidDeviceId": texts["qbraidDeviceId"],
            "vendorDeviceId": texts.get("vendorDeviceId", ""),
            "status": texts.get("status", "UNKNOWN"),
            "qbraidStatus": _checked(texts.get("qbraidStatus", "INITIALIZING")),
        }
        for name in _NUMBERS:
            if name in texts:
                document[name] = _number(name, texts[name])
        for name in _LISTS:
            if name in fields:
                document[name] = [_number(name, text) for text in fields[name]]
        body = msgspec.json.encode(document)
        maximum = self._gateway.limits.of(QBraidLimits).options_bytes
        if len(body) > maximum:
            detail = f"The document has {len(body)} bytes, {maximum} are allowed"
            raise LimitExceeded(f"{detail} (limit options_bytes).")
        stored = await self._gateway.client_documents.register(actor, DIALECT, key, body)
        job_id: str = _decoder.decode(stored.body)["qbraidJobId"]
        return job_id

    async def update(self, actor: Actor, email: str, fields: Form) -> dict[str, Any]:
        """Return a document. Its status is changed if `status` and `qbraidStatus` are both given.

        Raises:
            NotFound: The document does not exist, belongs to another user, or is about a device
                that the actor's token is not for.
            InvalidRequest: The status is unknown.
            Forbidden: The actor's token may not change jobs.
        """
        texts = {name: values[-1] for name, values in fields.items()}
        changes = bool(texts.get("status") and texts.get("qbraidStatus"))
        if changes:
            # Checked before the read, so that the error does not reveal which documents exist.
            actor.require(Scope.JOBS_WRITE)
        key = texts.get("qbraidJobId", "").rpartition("-")[2]
        stored = await self._gateway.client_documents.get(actor, DIALECT, key)
        document = _decoder.decode(stored.body)
        if document["qbraidJobId"] != texts["qbraidJobId"] or not _sees(actor, document):
            raise NotFound("There is no such job.")
        if changes:
            document["status"] = texts["status"]
            document["qbraidStatus"] = _checked(texts["qbraidStatus"])
            body = msgspec.json.encode(document)
            stored = await self._gateway.client_documents.update(actor, DIALECT, key, body)
        return _document(stored, actor, email)

    async def search(
        self, actor: Actor, email: str, query: Query, maximum: int
    ) -> list[dict[str, Any]]:
        """Return the user's documents that match a query, newest first, up to about 4 MiB."""
        found: list[dict[str, Any]] = []
        before: int | None = None
        left = _MAX_BYTES
        while len(found) < maximum and left > 0:
            page = await self._gateway.client_documents.page(
                actor, DIALECT, before=before, limit=_DOCUMENTS_AT_ONCE
            )
            matching, size = await asyncio.to_thread(
                _found, page, actor, email, query, maximum - len(found), left
            )
            found += matching
            left -= size
            if len(page) < _DOCUMENTS_AT_ONCE:
                break
            before = page[-1].seq
        return found


def _found(
    page: list[ClientDocument], actor: Actor, email: str, query: Query, maximum: int, max_bytes: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the matching documents of a page and their size, until a limit is reached."""
    found: list[dict[str, Any]] = []
    size = 0
    for stored in page:
        document = _document(stored, actor, email)
        if _sees(actor, document) and query.matches(document):
            found.append(document)
            size += len(stored.body)
            if len(found) == maximum or size >= max_bytes:
                break
    return found, size


def _sees(actor: Actor, document: dict[str, Any]) -> bool:
    return actor.sees(_bare(document["qbraidDeviceId"]))


def _bare(device: str) -> str:
    """Return a device's name without qBraid's prefix. It may be a device of another cloud."""
    return device.rpartition(":")[2] if ":" in device else device.removeprefix("qbraid_")


def _key(device: str, vendor_job: str) -> str:
    digest = hashlib.sha256(f"{device}\0{vendor_job}".encode()).digest()
    return ids.to_base36(int.from_bytes(digest) >> (256 - _BITS))


def _document(stored: ClientDocument, actor: Actor, email: str) -> dict[str, Any]:
    created = format_time(stored.created_at)
    return {
        "_id": ids.object_id(stored.id),
        "user": ids.object_id(actor.account),
        "email": email,
        **_decoder.decode(stored.body),
        "createdAt": created,
        "timeStamps": {"jobStarted": created, "createdAt": created},
    }


def _checked(status: str) -> str:
    if status not in statuses.STATUSES:
        known = ", ".join(statuses.STATUSES)
        raise invalid(f"qbraidStatus must be one of {known}", status, "qbraidStatus")
    return status


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise invalid(f"{name} must be a whole number", text, name)
    return int(text)
