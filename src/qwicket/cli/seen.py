"""A job as the server tells it, checked, and in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.clients.http import plain
from qwicket.clients.native import BadAnswer
from qwicket.clients.native.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

Body = dict[str, Any]
"""A job as it came."""

HEADS: Final = ("id", "device", "state", "name", "created (UTC)")
FINAL: Final = frozenset({"completed", "failed", "cancelled"})


class _Place(msgspec.Struct, frozen=True):
    position: int
    starts_in_s: float | None = None


class _Progress(msgspec.Struct, frozen=True):
    done: float
    text: str = ""


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What people are shown of a job."""

    id: str
    state: str
    version: int = 0
    device: str = ""
    door: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    group: str | None = None
    shots: int | None = None
    circuits: int | None = None
    qubits: int | None = None
    attempts: int = 0
    created_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    queue: _Place | None = None
    progress: _Progress | None = None
    error: _Error | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def standing(self) -> str:
        """How it fares: its state, its place in the queue, how far it is, what went wrong."""
        told = [plain(self.state)]
        if self.queue is not None:
            told.append(f"place {self.queue.position:,}")
            if self.queue.starts_in_s is not None:
                told.append(f"starts in about {duration(self.queue.starts_in_s)}")
        if self.progress is not None:
            told.append(f"{100 * self.progress.done:.0f} % {plain(self.progress.text)}".rstrip())
        if self.error is not None:
            told.append(plain(self.error.message))
        return ", ".join(told)

    @property
    def cells(self) -> tuple[str, ...]:
        """A line of a list, under `HEADS`."""
        created = plain(self.created_at)[:19].replace("T", " ")
        return (plain(self.id), plain(self.device), self.standing, plain(self.name), created)

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield all there is to show, each with its name."""
        yield "job", plain(self.id)
        yield "state", self.standing
        for name in ("device", "door", "name", "group"):
            if text := plain(getattr(self, name)):
                yield name, text
        if self.tags:
            yield "tags", ", ".join(map(plain, self.tags))
        for name in ("shots", "circuits", "qubits"):
            if (number := getattr(self, name)) is not None:
                yield name, f"{number:,}"
        for name in ("created", "queued", "started", "ended"):
            if text := plain(getattr(self, f"{name}_at")):
                yield name, text
        if self.attempts > 1:
            yield "attempts", f"{self.attempts:,}"


def seen(body: Body) -> Seen:
    """Return a job's document as what it must be.

    Raises:
        BadAnswer: It is something else.
    """
    try:
        return msgspec.convert(body, Seen)
    except msgspec.ValidationError as error:
        what = str(error)
    raise BadAnswer(f"The answer is no job of Qwicket's API ({what}). Is the address right?")
