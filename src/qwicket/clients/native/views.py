"""What a user holds of a job and of a device: the server's documents, with words for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from qwicket import schema
from qwicket.clients.native import wire

if TYPE_CHECKING:
    from qwicket.clients.native.client import Options

T = TypeVar("T", bound="JobView | DeviceView")

_FINAL: Final = frozenset({"completed", "failed", "cancelled"})


class Listing(list[T]):
    """A list of jobs or devices, which notebooks show as a table."""

    def _repr_html_(self) -> str:
        from qwicket.clients.native.pages import grid

        return grid(self[0].heads if self else (), [each.cells for each in self])


class JobView:
    """A job as it was when it was last read.

    Attributes:
        id: Its id; `client.job(id)` finds it again from any process.
        body: What the server said of it when it was last read.
    """

    heads: ClassVar = ("job", "device", "state", "name", "shots", "created")

    def __init__(self, document: dict[str, Any]) -> None:
        self.see(document)
        self.id = self.body.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    def _repr_html_(self) -> str:
        from qwicket.clients.native.pages import table

        body = self.body
        rows = [
            ("job", self.id),
            ("state", self.state),
            ("place", "" if self.place is None else str(self.place)),
            ("device", body.device),
            ("name", body.name),
            ("shots", body.shots or ""),
            ("created", _moment(body.created_at, 19)),
        ]
        return table(rows)

    @property
    def cells(self) -> tuple[Any, ...]:
        """What a table shows of it, under `heads`."""
        body, created = self.body, _moment(self.body.created_at, 16)
        return (self.id, body.device, self.state, body.name, body.shots or "", created)

    @property
    def state(self) -> str:
        """State when last read: queued, running, cancelling, completed, failed, cancelled, ..."""
        return self.body.state

    @property
    def is_final(self) -> bool:
        """Whether the job had ended when last read."""
        return self.state in _FINAL

    @property
    def place(self) -> int | None:
        """Place in the queue when last read, from 1; None while it is not known, or has none."""
        return self.body.queue.position if self.body.queue else None

    @property
    def starts_in_s(self) -> float | None:
        """Seconds until the expected start, when last read: an estimate; None when not known."""
        return self.body.queue.starts_in_s if self.body.queue else None

    @property
    def progress(self) -> tuple[float, str] | None:
        """How far a lab says that it is, from 0 to 1, and its words; None when it says nothing."""
        progress = self.body.progress
        return (progress.done, progress.text) if progress else None

    @property
    def info(self) -> dict[str, Any]:
        """All that the server said of the job when last read."""
        return dict(self._document)

    def see(self, document: dict[str, Any]) -> Self:
        """Take a newer document.

        Raises:
            BadAnswer: It is no job's.
        """
        self.body = wire.job(document)
        self._document = document
        return self


class DeviceView(Mapping[str, Any]):
    """A device: a mapping of all that the server says of it.

    Attributes:
        info: The same as a plain dictionary.
        body: The same as a struct.
        name: What submissions call it.
    """

    heads: ClassVar = ("device", "family", "qubits", "status", "description")

    def __init__(self, document: dict[str, Any]) -> None:
        self.info = document
        self.body = wire.converted(document, schema.devices.DeviceBody, "no device")
        self.name = self.body.name

    def __getitem__(self, key: str) -> Any:
        return self.info[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.info)

    def __len__(self) -> int:
        return len(self.info)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.status}>"

    def _repr_html_(self) -> str:
        from qwicket.clients.native.pages import table

        words = ("name", "status", "family", "qubits", "description", "formats", "outputs")
        rows = [(word, getattr(self.body, word) or "") for word in words]
        queue = self.body.queue
        return table([*rows, ("queue", f"{queue.length} waiting" if queue else "")])

    @property
    def cells(self) -> tuple[Any, ...]:
        """What a table shows of it, under `heads`."""
        body = self.body
        return (self.name, body.family, body.qubits or "", body.status, body.description)

    @property
    def status(self) -> str:
        """`on`, `off`, or `away` while no agent is there to run its jobs."""
        return self.body.status

    def suited(self, program: Any) -> Options:
        """Return what a submission says where its user does not: format and outputs of the device.

        Programs for qubits tell their format by themselves; no program for atoms or photons does.
        """
        formats = self.body.formats
        if self.family == "qubit" or not formats:
            return {}
        is_analog = isinstance(program, Mapping) and "hamiltonian" in program
        format_name = "ahs" if is_analog and "ahs" in formats else formats[0]
        return {"format": format_name, "outputs": self.body.outputs or ("samples",)}

    @property
    def family(self) -> str:
        """`qubit`, `photonic` or `atoms`."""
        return self.body.family


def _moment(at: str | None, length: int) -> str:
    return (at or "")[:length].replace("T", " ")
