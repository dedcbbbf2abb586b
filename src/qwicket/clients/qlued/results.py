"""Results as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.clients.qlued.errors import QluedAPIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


def shots(result: Mapping[str, Any]) -> list[NDArray[np.int64]]:
    """Return the shots of each experiment, in the order in which they were sent.

    Args:
        result: As `QluedClient.result` returns it.

    Returns:
        Arrays of integers, (shots, wires): a row for each shot, a column for each reading.

    Raises:
        QluedAPIError: It is no such result.
    """
    try:
        return [_array(experiment) for experiment in result["results"]]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        pass
    raise QluedAPIError("The result has no shots.")


def _array(experiment: Mapping[str, Any]) -> NDArray[np.int64]:
    import numpy as np  # takes longer to import than all the rest

    memory = experiment["data"]["memory"]
    if not memory:
        return np.zeros((int(experiment["shots"]), 0), np.int64)
    numbers = np.array(" ".join(memory).split(), np.int64)
    return numbers.reshape(len(memory), -1)
