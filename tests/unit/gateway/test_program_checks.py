"""Gates on pairs of qubits that a device does not connect."""

from __future__ import annotations

import pytest

from qwicket.circuits.summary import Summary
from qwicket.devices import built_in
from qwicket.gateway.program_checks import NotConnected, check_connected

(DEVICE,) = [each for each in built_in() if each.name == "simulator"]
LINE = ((0, 1), (1, 2))


def check(*pairs: tuple[int, int]) -> None:
    check_connected(Summary("qubit", 1, 3, 0, 1, pairs=pairs), DEVICE, LINE)


def test_a_gate_on_a_pair_that_is_not_connected_is_refused_if_its_format_says_so() -> None:
    check((0, 1), (2, 1))  # a pair has no direction
    check()  # of a format whose gates need no connections
    with pytest.raises(NotConnected, match="qubits 2 and 0, which simulator does not") as refusal:
        check((0, 1), (2, 0))
    assert refusal.value.pair == (2, 0)
