"""bloqade-analog, unmodified, on the Rydberg device. It shows an atom in the Rydberg state as 0.

Expected values are closed formulas: Rabi oscillations of one atom and of a blockaded pair.
"""

import os
from math import pi, sin, sqrt

import pytest
from bloqade.analog import load, save, start

RYDBERG = "arn:aws:braket:us-east-1::device/qpu/qwicket/rydberg"
SHOTS = 500
SIGMAS = 6
RAMP_US = 0.05
RABI = 2 * pi
"""Rabi frequency of one atom in rad/µs."""


@pytest.fixture(autouse=True, scope="module")
def environment():
    """What `qwicket env braket` prints, and nothing of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AMZN_BRAKET_OUT_S3_BUCKET"):
            patch.delenv(name, raising=False)
        for name in ("braket", "s3", "sts"):
            patch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", f"{os.environ['QWICKET_URL']}/{name}")
        key_id, secret = os.environ["QWICKET_AWS_KEYS"].split()
        patch.setenv("AWS_ACCESS_KEY_ID", key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


def driven(atoms, hold, rabi=RABI):
    """Return a program with a resonant pulse that rises, holds and falls; times in µs."""
    amplitude = atoms.rydberg.rabi.amplitude.uniform
    return amplitude.piecewise_linear([RAMP_US, hold, RAMP_US], [0, rabi, rabi, 0])


def excited(hold, rabi=RABI):
    """Return the probability of a Rydberg state after the pulse, whose area is the angle."""
    return sin(rabi * (hold + RAMP_US) / 2) ** 2


def assert_share(number, expected):
    assert abs(number - SHOTS * expected) <= SIGMAS * sqrt(SHOTS / 4) + 1e-9


def test_one_atom_oscillates():
    program = driven(start.add_position((0, 0)), "hold").batch_assign(hold=[0.2, 0.45, 0.7])
    reports = program.braket.device(RYDBERG).run(SHOTS).report().counts()
    for counts, hold in zip(reports, [0.2, 0.45, 0.7], strict=True):
        assert_share(counts.get("0", 0), excited(hold))


def test_a_blockaded_pair_oscillates_faster_and_never_has_two_excitations():
    program = driven(start.add_position([(0, 0), (0, 5.0)]), 0.3)
    (counts,) = program.braket.device(RYDBERG).run(SHOTS).report().counts()
    assert counts.get("00", 0) <= 0.02 * SHOTS
    assert_share(counts.get("01", 0) + counts.get("10", 0), excited(0.3, sqrt(2) * RABI))


def test_a_batch_is_saved_and_fetched_later(tmp_path):
    program = driven(start.add_position((0, 0)), 0.45)
    batch = program.braket.device(RYDBERG).run_async(20, name="later")
    save(batch, str(tmp_path / "batch.json"))
    (counts,) = load(str(tmp_path / "batch.json")).pull().report().counts()
    assert counts == {"0": 20}


def test_atoms_on_a_lattice_are_parallelised():
    program = driven(start.add_position((0, 0)), 0.45).parallelize(20.0)
    (counts,) = program.braket.device(RYDBERG).run(20).report().counts()
    assert set(counts) == {"0"}
    assert sum(counts.values()) > 20
