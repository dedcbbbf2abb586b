"""Keyword arguments of `Cloud` for type checkers; `values` and `Cloud` describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from qwicket.testing.values import FaultKind


class FaultOptions(TypedDict, total=False):
    """Options of a fault."""

    dialect: str
    method: str
    path: str
    account: str
    skip: int
    times: int | None
    lasts_s: float | None
    probability: float
    seed: int
    seconds: float
    status: int
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
    status: int
    fault: FaultKind
