"""Keyword arguments of `Cloud`, for type checkers; `values` says what each means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from qwicket.testing.values import FaultKind


class FaultOptions(TypedDict, total=False):
    """Options of a fault."""

    dialect: str
    method: str
    path: str
    account: str
    skip: int
    times: int | None
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


class Filter(TypedDict, total=False):
    """Which entries of the journal."""

    method: str
    path: str
    dialect: str
    status: int
    fault: FaultKind
