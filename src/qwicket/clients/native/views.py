"""Views of the server's documents of jobs and devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar
from urllib.parse import quote

from msgspec import structs

from qwicket import schema
from qwicket.clients.native import wire

if TYPE_CHECKING:
    from qwicket.clients.native.client import Options

T = TypeVar("T", bound="JobView | DeviceView")

_FINAL: Final = frozenset({"completed", "failed", "cancelled"})


class Listing(list[T]):
    """List of jobs or devices that notebooks show as a table."""

    def _repr_html_(self) -> str:
        from qwicket.clients.native.pages import grid

        return grid(self[0].headings if self else (), [view.cells for view in self])


class JobView:
    """Job as of the last response.

    Args:
        document: The server's document of the job; `result` is removed from it.
        server_url: Address of the server; "" for a job of an archive.
        everybody: Whether the job is read and changed as an administrator.

    Attributes:
        id: Id of the job; `client.job(id)` returns it in any process.
        everybody: Whether the job is read and changed as an administrator.
        body: The server's last document of the job, as a struct.
        result_body: The result, if the response to the submission contained it.
    """

    headings: ClassVar = ("job", "device", "state", "name", "shots", "created")

    def __init__(
        self, document: dict[str, Any], server_url: str = "", *, everybody: bool = False
    ) -> None:
        self._server_url = server_url
        self.everybody = everybody
        result = document.pop("result", None)
        self.result_body = wire.convert(result, schema.results.ResultBody) if result else None
        self.update(document)
        self.id = self.body.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    def _repr_html_(self) -> str:
        from qwicket.job_card import job_card

        # Notebooks align cells to the right.
        return job_card(self.body, cell=" style='text-align:left'")

    @property
    def cells(self) -> tuple[Any, ...]:
        """Cells of a table, under `headings`."""
        body, created = self.body, _moment(self.body.created_at, 16)
        return (self.id, body.device, self.state, body.name, body.shots or "", created)

    @property
    def url(self) -> str:
        """Address of the job's page; "" for a job of an archive."""
        return self.body.url or ""

    @property
    def state(self) -> str:
        """State: queued, running, cancelling, completed, failed, cancelled, ..."""
        return self.body.state

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in _FINAL

    @property
    def queue_position(self) -> int | None:
        """Position in the queue, from 1; None if unknown, or if the job does not wait."""
        return self.body.queue.position if self.body.queue else None

    @property
    def starts_in_s(self) -> float | None:
        """Estimated seconds until the start; None if unknown."""
        return self.body.queue.starts_in_s if self.body.queue else None

    @property
    def starts_between_s(self) -> tuple[float, float] | None:
        """Interval of the start in seconds, with a probability of 80 %; None if unknown."""
        queue = self.body.queue
        if queue is None or queue.starts_after_s is None or queue.starts_before_s is None:
            return None
        return queue.starts_after_s, queue.starts_before_s

    @property
    def progress(self) -> tuple[float, str] | None:
        """Progress from 0 to 1 and a message, as the lab reports them; None without a report."""
        progress = self.body.progress
        return (progress.done, progress.text) if progress else None

    @property
    def info(self) -> dict[str, Any]:
        """The server's last document of the job."""
        return dict(self._document)

    def update(self, document: dict[str, Any]) -> Self:
        """Replace the document by a newer one.

        Raises:
            UnexpectedResponse: The document does not describe a job.
        """
        body = wire.job(document)
        if body.url is None and self._server_url:  # an older server
            url = f"{self._server_url}/ui/jobs/{quote(body.id, safe='')}"
            body = structs.replace(body, url=url)
        self.body = body
        self._document = document
        return self


class DeviceView(Mapping[str, Any]):
    """Device: a mapping of the server's document.

    Attributes:
        info: The document as a dictionary.
        body: The document as a struct.
        name: Name of the device.
    """

    headings: ClassVar = ("device", "family", "qubits", "status", "description")

    def __init__(self, document: dict[str, Any]) -> None:
        self.info = document
        self.body = wire.convert(document, schema.devices.DeviceBody)
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

        names = ("name", "status", "family", "qubits", "description", "formats", "outputs")
        rows = [(name, getattr(self.body, name) or "") for name in names]
        queue = self.body.queue
        return table([*rows, ("queue", f"{queue.length} waiting" if queue else "")])

    @property
    def cells(self) -> tuple[Any, ...]:
        """Cells of a table, under `headings`."""
        body = self.body
        return (self.name, body.family, body.qubits or "", body.status, body.description)

    @property
    def status(self) -> str:
        """`on`, `draining` (takes no jobs), `paused` or `away` (starts none), or `off`."""
        return self.body.status

    def default_options(self, program: Any) -> Options:
        """Return the device's default `format` and `outputs` for a program.

        Empty for the family `qubit`, because the server detects its formats.
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
