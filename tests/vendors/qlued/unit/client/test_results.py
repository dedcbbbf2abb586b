from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qwicket.vendors.qlued.client import QluedAPIError, shots
from support.for_each import for_each

INT64 = np.dtype(np.int64)


def result(*memories: Any, n_shots: object = 3) -> dict[str, Any]:
    return {"results": [{"shots": n_shots, "data": {"memory": each}} for each in memories]}


def test_shots_are_integers_a_row_for_each_shot_and_a_column_for_each_reading() -> None:
    several, one, none = shots(result(["0 12 3", "500 0 1"], ["7", "8"], []))
    assert several.tolist() == [[0, 12, 3], [500, 0, 1]]
    assert one.tolist() == [[7], [8]]
    assert (none.shape, none.dtype, one.dtype) == ((3, 0), INT64, INT64)


@for_each(
    "wrong",
    [
        *({}, {"results": None}, {"results": [3]}, {"results": [{"data": {}}]}),
        *(
            result(["0 1", "0"]),
            result(["0 1 2", "3"]),
            result(["x"]),
            result([3]),
            result(["9" * 40]),
            result(["1.5"]),
        ),
        result([], n_shots="x"),
    ],
)
def test_what_is_no_result_is_an_error_of_ours(wrong: dict[str, Any]) -> None:
    with pytest.raises(QluedAPIError, match="no shots"):
        shots(wrong)
