"""Responses of the server: mappings of all fields, with attributes for the most used ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Never, TypeVar

T = TypeVar("T")

FINAL: Final = frozenset(
    {
        "COMPLETED",
        "CANCELLED",
        "ERROR_CREATING_JOB",
        "ERROR_VALIDATING_JOB",
        "ERROR_RUNNING_JOB",
        "ERROR_TRANSPILING_JOB",
    }
)
"""Final statuses of jobs."""


class Record(Mapping[str, Any]):
    """JSON object of a response."""

    __slots__ = ("_body",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = dict(body)

    def __getitem__(self, key: str) -> Any:
        return self._body[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._body)

    def __len__(self) -> int:
        return len(self._body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._body!r})"

    def _typed(self, key: str, default: T) -> T:
        """Return a field; the default if it is missing or has another type."""
        value = self._body.get(key)
        return value if isinstance(value, type(default)) else default

    def _record(self, key: str) -> Record:
        return Record(self._typed(key, {}))

    def _time(self, key: str) -> datetime | None:
        try:
            return datetime.fromisoformat(self._typed(key, ""))
        except ValueError:
            return None


class _Field(Generic[T]):
    """Attribute that reads one field of a record, with the default of `Record._typed`."""

    def __init__(self, key: str, default: T) -> None:
        self._key, self._default = key, default

    def __get__(self, record: Record | None, owner: type[Record]) -> T:
        return self._default if record is None else record._typed(self._key, self._default)

    def __set__(self, record: Record, value: Never) -> None:
        raise AttributeError(f"{self._key} is read-only: it is a value from the server.")


class Account(Record):
    """Signed-in account."""

    id = _Field("id", "")
    username = _Field("username", "")
    email = _Field("email", "")


class Device(Record):
    """Configuration of a device."""

    name = _Field("backend_name", "")
    n_qubits = _Field("n_qubits", 0)
    is_simulator = _Field("simulator", False)
    max_shots = _Field("max_shots", 0)

    @property
    def basis_gates(self) -> list[str]:
        return list(self.get("basis_gates") or ())

    @property
    def coupling_map(self) -> list[list[int]] | None:
        """Connected pairs in both directions; None if all qubits are connected."""
        found: list[list[int]] | None = self.get("coupling_map")
        return found


class QueueStatus(Record):
    """State and length of a device's queue."""

    is_on = _Field("state", False)
    length = _Field("lengthQueue", 0)


class Status(Record):
    """Status of a job."""

    id = _Field("id", "")
    status = _Field("status", "")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def position(self) -> int | None:
        """Position in the queue, from 1; None if the job does not wait."""
        return self._record("infoQueue")._typed("position", 0) or None

    @property
    def error_message(self) -> str:
        return self._record("error")._typed("message", "")


class Job(Status):
    """Job."""

    kind = _Field("kind", "")
    name = _Field("name", "")
    shots = _Field("shots", 0)

    @property
    def device(self) -> str:
        return self._record("backend")._typed("name", "")

    @property
    def tags(self) -> list[str]:
        return list(self.get("tags") or ())

    @property
    def created(self) -> datetime | None:
        return self._time("creationDate")

    @property
    def ended(self) -> datetime | None:
        return self._time("endDate")


class Result(Record):
    """Result of a job, with one entry in `results` for each circuit."""

    success = _Field("success", False)
    """Whether every circuit was run."""

    def counts(self, circuit: int = 0) -> dict[str, int]:
        """Return the counts by hexadecimal outcome; memory slot i is bit i.

        Raises:
            IndexError: The circuit does not exist.
            KeyError: The circuit failed; see its `status`.
        """
        found: dict[str, int] = self["results"][circuit]["data"]["counts"]
        return dict(found)

    def memory(self, circuit: int = 0) -> list[str]:
        """Return the outcome of each shot, in shot order.

        Raises:
            IndexError: The circuit does not exist.
            KeyError: The circuit failed, or memory was not requested.
        """
        found: list[str] = self["results"][circuit]["data"]["memory"]
        return list(found)


def device_names(hubs: list[Record]) -> list[str]:
    """Return the names of the devices of all hubs, groups and projects, without duplicates."""
    names: dict[str, None] = {}
    for hub in hubs:
        for group in _members(hub, "groups"):
            for project in _members(group, "projects"):
                for device in _members(project, "devices"):
                    names.setdefault(device._typed("name", ""))
    names.pop("", None)
    return list(names)


def _members(record: Record, key: str) -> list[Record]:
    found = record.get(key)
    members = found.values() if isinstance(found, dict) else ()
    return [Record(member) for member in members if isinstance(member, dict)]
