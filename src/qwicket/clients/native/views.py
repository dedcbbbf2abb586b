"""What a user holds of a job and of a device: the server's documents, with words for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

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
    """

    heads: ClassVar = ("job", "device", "state", "name", "shots", "created")

    def __init__(self, body: dict[str, Any]) -> None:
        self.see(body)
        self.id = self._seen.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    def _repr_html_(self) -> str:
        from qwicket.clients.native.pages import table

        place = self.place
        rows = [
            ("job", self.id),
            ("state", self.state),
            ("place", "" if place is None else str(place)),
            *((word, self._body.get(word)) for word in ("device", "name", "shots")),
            ("created", str(self._body.get("created_at") or "")[:19].replace("T", " ")),
        ]
        return table(rows)

    @property
    def cells(self) -> tuple[Any, ...]:
        """What a table shows of it, under `heads`."""
        of = self._body.get
        created = str(of("created_at") or "")[:16].replace("T", " ")
        return (self.id, of("device"), self.state, of("name"), of("shots"), created)

    @property
    def state(self) -> str:
        """State when last read: queued, running, cancelling, completed, failed, cancelled, ..."""
        return self._seen.state

    @property
    def is_final(self) -> bool:
        """Whether the job had ended when last read."""
        return self.state in _FINAL

    @property
    def place(self) -> int | None:
        """Place in the queue when last read, from 1; None while it is not known, or has none."""
        return self._seen.queue.position if self._seen.queue else None

    @property
    def starts_in_s(self) -> float | None:
        """Seconds until the expected start, when last read: an estimate; None when not known."""
        return self._seen.queue.starts_in_s if self._seen.queue else None

    @property
    def progress(self) -> tuple[float, str] | None:
        """How far a lab says that it is, from 0 to 1, and its words; None when it says nothing."""
        seen = self._seen.progress
        return (seen.done, seen.text) if seen else None

    @property
    def info(self) -> dict[str, Any]:
        """All that the server said of the job when last read."""
        return dict(self._body)

    def see(self, body: dict[str, Any]) -> Self:
        """Take a newer document.

        Raises:
            BadAnswer: It is no job's.
        """
        self._seen = wire.job(body)
        self._body = body
        return self


class DeviceView(Mapping[str, Any]):
    """A device: a mapping of all that the server says of it.

    Attributes:
        info: The same as a plain dictionary.
    """

    heads: ClassVar = ("device", "family", "qubits", "status", "description")

    def __init__(self, body: dict[str, Any]) -> None:
        self.info = body
        self.name = wire.device(body).name

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
        queue = self.info.get("queue")
        waiting = queue.get("length") if isinstance(queue, Mapping) else None
        rows = [(word, self.info.get(word)) for word in words]
        return table([*rows, ("queue", "" if waiting is None else f"{waiting} waiting")])

    @property
    def cells(self) -> tuple[Any, ...]:
        """What a table shows of it, under `heads`."""
        of = self.info.get
        return (self.name, of("family"), of("qubits"), self.status, of("description"))

    @property
    def status(self) -> str:
        """`on`, `off`, or `away` while no agent is there to run its jobs."""
        return str(self.info.get("status", ""))

    def suited(self, program: Any) -> Options:
        """Return what a submission says where its user does not: format and outputs of the device.

        Programs for qubits tell their format by themselves; no program for atoms or photons does.
        """
        formats = self.info.get("formats") or []
        if self.family == "qubit" or not formats:
            return {}
        is_analog = isinstance(program, Mapping) and "hamiltonian" in program
        format_name = "ahs" if is_analog and "ahs" in formats else formats[0]
        return {"format": format_name, "outputs": tuple(self.info.get("outputs") or ("samples",))}

    @property
    def family(self) -> str:
        """`qubit`, `photonic` or `atoms`."""
        return str(self.info.get("family", ""))
