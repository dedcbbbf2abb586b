"""The overview of administrators: each limit in force has a line of its own."""

from __future__ import annotations

from qwicket.model.limits import Limits
from qwicket.pages.admin import _limit_rows
from qwicket.programs.ionq_gates import IonQLimits


def test_limits_of_a_format_and_of_photonics_are_shown_one_by_one() -> None:
    limits = Limits(own=(IonQLimits(ionq_gates=7),))
    shown = dict(_limit_rows(limits))
    assert shown["ionq_gates"] == 7
    assert shown["photonic.counted_modes"] == limits.photonic.counted_modes
    assert shown["quotas.groups"] == limits.quotas.groups
    assert not any(isinstance(value, dict | tuple | list) for value in shown.values())
