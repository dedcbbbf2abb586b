"""Conversion of results to NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.vendors.qlued.client.errors import QluedAPIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


def shots(result: Mapping[str, Any]) -> list[NDArray[np.int64]]:
    """Return the shots of each experiment, in the order of submission.

    Args:
        result: Result from `QluedClient.result`.

    Returns:
        Integer arrays (shots × measurements).

    Raises:
        QluedAPIError: The result has no shots, or has an unknown format.
    """
    try:
        return [_array(experiment) for experiment in result["results"]]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        pass
    raise QluedAPIError("The result has no shots.")


def _array(experiment: Mapping[str, Any]) -> NDArray[np.int64]:
    import numpy as np  # imported here, because it takes longer than the rest of the client

    memory = experiment["data"]["memory"]
    if not memory:
        return np.zeros((int(experiment["shots"]), 0), np.int64)
    if len({len(shot.split()) for shot in memory}) > 1:
        raise ValueError("shots have different numbers of measurements")
    numbers = np.array(" ".join(memory).split(), np.int64)
    return numbers.reshape(len(memory), -1)
