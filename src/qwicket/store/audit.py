"""The audit: acts of administrators, and what single sign-on changes, in the commit of the change.

The hash of each entry covers the entry and the hash before it, so that changed entries are noticed.
A person who can write to the database can still remove the newest entries, or replace them together
with their hashes. To notice that, compare with a `Verification.hash` that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    NamedTuple,
    Protocol,
    TypeVar,
    runtime_checkable,
)

from qwicket.store.operations import ACT_RECORDER, Operations, scan, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qwicket.store.database import Database, Deferred, Row, Tx

T = TypeVar("T")

_START: Final = b""
"""Stands for the hash before the first entry."""
ABSENT: Final = "null"
"""State of a subject that does not exist, or is not recorded."""
_PAGE: Final = 1_000
"""Entries that a verification reads at once."""
_SEARCHED: Final = 10_000
"""Entries that one search reads."""
_SUBJECTS: Final = {
    "account": ("audit_account", ("name", "role", "email", "disabled_at", "deleted_at")),
    "budget": (
        "audit_budget",
        ("id", "project", "device", "unit", "period", "maximum", "used", "begun_at", "member"),
    ),
    "device": (
        "audit_device",
        ("name", "is_on", "reason", "until_at", "is_draining", "is_paused", "message"),
    ),
    "identity": ("audit_identity", ("issuer", "subject", "account")),
    "invitation": ("audit_invitation", ("id", "project", "maximum", "used", "expires_at")),
    "job": ("audit_job", ("id", "device", "state", "priority", "held_by")),
    "member": ("audit_member", ("project", "account", "shares", "role")),
    "project": ("audit_project", ("name", "shares", "retention_days")),
    "provider": ("audit_provider", ("name", "is_active")),
    "reservation": (
        "audit_reservation",
        ("kind", "device", "from_at", "until_at", "slots", "reason"),
    ),
    "token": (
        "audit_token",
        ("id", "account", "scopes", "devices", "expires_at", "revoked_at", "bounds"),
    ),
}
"""Statement and columns with which each kind of subject is recorded before and after an act.

None of the columns is secret."""


class AuditEntry(NamedTuple):
    """An entry of the audit: one act, or a further change by it.

    Attributes:
        seq: Number of the entry, from 1 without gaps.
        at: Unix milliseconds.
        actor: Id of the administrator's account, or of that which signed in; empty for a command on
            the database.
        actor_name: Name of the account, or of the user of the operating system.
        address: Network address of the actor; empty for a command on the database.
        action: Name of the operation, such as `delete_account`.
        subject: Kind and name of what it changed, such as `account/anna`.
        details: Values of the request as JSON, without secrets.
        before: The subject before the change as JSON; `null` if there was none or it is not
            recorded (`_SUBJECTS`).
        after: The subject after the change, likewise.
        hash: SHA-256 over the entry and the hash before it.
    """

    seq: int
    at: int
    actor: str
    actor_name: str
    address: str
    action: str
    subject: str
    details: str
    before: str
    after: str
    hash: bytes


class Verification(NamedTuple):
    """Result of a check of the whole chain.

    Attributes:
        entries: Number of entries that fit, from the first one on.
        hash: Hash of the last of these entries; empty without one.
        broken_at: Number of the first entry that does not fit; None if all do.
        has_known_hash: Whether one of these entries has the hash that the caller knows from a
            former check, or the caller knows none.
    """

    entries: int
    hash: bytes
    broken_at: int | None
    has_known_hash: bool


@runtime_checkable
class Audited(Protocol):
    """Result of a write that says what the audit keeps of it beside the request."""

    def audited(self) -> Mapping[str, Any]:
        """Return fields that are added to the details."""


class ActRecorder:
    """Records one act of an administrator in the commits of its writes.

    The first write adds an entry, and so does each later one that changes the subject. An operation
    that is no administrator's act calls `state` and `record` itself.

    Args:
        at: Unix milliseconds.
        actor: Id of the actor's account, or empty.
        actor_name: Name of the actor.
        address: Network address, or empty.
        action: Name of the operation.
        kind: Kind of the subject.
        keys: Names of the subject; a member has two. Empty if the request names none.
        details: Values of the request, without secrets.
    """

    def __init__(
        self,
        *,
        at: int,
        actor: str,
        actor_name: str,
        address: str,
        action: str,
        kind: str,
        keys: tuple[str, ...],
        details: Mapping[str, Any],
    ) -> None:
        self._head = (at, actor, actor_name, address, action)
        self._kind = kind
        self._keys = keys
        self._details = details
        self._is_written = False

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record what the writes of the block change."""
        token = ACT_RECORDER.set(self)
        try:
            yield
        finally:
            ACT_RECORDER.reset(token)

    async def write(
        self,
        database: Database,
        operation: Callable[[Tx], T | Deferred[T]],
    ) -> T:
        """Run a write; add an entry if it is the first write of the act or changes the subject."""

        def recorded(tx: Tx) -> T | Deferred[T]:
            before = self.state(tx)
            result = operation(tx)
            after = self.state(tx)
            if before != after or not self._is_written:
                counted = result.audited() if isinstance(result, Audited) else {}
                self._add(tx, before, after, counted)
            return result

        done = await database.write(recorded)
        self._is_written = True
        return done

    def record(self, tx: Tx, before: str) -> None:
        """Add an entry if the subject is not as it was before."""
        after = self.state(tx)
        if before != after:
            self._add(tx, before, after)

    def note(self, tx: Tx, counted: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Add an entry of an act that changes no recorded column, with further details."""
        state = self.state(tx)
        self._add(tx, state, state, counted)

    def state(self, tx: Tx) -> str:
        """Return the recorded columns of the subject as JSON."""
        if self._kind not in _SUBJECTS or not self._keys:
            return ABSENT
        statement, names = _SUBJECTS[self._kind]
        row = tx.one(statement, **dict(zip(("key", "other"), self._keys, strict=False)))
        return ABSENT if row is None else _json(dict(zip(names, row, strict=True)))

    def _add(
        self, tx: Tx, before: str, after: str, counted: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        last = tx.one("audit_last")
        seq, former = (last[0] + 1, bytes(last[1])) if last else (1, _START)
        at, actor, actor_name, address, action = self._head
        subject = "/".join((self._kind, *self._keys))
        entry = AuditEntry(
            *(seq, at, actor, actor_name, address, action, subject),
            details=_json({**self._details, **counted}),
            before=before,
            after=after,
            hash=b"",
        )
        tx.run("audit_add", **entry._replace(hash=chain_hash(former, entry))._asdict())


class Audit(Operations):
    """Operations on the audit."""

    @write
    def note(tx: Tx) -> None:
        """Write nothing, so that an act that only reads gets an entry (`ActRecorder.write`)."""

    @write
    def note_retention(tx: Tx, deleted: Mapping[str, int], now: int) -> None:
        """Add an entry of jobs that were deleted because their days were over.

        `deleted` has their number by project, given by id; an empty one stands for all projects.
        """
        names = {row[0]: row[1] for row in tx.all("project_list")}
        projects = {names.get(each, each): number for each, number in deleted.items() if each}
        act = ActRecorder(
            at=now,
            actor="",
            actor_name="retention",
            address="",
            action="delete_old_jobs",
            kind="jobs",
            keys=(),
            details={"deleted": sum(deleted.values()), "projects": projects},
        )
        act.note(tx)

    async def note_total(self, counted: Mapping[str, Any]) -> None:
        """Add an entry with what an act has changed in several writes, if it is recorded."""
        recorder = ACT_RECORDER.get()
        if recorder is not None:
            await self._database.write(lambda tx: recorder.note(tx, counted))

    @scan
    def page(tx: Tx, before: int, number: int) -> list[AuditEntry]:
        """Return the newest entries with numbers below `before`, newest first."""
        return [_entry(row) for row in tx.all("audit_page", before=before, number=number)]

    @scan
    def search(
        tx: Tx, before: int, about: str, action: str, number: int
    ) -> tuple[list[AuditEntry], int | None]:
        """Return the newest entries that are by or about a name, of an action, or of any.

        Args:
            tx: The transaction.
            before: Number of the entry after the newest one.
            about: Name of the actor, or of what the act changed; empty for any.
            action: Name of the action; empty for any.
            number: Number of entries.

        Returns:
            The entries, newest first, and the value of `before` for further ones; None at the end.
            It is not None if too few of `_SEARCHED` entries were found.
        """
        last = tx.one("audit_last")
        before = min(before, last[0] + 1 if last else 1)
        first = max(1, before - _SEARCHED)
        given = {"first": first, "before": before, "about": about, "action": action}
        found = [_entry(row) for row in tx.all("audit_search", **given, number=number)]
        if len(found) == number:
            first = found[-1].seq
        return found, first if first > 1 else None

    @scan
    def _after(tx: Tx, after: int) -> list[AuditEntry]:
        return [_entry(row) for row in tx.all("audit_after", after=after, number=_PAGE)]

    async def verify(self, known: bytes = _START) -> Verification:
        """Check the hashes of all entries, and look for the hash `known` from a former check."""
        checked, former, has_known_hash = 0, _START, known == _START
        while page := await self._after(checked):
            for entry in page:
                if entry.seq != checked + 1 or entry.hash != chain_hash(former, entry):
                    return Verification(checked, former, checked + 1, has_known_hash)
                checked, former = entry.seq, entry.hash
                has_known_hash = has_known_hash or known == former
        return Verification(checked, former, None, has_known_hash)


def chain_hash(former: bytes, entry: AuditEntry) -> bytes:
    """Return the hash of an entry that follows one with the hash `former`."""
    fields = json.dumps(entry[:-1], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(former + fields.encode()).digest()


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(*row)._replace(hash=bytes(row[-1]))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
