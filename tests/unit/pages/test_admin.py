"""The overview of administrators: each limit in force has a line of its own."""

from __future__ import annotations

import pytest

from qwicket.model.errors import InvalidRequest
from qwicket.model.limits import Limits
from qwicket.pages.admin import limit_rows
from qwicket.pages.admin_acts import people
from qwicket.vendors.ionq.limits import IonQLimits

pytestmark = pytest.mark.needs_vendors


def test_limits_of_a_format_and_of_photonics_are_shown_one_by_one() -> None:
    limits = Limits(own=(IonQLimits(ionq_gates=7),))
    shown = dict(limit_rows(limits))
    assert shown["ionq_gates"] == 7
    assert shown["photonic.counted_modes"] == limits.photonic.counted_modes
    assert shown["quotas.groups"] == limits.quotas.groups
    assert not any(isinstance(value, dict | tuple | list) for value in shown.values())


def test_people_are_read_from_lines_with_or_without_a_heading() -> None:
    ada = {"name": "ada", "email": "ada@example.org"}
    assert people("name,email\nada, ada@example.org\n\nben\n") == [ada, {"name": "ben"}]
    assert people("ada,ada@example.org") == [ada]


def test_a_cell_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 131,072 characters"):
        people("x" * 131_073)
