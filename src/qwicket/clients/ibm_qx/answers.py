"""Answers of the server: mappings with its own field names, and attributes for what is used most.

A field that this package does not know is there all the same, by its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

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
"""Statuses after which nothing happens to a job any more."""


class Record(Mapping[str, Any]):
    """One JSON object of the server's."""

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

    def _text(self, key: str) -> str:
        value = self._body.get(key)
        return value if isinstance(value, str) else ""

    def _number(self, key: str) -> int:
        value = self._body.get(key)
        return value if isinstance(value, int) else 0

    def _record(self, key: str) -> Record:
        value = self._body.get(key)
        return Record(value if isinstance(value, dict) else {})

    def _time(self, key: str) -> datetime | None:
        try:
            return datetime.fromisoformat(self._text(key))
        except ValueError:
            return None


class Account(Record):
    """Who is signed in."""

    @property
    def id(self) -> str:
        return self._text("id")

    @property
    def username(self) -> str:
        return self._text("username")

    @property
    def email(self) -> str:
        return self._text("email")


class Device(Record):
    """What a device can do."""

    @property
    def name(self) -> str:
        return self._text("backend_name")

    @property
    def n_qubits(self) -> int:
        return self._number("n_qubits")

    @property
    def basis_gates(self) -> list[str]:
        return list(self.get("basis_gates") or ())

    @property
    def coupling_map(self) -> list[list[int]] | None:
        """Connected pairs in both directions; None when all are."""
        found: list[list[int]] | None = self.get("coupling_map")
        return found

    @property
    def is_simulator(self) -> bool:
        return self.get("simulator") is True

    @property
    def max_shots(self) -> int:
        return self._number("max_shots")


class QueueStatus(Record):
    """Whether a device takes jobs, and how many wait."""

    @property
    def is_on(self) -> bool:
        return self.get("state") is True

    @property
    def length(self) -> int:
        return self._number("lengthQueue")


class Status(Record):
    """Where a job stands."""

    @property
    def id(self) -> str:
        return self._text("id")

    @property
    def status(self) -> str:
        return self._text("status")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def position(self) -> int | None:
        """From 1, while it waits."""
        return self._record("infoQueue")._number("position") or None

    @property
    def error_message(self) -> str:
        return self._record("error")._text("message")


class Job(Status):
    """One job."""

    @property
    def kind(self) -> str:
        return self._text("kind")

    @property
    def device(self) -> str:
        return self._record("backend")._text("name")

    @property
    def name(self) -> str:
        return self._text("name")

    @property
    def tags(self) -> list[str]:
        return list(self.get("tags") or ())

    @property
    def shots(self) -> int:
        return self._number("shots")

    @property
    def created(self) -> datetime | None:
        return self._time("creationDate")

    @property
    def ended(self) -> datetime | None:
        return self._time("endDate")


class Result(Record):
    """What a job gave, one entry in `results` for each circuit."""

    @property
    def success(self) -> bool:
        """Whether every circuit was run."""
        return self.get("success") is True

    def counts(self, circuit: int = 0) -> dict[str, int]:
        """Return how often each memory was found, by hexadecimal keys; slot i is bit i.

        Raises:
            IndexError: There is no such circuit.
            KeyError: It failed: its `status` says why.
        """
        found: dict[str, int] = self["results"][circuit]["data"]["counts"]
        return dict(found)

    def memory(self, circuit: int = 0) -> list[str]:
        """Return the memory after each shot, in their order.

        Raises:
            IndexError: There is no such circuit.
            KeyError: It failed, or memory was not asked for.
        """
        found: list[str] = self["results"][circuit]["data"]["memory"]
        return list(found)


def device_names(hubs: list[Record]) -> list[str]:
    """Return the names of the devices of all hubs, groups and projects, each once, in order."""
    names: dict[str, None] = {}
    for hub in hubs:
        for group in _members(hub, "groups"):
            for project in _members(group, "projects"):
                for device in _members(project, "devices"):
                    names.setdefault(device._text("name"))
    names.pop("", None)
    return list(names)


def _members(record: Record, key: str) -> list[Record]:
    found = record.get(key)
    members = found.values() if isinstance(found, dict) else ()
    return [Record(each) for each in members if isinstance(each, dict)]
