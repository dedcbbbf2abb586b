"""Calibrations as files hold them."""

from __future__ import annotations

from textwrap import dedent

import msgspec
import pytest

from qwicket.circuits import calibrations
from qwicket.circuits.calibrations import Calibration

MINIMAL = """
valid_from = 2026-01-01T00:00:00Z
source = "a test"
qubit = { t1_s = 1.0, t2_s = 1.0, one_for_zero = 0.01, zero_for_one = 0.03 }
one_qubit = { error = 0.001, duration_s = 1e-6 }
two_qubit = { error = 0.01, duration_s = 1e-5 }
"""


def read(text: str) -> Calibration:
    return msgspec.toml.decode(text, type=Calibration)


def test_example_in_the_docstring_is_a_calibration() -> None:
    _, _, rest = (calibrations.__doc__ or "").partition("\n\n")
    example, _, _ = rest.partition("\n\n`qubit`")
    found = read(dedent(example))
    found.check(3)
    assert found.qubits[2].gate == calibrations.GateFigures(error=0.0008, duration_s=35e-9)
    assert found.pairs[0].qubits == (1, 2)
    assert found.connected(3) == ((0, 1), (1, 2))
    assert found.valid_from_ms == 1_769_860_800_000  # date -d 2026-01-31T12:00:00Z +%s
    assert msgspec.json.decode(msgspec.json.encode(found), type=Calibration) == found


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_dialects_cannot_write_in_utc_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        read(MINIMAL.replace("2026-01-01T00:00:00Z", at)).check(1)


def test_without_connectivity_every_pair_is_connected() -> None:
    found = read(MINIMAL)
    assert found.connected(3) == ((0, 1), (0, 2), (1, 2))
    assert found.qubit.spam_error == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (MINIMAL.replace("t2_s = 1.0", "t2_s = 2.1"), "more than twice"),
        (MINIMAL.replace("t1_s = 1.0", "t1_s = 0.0"), ">= 1e-12"),
        (MINIMAL.replace("error = 0.001", "error = 1.5"), "<= 1"),
        (MINIMAL.replace("1e-6", "-1.0"), ">= 0"),
        (MINIMAL.replace("00Z", "00"), "timezone"),
        (MINIMAL + "connectivity = [[1, 1]]", "two qubits"),
        (MINIMAL + "pairs = [{ qubits = [2, 2], error = 0, duration_s = 0 }]", "two qubits"),
        (MINIMAL + "temperature_k = 0.02", "unknown field"),
        (MINIMAL + 'relaxes_to = "one"', "Invalid enum value"),
    ],
)
def test_what_cannot_be_is_refused(text: str, why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        read(text)


@pytest.mark.parametrize(
    "more",
    [
        "connectivity = [[0, 3]]",
        "pairs = [{ qubits = [3, 1], error = 0, duration_s = 0 }]",
        "[qubits.3]\nt1_s = 1\nt2_s = 1\none_for_zero = 0\nzero_for_one = 0",
        "[qubits.-1]\nt1_s = 1\nt2_s = 1\none_for_zero = 0\nzero_for_one = 0",
    ],
)
def test_figures_of_qubits_that_a_device_has_not_are_refused(more: str) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.2"):
        read(MINIMAL + more).check(3)


OTHERS = """
connectivity = [[0, 1], [2, 1], [2, 0], [3, 0]]
pairs = [
    { qubits = [1, 0], error = 0.02, duration_s = 0 },
    { qubits = [1, 2], error = 0.03, duration_s = 0 },
    { qubits = [0, 2], error = 0.04, duration_s = 0 },
]
[qubits.1]
t1_s = 3
t2_s = 5
one_for_zero = 0.1
zero_for_one = 0.1
gate = { error = 0.003, duration_s = 0 }
[qubits.2]
t1_s = 5
t2_s = 3
one_for_zero = 0.2
zero_for_one = 0.4
"""


def test_medians_are_over_the_qubits_and_connected_pairs_of_a_device() -> None:
    # Four qubits, two of them with averages; four pairs, one of them with the average.
    medians = read(MINIMAL + OTHERS).medians(4)
    assert medians == pytest.approx(((0.02 + 0.1) / 2, (0.02 + 0.03) / 2, 0.001, 2.0, 2.0))
    all_connected = OTHERS.partition("\n\n")[0].replace("connectivity", "# connectivity")
    # Three pairs of three have figures of their own, but only three of ten.
    assert read(MINIMAL + all_connected).medians(3).pair_error == 0.03
    assert read(MINIMAL + all_connected).medians(5).pair_error == 0.01
    assert read(MINIMAL).medians(1).pair_error == 0.01
