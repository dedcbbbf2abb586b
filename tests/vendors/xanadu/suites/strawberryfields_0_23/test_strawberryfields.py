"""strawberryfields 0.23.0, unmodified: its RemoteEngine over xanadu-cloud-client 0.3.2."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import numpy as np
import pytest
import strawberryfields as sf
import xcc
from strawberryfields import ops

from support.vendors import within

AT = urlsplit(os.environ["QWICKET_URL"])
TOKEN = os.environ["QWICKET_TOKEN"]


def connect(token: str = TOKEN) -> xcc.Connection:
    return xcc.Connection(token, host=AT.hostname, port=AT.port, tls=False)


def engine(target: str) -> sf.RemoteEngine:
    return sf.RemoteEngine(target, connection=connect())


def run(target: str, program: sf.Program, shots: int, **options: object) -> np.ndarray:
    with within(90):
        result = engine(target).run(program, shots=shots, **options)
    assert result is not None
    return result.samples


def x8(unitary: np.ndarray) -> sf.Program:
    program = sf.Program(8)
    with program.context as q:
        for i in range(4):
            ops.S2gate(1.0) | (q[i], q[i + 4])
        ops.Interferometer(unitary) | q[:4]
        ops.Interferometer(unitary) | q[4:]
        ops.MeasureFock() | q
    return program


def test_the_connection_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"REFRESH_TOKEN": TOKEN, "HOST": AT.hostname, "PORT": str(AT.port), "TLS": "False"}
    for name, value in settings.items():
        monkeypatch.setenv(f"XANADU_CLOUD_{name}", str(value))
    assert sf.RemoteEngine("X8").device.target == "X8_01"


def test_an_interferometer_is_compiled_and_run_on_x8() -> None:
    unitary = sf.utils.random_interferometer(4)
    shots = 2_000
    samples = run("X8", x8(unitary), shots)
    assert samples.shape == (shots, 8)
    assert samples.dtype == np.int64
    signal, idler = samples[:, :4], samples[:, 4:]
    assert (signal.sum(axis=1) == idler.sum(axis=1)).all()
    # With equal squeezing each mode alone is thermal with mean sinh² 1, whatever the unitary;
    # the mean of N shots is off by sqrt(m (m + 1) / N) on average. 6 sigma.
    mean = np.sinh(1.0) ** 2
    assert samples.mean(axis=0) == pytest.approx(mean, abs=6 * np.sqrt(mean * (mean + 1) / shots))


def test_the_covariances_of_x8_are_those_of_the_unitary() -> None:
    """Cov(n_i, m_j) = |(U diag(sinh r cosh r) U^T)_ij|², of Gaussian moments (Wick's theorem)."""
    rng = np.random.default_rng(4)
    unitary = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    shots = 20_000
    samples = run("X8", x8(unitary), shots)
    exact = np.abs(unitary @ unitary.T * np.sinh(1) * np.cosh(1)) ** 2
    found = np.cov(samples.T)[:4, 4:]
    centred = samples - samples.mean(axis=0)
    spread = np.einsum("ki,kj->kij", centred[:, :4], centred[:, 4:]).std(axis=0) / np.sqrt(shots)
    assert (np.abs(found - exact) < 6 * spread).all()


def test_a_program_of_the_layout_is_made_and_run() -> None:
    device = engine("X8").device
    phases = {f"phase_{k}": np.pi for k in range(0, 12, 2)}  # MZgate(π, 0) does not mix
    program = device.create_program(squeezing_amplitude_0=1, **phases)
    samples = run("X8", program, 20)
    assert samples.shape == (20, 8)
    assert (samples[:, 0] == samples[:, 4]).all()
    assert samples[:, 0].any()
    assert not samples[:, [1, 2, 3, 5, 6, 7]].any()
    with pytest.raises(ValueError, match=r"invalid value 0\.5"):
        device.create_program(squeezing_amplitude_0=0.5)


def test_what_the_layout_cannot_do_is_refused_by_the_compiler() -> None:
    program = sf.Program(8)
    with program.context as q:
        ops.Dgate(0.3) | q[0]
        ops.MeasureFock() | q
    with pytest.raises(sf.program_utils.CircuitError):
        engine("X8").run(program, shots=1)


@pytest.mark.parametrize(
    ("measure", "dtype", "modes"),
    [
        (ops.MeasureFock(), np.int64, 3),
        (ops.MeasureThreshold(), np.int64, 3),
        (ops.MeasureX, np.float64, 30),
        (ops.MeasureHD, np.complex128, 30),
    ],
)
def test_gaussian_programs_are_measured_in_every_way(
    measure: ops.Measurement, dtype: type, modes: int
) -> None:
    program = sf.Program(modes)
    with program.context as q:
        for mode in range(modes):
            ops.Squeezed(0.3) | q[mode]
        for mode in range(modes - 1):
            ops.BSgate() | (q[mode], q[mode + 1])
        ops.Pgate(0.2) | q[0]  # decomposed with numbers as quoted text
        if dtype is np.int64:
            measure | q
        else:
            for mode in range(modes):
                measure | q[mode]
    samples = run("simulon_gaussian", program, 7)
    assert samples.shape == (7, modes)
    assert samples.dtype == dtype


def test_columns_are_modes_in_order_whatever_the_program_names_first() -> None:
    program = sf.Program(3)
    with program.context as q:
        ops.Coherent(3.0) | q[2]
        ops.MeasureFock() | q[2]
        ops.MeasureFock() | q[0]
    samples = run("simulon_gaussian", program, 50)
    assert samples.shape == (50, 2)
    assert not samples[:, 0].any()
    # Poisson with mean 9; 6 sigma.
    assert samples[:, 1].mean() == pytest.approx(9, abs=6 * 3 / np.sqrt(50))


def test_measured_values_feed_forward() -> None:
    program = sf.Program(2)
    with program.context as q:
        ops.Sgate(-1.0) | q[0]
        ops.MeasureX | q[0]
        ops.Xgate(q[0].par) | q[1]
        ops.Sgate(2.0) | q[1]
        ops.MeasureX | q[1]
    samples = run("simulon_gaussian", program, 200)
    # x₁ e² = x₀ + vacuum: off by a variance of 1; 6 sigma for the largest of 200.
    assert np.abs(samples[:, 1] * np.exp(2) - samples[:, 0]).max() < 6


@pytest.mark.parametrize("bins", [64, 5])
def test_time_domain_programs_are_compiled_and_run(bins: int) -> None:
    rng = np.random.default_rng(bins)
    angles = rng.uniform(0, 2 * np.pi, (3, bins))
    angles[0, 0] = 0  # nothing comes out of the loop in the first bin
    program = sf.TDMProgram(N=2)
    with program.context(*angles) as (p, q):
        ops.Sgate(0.7) | q[1]
        ops.BSgate(p[0]) | (q[1], q[0])
        ops.Rgate(p[1]) | q[1]
        ops.MeasureHomodyne(p[2]) | q[0]
    samples = run("tdm_small", program, 6)
    assert samples.shape == (6, 1, bins)
    assert samples.dtype == np.float64
    assert run("tdm_small", program, 6, crop=True).shape == (6, 1, bins - 1)


def test_a_time_domain_program_agrees_with_the_local_engine() -> None:
    """All of the light of bin t is swapped into the loop and out again in bin t + 1."""
    bins, shots = 4, 3_000

    def swapped() -> sf.TDMProgram:
        program = sf.TDMProgram(N=2)
        with program.context([np.pi / 2] * bins, [0.0] * bins, [0.0] * bins) as (p, q):
            ops.Sgate(0.7) | q[1]
            ops.BSgate(p[0]) | (q[1], q[0])
            ops.Rgate(p[1]) | q[1]
            ops.MeasureHomodyne(p[2]) | q[0]
        return program

    remote = run("tdm_small", swapped(), shots)[:, 0]
    local = sf.Engine("gaussian").run(swapped(), shots=shots).samples[:, 0]
    # Variances of N normal draws are off by sqrt(2/N) of themselves each. 6 sigma of two.
    bound = 6 * np.sqrt(2 * 2 / shots)
    assert remote.var(axis=0) == pytest.approx(local.var(axis=0), rel=bound)


def test_too_many_time_bins_are_refused_by_the_compiler() -> None:
    program = sf.TDMProgram(N=2)
    with program.context([0.1] * 65, [0.1] * 65, [0.1] * 65) as (p, q):
        ops.Sgate(0.7) | q[1]
        ops.BSgate(p[0]) | (q[1], q[0])
        ops.Rgate(p[1]) | q[1]
        ops.MeasureHomodyne(p[2]) | q[0]
    with pytest.raises(sf.program_utils.CircuitError, match="up to 64"):
        engine("tdm_small").run(program, shots=1)


def test_a_failed_job_says_why() -> None:
    program = sf.Program(2)
    with program.context as q:
        ops.Squeezed(2.5) | q[0]
        ops.Squeezed(2.5) | q[1]
        ops.BSgate() | (q[0], q[1])
        ops.MeasureFock() | q
    with within(60), pytest.raises(sf.engine.FailedJobError, match="mean photons"):
        engine("simulon_gaussian").run(program, shots=1)


def test_a_refused_program_says_why() -> None:
    program = sf.Program(1)
    with program.context as q:
        ops.Sgate(2.6) | q[0]
        ops.MeasureX | q[0]
    with pytest.raises(Exception, match=r"the limit 'squeezing' is 2\.5"):
        engine("simulon_gaussian").run(program, shots=1)


def test_a_job_runs_without_a_waiting_client() -> None:
    program = sf.Program(1)
    with program.context as q:
        ops.Coherent(1.0) | q[0]
        ops.MeasureFock() | q[0]
    job = engine("simulon_gaussian").run_async(program, shots=4)
    with within(60):
        job.wait()
    assert job.status == "complete"
    assert sf.Result(job.result).samples.shape == (4, 1)
