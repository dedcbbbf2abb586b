"""Mock backends, on which clients do dry runs.

A dry run is a job of the device beside the mock: it is checked like one, but runs nothing and costs
nothing. Its result has the form of the real one, with random bits and values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import structs

from qwicket.circuits.mitigation import runs
from qwicket.circuits.outcomes import (
    EVS,
    MEMORY,
    STDS,
    Array,
    Outcome,
    float64_array,
    int64_array,
    key_array,
    key_width,
)
from qwicket.vendors.ibm import primitives

if TYPE_CHECKING:
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.primitives import Shape

CLASS: Final = "mock"
_FIRST_WORD: Final = re.compile("^[^_]+")


def name_of(device: str) -> str:
    """Return the name of a device's mock, as clients form it: `mock` in place of its first word."""
    return _FIRST_WORD.sub(CLASS, device)


def names(devices: Sequence[Device]) -> dict[str, str]:
    """Return the names of mocks, each with that of its device.

    Only simulated devices have mocks. Of several whose mocks have one name, the first is meant, and
    of a mock and a device, the device.
    """
    known = {device.name for device in devices}
    found: dict[str, str] = {}
    for device in devices:
        name = name_of(device.name)
        if device.is_simulated and name not in known:
            found.setdefault(name, device.name)
    return found


def with_bits(part: Outcome, number: int, shots: int) -> Outcome:
    """Return a part of a dry run with random shots.

    Args:
        part: The part, with its registers.
        number: Index of the part in its job.
        shots: Number of shots.
    """
    n_bits = sum(register.size for register in part.registers)
    memory = _rng(part, number).bytes(shots * key_width(n_bits))
    return structs.replace(part, arrays={MEMORY: key_array(memory, n_bits)})


def with_values(parts: Sequence[Outcome], shape: Shape, limits: Limits) -> list[Outcome]:
    """Return the parts of one pub of an estimator with random values."""
    numbers = np.bincount(primitives.broadcast(shape, limits).parts, minlength=len(parts))
    return [
        structs.replace(part, arrays=_values(_rng(part, index), int(n_values), shape))
        for index, (part, n_values) in enumerate(zip(parts, numbers, strict=True))
    ]


def _values(rng: Any, n_values: int, shape: Shape) -> dict[str, Array]:
    """Return random values and standard errors; nothing was run, so `runs` is 0."""
    shapes: dict[str, tuple[int, ...]] = {EVS: (n_values,), STDS: (n_values,)}
    if shape.mitigation is not None:
        shapes |= runs.array_shapes(shape.mitigation, n_values)
    precision = shape.precision or 0
    found = {}
    for name, of_array in shapes.items():
        low, high = (-1.0, 1.0) if name.startswith("evs") else (precision / 2, precision)
        found[name] = _floats(rng.uniform(low, high, of_array))
    if shape.mitigation is not None:
        found[runs.RUNS] = int64_array(bytes(16))
    if runs.NOISE_FACTORS in found:
        assert shape.mitigation is not None
        found[runs.NOISE_FACTORS] = _floats(np.array(shape.mitigation.noise_factors))
    return found


def _floats(values: Any) -> Array:
    return structs.replace(float64_array(values.tobytes()), shape=values.shape)


def _rng(part: Outcome, number: int) -> Any:
    return np.random.default_rng((part.seed, number))
