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

from qwicket.circuits.outcomes import (
    EVS,
    MEMORY,
    STDS,
    Array,
    Outcome,
    float64_array,
    key_array,
    key_width,
)
from qwicket.vendors.ibm import primitives

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.primitives import Shape

CLASS: Final = "mock"
_FIRST_WORD: Final = re.compile("^[^_]+")


def name_of(device: str) -> str:
    """Return the name of a device's mock, as clients form it: `mock` in place of its first word."""
    return _FIRST_WORD.sub(CLASS, device)


def device_of(name: str, devices: Sequence[Device]) -> str:
    """Return the device of a mock by its name; the name itself if it is not that of a mock.

    Only simulated devices have mocks. Of several whose mocks have one name, the first is meant.
    """
    if not name.startswith(CLASS) or any(device.name == name for device in devices):
        return name
    found = (each.name for each in devices if each.is_simulated and name_of(each.name) == name)
    return next(found, name)


def listed(views: Sequence[DeviceView], devices: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mocks of devices, as lists of devices show them.

    Args:
        views: The devices.
        devices: What the list shows of each.
    """
    taken = {view.device.name for view in views}
    mocks = []
    for view, shown in zip(views, devices, strict=True):
        name = name_of(view.device.name)
        if view.device.is_simulated and name not in taken:
            taken.add(name)
            mocks.append({**shown, "name": name, "class": CLASS})
    return mocks


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
        structs.replace(
            part, arrays=_values(_rng(part, index), int(n_values), shape.precision or 0)
        )
        for index, (part, n_values) in enumerate(zip(parts, numbers, strict=True))
    ]


def _values(rng: Any, n_values: int, precision: float) -> dict[str, Array]:
    return {
        EVS: float64_array(rng.uniform(-1, 1, n_values).tobytes()),
        STDS: float64_array((precision * rng.uniform(0.5, 1, n_values)).tobytes()),
    }


def _rng(part: Outcome, number: int) -> Any:
    return np.random.default_rng((part.seed, number))
