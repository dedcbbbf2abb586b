"""Results in qlued's JSON, with a text of numbers for each shot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from qwicket.circuits.outcomes import SAMPLES, Outcome
from qwicket.dialects.streaming import raw_list
from qwicket.model.failures import Failure
from qwicket.vendors.qlued.dialect import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qwicket.gateway import JobResults
    from qwicket.model.devices import Device

_MAX_CODES: Final = 1 << 62
"""Largest number of codes for shots: codes are 64-bit numbers."""


class _Echo(msgspec.Struct, frozen=True):
    """Instructions of an experiment, which its result repeats. There may be very many."""

    instructions: tuple[msgspec.Raw, ...]


class _Instruction(msgspec.Struct, frozen=True, array_like=True):
    name: str
    wires: tuple[float, ...]
    params: tuple[float, ...]


_echo_decoder: Final = msgspec.json.Decoder(dict[str, _Echo])
_instruction_decoder: Final = msgspec.json.Decoder(_Instruction)


def result(results: JobResults, source: bytes, device: Device) -> dict[str, Any]:
    """Return the body of a result.

    Args:
        results: Results of the experiments.
        source: JSON of the job, whose keys are the names of the experiments.
        device: Device on which it ran.
    """
    echoes = _echo_decoder.decode(source)
    return {
        "backend_name": catalogue.full_name(device),
        "display_name": catalogue.short_name(device),
        "backend_version": catalogue.atoms(device).version,
        "job_id": results.job.id,
        "qobj_id": None,
        "success": True,
        "status": "DONE",
        "header": {},
        "results": raw_list(_each(results, echoes)),
    }


def _each(results: JobResults, echoes: dict[str, _Echo]) -> Iterator[dict[str, Any]]:
    for (name, echo), outcome in zip(echoes.items(), results.parts, strict=True):
        if isinstance(outcome, Failure):
            raise ValueError("a completed job has a failed part")
        shots = _samples(outcome)
        rendered = render_shots(shots)
        yield {
            "header": {"name": name, "extra metadata": "text"},
            "shots": len(shots),
            "success": True,
            "data": {
                "memory": rendered.memory,
                "instructions": raw_list(map(_instruction, echo.instructions)),
                "counts": rendered.counts,
            },
        }


def _instruction(text: msgspec.Raw) -> dict[str, Any]:
    found = _instruction_decoder.decode(text)
    wires = [int(wire) for wire in found.wires]
    return {"name": found.name, "wires": wires, "params": found.params}


def _samples(outcome: Outcome) -> NDArray[np.int16]:
    array = outcome.arrays[SAMPLES]
    return np.frombuffer(array.data, array.dtype).reshape(array.shape)


class RenderedShots(NamedTuple):
    """Shots as texts: a JSON list in order, and the count of each text."""

    memory: msgspec.Raw
    counts: dict[str, int]


def render_shots(shots: NDArray[np.int16]) -> RenderedShots:
    """Return each shot as numbers separated by spaces; equal shots are rendered once."""
    if not shots.size:
        return RenderedShots(msgspec.Raw(b"[]"), {})
    _, first, inverse, counts = np.unique(
        _codes(shots), return_index=True, return_inverse=True, return_counts=True
    )
    texts = [" ".join(map(str, row)) for row in shots[first].tolist()]
    quoted = np.array([f'"{text}"' for text in texts], dtype=object)
    memory = ",".join(quoted[inverse]).encode()
    return RenderedShots(
        msgspec.Raw(b"[" + memory + b"]"), dict(zip(texts, counts.tolist(), strict=True))
    )


def _codes(shots: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return one number for each shot, the same for equal shots."""
    codes, n_codes = np.zeros(len(shots), np.int64), 1
    for column in shots.T:
        minimum = int(column.min())
        size = int(column.max()) - minimum + 1
        if n_codes * size > _MAX_CODES:
            # Number the codes that occur anew: there are at most as many as shots.
            known, codes = np.unique(codes, return_inverse=True)
            n_codes = len(known)
        codes, n_codes = codes * size + (column.astype(np.int64) - minimum), n_codes * size
    return codes
