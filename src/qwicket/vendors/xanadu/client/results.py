"""Decode results: zip archives of NumPy arrays (npz), without unpickling objects."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from requests.exceptions import RequestException

from qwicket.clients.http import bounds

if TYPE_CHECKING:
    import requests

Result = dict[str, NDArray[Any] | list[NDArray[Any]]]

_CHUNK_BYTES: Final = 64 << 10
_MAX_BYTES: Final = 4 << 30
"""Largest size in bytes of a response, and of all its arrays together."""


def arrays(response: requests.Response, *, widen: bool) -> Result:
    """Return the arrays of a result.

    Args:
        response: Response whose body has not been read.
        widen: Whether to convert all integers to int64.

    Raises:
        RequestException: The response is not an archive of arrays.
    """
    body = _read(response)
    failure = f"{response.url} did not return NumPy arrays (npz)."
    try:
        found = _load(body)
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile):
        pass
    except (MemoryError, NotImplementedError, SyntaxError, RecursionError) as error:
        failure = f"{failure} {type(error).__name__}."
    else:
        return _named(found, widen)
    raise RequestException(failure)


def _max_bytes() -> int:
    in_use = bounds.current()
    return _MAX_BYTES if in_use is None else in_use.max_bytes


def _read(response: requests.Response) -> io.BytesIO:
    if bounds.current() is not None:
        return io.BytesIO(response.content)  # it was read within the bounds
    body = io.BytesIO()
    with response:
        for chunk in response.iter_content(_CHUNK_BYTES):
            body.write(chunk)
            if body.tell() > _MAX_BYTES:
                raise RequestException(f"The result is over {_MAX_BYTES >> 30} GiB.")
    return body


def _load(body: io.BytesIO) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(body) as archive:
        n_bytes = sum(file.file_size for file in archive.infolist())
        if n_bytes > _max_bytes():
            text = f"The arrays of the result have {n_bytes:,} bytes; at most {_max_bytes():,} are"
            raise RequestException(str(bounds.beyond(f"{text} unpacked.")))
    body.seek(0)
    with np.load(body, allow_pickle=False) as archive:
        return {name: np.asarray(archive[name]) for name in archive.files}


def _named(loaded: dict[str, NDArray[Any]], widen: bool) -> Result:
    """Return the arrays by name, and those that NumPy numbered (`arr_0`) as the list `output`."""
    if widen:
        loaded = {
            name: array.astype(np.int64) if np.issubdtype(array.dtype, np.integer) else array
            for name, array in loaded.items()
        }
    output: list[NDArray[Any]] = []
    while (name := f"arr_{len(output)}") in loaded:
        output.append(loaded.pop(name))
    return {"output": output, **loaded}
