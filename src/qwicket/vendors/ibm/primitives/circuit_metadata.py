"""The metadata of a circuit: a JSON object near the beginning of its QPY file.

Read without Qiskit and without unpacking the circuit, because each reading of a result repeats it.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode
from typing import Final

EMPTY: Final = b"{}"

_HEAD: Final = struct.Struct("!6sBBBBQcc")
"""Magic, version of QPY, three numbers of Qiskit's version, circuits, encoding, kind of program.
The same in all versions that `circuits` reads."""
_OFFSETS_SINCE: Final = 16
"""Version of QPY since which the place of each circuit follows."""
_OFFSET_BYTES: Final = 8
_CIRCUIT: Final = struct.Struct("!HcHIIQIQI")
"""Sizes of the name, of the global phase (after its type) and of the metadata (the sixth), and
numbers of qubits, bits, registers, instructions and variables. Name, phase and metadata follow."""
_PREFIX_BYTES: Final = _HEAD.size + _OFFSET_BYTES + _CIRCUIT.size + 2 * 0xFFFF
"""What precedes the metadata is no longer than this."""


def read(packed: str, max_bytes: int) -> bytes:
    """Return the metadata of the circuit in a file, as JSON in ASCII.

    NaN and infinity become null, because JSON lacks them. The result is `{}` if the file is
    malformed: `circuits` refuses it and says why.

    Args:
        packed: A QPY file with one circuit: zlib in base64.
        max_bytes: Bytes that are unpacked at most.
    """
    try:
        data = b64decode(packed)
        begin, end = _place(_unpacked(data, _PREFIX_BYTES))
        text = _unpacked(data, min(end, max_bytes))[begin:]
        found = json.loads(text, parse_constant=lambda _: None)
        whole = json.dumps(found, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError, struct.error, zlib.error):
        return EMPTY
    return whole if isinstance(found, dict) else EMPTY


def size(packed: str, max_bytes: int) -> int:
    """Return how many bytes the metadata have, but at most `max_bytes` + 1; 0 in a malformed file.

    A file may have a thousand times its bytes in metadata, of spaces that `read` leaves out.
    """
    try:
        data = b64decode(packed)
        begin, end = _place(_unpacked(data, _PREFIX_BYTES))
        return max(0, len(_unpacked(data, min(end, begin + max_bytes + 1))) - begin)
    except (ValueError, struct.error, zlib.error):
        return 0


def _unpacked(data: bytes, n_bytes: int) -> bytes:
    return zlib.decompressobj().decompress(data, n_bytes)


def _place(prefix: bytes) -> tuple[int, int]:
    """Return where the metadata of the first circuit begin and end."""
    version = _HEAD.unpack_from(prefix)[1]
    at = _HEAD.size + (_OFFSET_BYTES if version >= _OFFSETS_SINCE else 0)
    name, _, phase, _, _, metadata, *_ = _CIRCUIT.unpack_from(prefix, at)
    begin = at + _CIRCUIT.size + name + phase
    return begin, begin + metadata
