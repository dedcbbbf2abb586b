"""Converts the result of an executor program of IBM's platform to the shots of its circuits."""

from __future__ import annotations

import zlib
from base64 import b64decode
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.drivers.remote.clouds import InvalidResult
from qwicket.vendors.ibm.primitives import UNASSIGNED_REGISTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from qwicket.circuits.frames import Frame

_DTYPE: Final = "bool"
_MAX_AXES: Final = 64
"""The most that an array of NumPy has."""


def keys(
    document: Mapping[str, Any], frames: Sequence[Frame], n_sets: Sequence[int], shots: int
) -> Iterator[list[int]]:
    """Yield the key of each shot of each circuit.

    Args:
        document: The result.
        frames: Shape of each circuit's result, those of one item after those of another.
        n_sets: Number of circuits of each item.
        shots: Shots of each circuit.

    Raises:
        InvalidResult: A register is missing, malformed or of another size.
    """
    items = document.get("data")
    if not isinstance(items, list) or len(items) != len(n_sets):
        raise InvalidResult(f"it has not the results of {len(n_sets)} items")
    left = iter(frames)
    for item, number in zip(items, n_sets, strict=True):
        own = list(islice(left, number))
        found = [[0] * shots for _ in own]
        start = 0
        for register in own[0].registers:
            if register.size and register.name != UNASSIGNED_REGISTER:
                shape = (number, shots, register.size)
                for rows, bits in zip(found, _bits(item, register.name, shape), strict=True):
                    for index, row in enumerate(np.packbits(bits, axis=1, bitorder="little")):
                        rows[index] |= int.from_bytes(row.tobytes(), "little") << start
            start += register.size
        yield from found


def _bits(item: Any, name: str, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the bits of a register: circuits × shots × bits, bit 0 first."""
    n_bits = prod(shape)
    n_bytes = (n_bits + 7) // 8
    try:
        tensor = item["results"][name]
        given = tuple(tensor["shape"])
        packed = b64decode(tensor["data"], validate=True)
        data = zlib.decompressobj().decompress(packed, n_bytes + 1)
        sets = given[:-2]
        is_sized = len(sets) <= _MAX_AXES and all(
            type(n) is int and 0 < n <= shape[0] for n in sets
        )
        if not is_sized or prod(sets) != shape[0] or given[-2:] != shape[1:]:
            raise ValueError
        if tensor["dtype"] != _DTYPE:
            raise ValueError
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        if len(data) != n_bytes:
            raise ValueError
        return bits[:n_bits].reshape(shape)
    except (KeyError, TypeError, ValueError, OverflowError, zlib.error):
        text = f"it has not {shape[1]} shots of the {shape[2]} bits of {name} for each circuit"
        raise InvalidResult(text) from None
