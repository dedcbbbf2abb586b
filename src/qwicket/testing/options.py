"""Keyword arguments of `Cloud`, and their checks; `values` and `Cloud` describe them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypedDict

from qwicket.testing.errors import TestBedError
from qwicket.testing.values import Exchange, FaultKind


class FaultOptions(TypedDict, total=False):
    """Options of a fault."""

    dialect: str
    method: str
    path: str
    account: str
    text: str
    skip: int
    times: int | None
    lasts_s: float | None
    probability: float
    seed: int
    seconds: float
    status: int
    handled: bool
    message: str
    retry_after: str | int | None
    header: str
    bytes_per_s: int


class ScenarioOptions(TypedDict, total=False):
    """Options of a scenario."""

    dialect: str
    device: str
    account: str
    tag: str
    client: str
    text: str
    times: int | None
    code: str
    message: str
    polls: int | None
    seconds: float | None
    counts: Mapping[str, int]
    parts: Sequence[int]
    max_shots: int | None
    qubits: int | None
    factor: float


class DeviceOptions(TypedDict, total=False):
    """Options of a device."""

    is_draining: bool
    is_paused: bool
    reason: str
    message: str
    qubits: int
    topology: str | Sequence[tuple[int, int]]
    noise: float | Mapping[str, float]
    queue: int
    calibration: str | Path | Mapping[str, Any] | Sequence[str | Path | Mapping[str, Any]]


class Filter(TypedDict, total=False):
    """Conditions on entries of the journal; see `Cloud.requests`."""

    method: str
    path: str
    dialect: str
    text: str
    status: int
    fault: FaultKind


def matches(exchange: Exchange, which: Filter) -> bool:
    """Return whether an entry of the journal satisfies all conditions."""
    return (
        which.get("method", exchange.method) == exchange.method
        and fnmatchcase(exchange.path, which.get("path", "*"))
        and which.get("dialect", exchange.dialect) == exchange.dialect
        and which.get("text", "") in exchange.body
        and which.get("status", exchange.status) == exchange.status
        and which.get("fault", exchange.fault) == exchange.fault
    )


def check_kind(method: str, kind: str, known: tuple[str, ...]) -> None:
    """Refuse an unknown kind; the text names the known ones."""
    if kind not in known:
        raise TestBedError(f"{method}: there is no {kind!r}; there are {', '.join(known)}.")


def check_names(method: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse an option with an unknown name; the text names the known ones."""
    if unknown := given.keys() - {*known}:
        raise TestBedError(
            f"{method}: there is no option {min(unknown)!r}; there are {', '.join(known)}."
        )
