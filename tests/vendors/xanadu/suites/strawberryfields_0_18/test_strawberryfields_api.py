"""strawberryfields 0.18.0, unmodified: the last one with a client of its own, on Python 3.8."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import numpy as np
import pytest
import strawberryfields as sf
from strawberryfields import ops
from strawberryfields.api.connection import RequestFailedError
from strawberryfields.api.job import FailedJobError, JobStatus

from support.vendors import until, within

AT = urlsplit(os.environ["QWICKET_URL"])
TOKEN = os.environ["QWICKET_TOKEN"]


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment overrules the argument, whose default it is, too."""
    monkeypatch.setenv("SF_API_USE_SSL", "false")


def connect(token: str = TOKEN) -> sf.api.Connection:
    return sf.api.Connection(token=token, host=AT.hostname, port=AT.port, use_ssl=False)


def engine(target: str) -> sf.RemoteEngine:
    return sf.RemoteEngine(target, connection=connect())


def gaussian(*, squeezing: float = 0.6, bright: bool = False) -> sf.Program:
    program = sf.Program(2)
    with program.context as q:
        ops.Squeezed(2.5 if bright else squeezing) | q[0]
        ops.Squeezed(2.5 if bright else -squeezing) | q[1]
        ops.BSgate(np.pi / 4, 0.3) | (q[0], q[1])
        ops.MeasureFock() | q
    return program


def test_ping() -> None:
    assert connect().ping() is True


@pytest.mark.parametrize("name", ["QWICKET_REVOKED_TOKEN", "QWICKET_EXPIRED_TOKEN", ""])
def test_a_wrong_token_is_refused(name: str) -> None:
    with pytest.raises(RequestFailedError, match="API key"):
        connect(os.environ[name] if name else "qw_" + "a" * 43).ping()


def test_x8_is_compiled_against_and_run() -> None:
    unitary = sf.utils.random_interferometer(4)
    program = sf.Program(8)
    with program.context as q:
        for i in range(4):
            ops.S2gate(1.0) | (q[i], q[i + 4])
        ops.Interferometer(unitary) | q[:4]
        ops.Interferometer(unitary) | q[4:]
        ops.MeasureFock() | q
    with within(60):
        samples = engine("X8").run(program, shots=200).samples
    assert (samples.shape, samples.dtype) == ((200, 8), np.int64)
    assert (samples[:, :4].sum(axis=1) == samples[:, 4:].sum(axis=1)).all()
    assert samples.any()


def test_a_program_of_the_layout_is_made() -> None:
    spec = connect().get_device_spec("X8_01")
    assert spec.modes == 8
    assert spec.create_program(squeezing_amplitude_0=1).circuit


def test_a_gaussian_program_is_run() -> None:
    with within(60):
        samples = engine("simulon_gaussian").run(gaussian(), shots=30).samples
    assert (samples.shape, samples.dtype) == ((30, 2), np.int64)
    assert not (samples.sum(axis=1) % 2).any()  # squeezed light comes in pairs


def test_homodyne_values_are_reals() -> None:
    program = sf.Program(1)
    with program.context as q:
        ops.Sgate(0.6) | q[0]
        ops.MeasureX | q[0]
    with within(60):
        samples = engine("simulon_gaussian").run(program, shots=2000).samples
    assert (samples.shape, samples.dtype) == ((2000, 1), np.float64)
    # x narrowed by e^-0.6 (ħ = 2); 6 sigma.
    assert samples.var() == pytest.approx(np.exp(-1.2), rel=6 * np.sqrt(2 / 2000))


def test_a_job_is_followed_and_cannot_be_cancelled_when_done() -> None:
    job = engine("simulon_gaussian").run_async(gaussian(), shots=3)
    assert JobStatus(job.status) in (JobStatus.OPEN, JobStatus.QUEUED)

    def is_done() -> bool:
        job.refresh()
        return job.status == "complete"

    until(is_done, 60)
    assert job.result.samples.shape == (3, 2)
    connect().cancel_job(job.id)
    assert connect().get_job_status(job.id) == "complete"


def test_a_running_job_is_cancelled() -> None:
    program = sf.Program(12)
    with program.context as q:
        for mode in range(12):
            ops.Squeezed(0.5) | q[mode]
        for mode in range(11):
            ops.BSgate(0.6, 0.3) | (q[mode], q[mode + 1])
        ops.MeasureFock() | q
    job = engine("simulon_gaussian").run_async(program, shots=100_000)
    job.cancel()
    until(lambda: connect().get_job_status(job.id) == "cancelled", 60)


def test_a_failed_job_says_why() -> None:
    with within(60), pytest.raises(FailedJobError, match="mean photons"):
        engine("simulon_gaussian").run(gaussian(bright=True), shots=1)


def test_a_refused_program_says_why() -> None:
    with pytest.raises(RequestFailedError, match=r"400 .*the limit 'squeezing' is 2.5"):
        engine("simulon_gaussian").run(gaussian(squeezing=2.6), shots=1)


def test_an_unknown_device_is_not_found() -> None:
    with pytest.raises(RequestFailedError, match=r"404 \(not-found\): There is no device nope"):
        connect().get_device_spec("nope")


def test_another_accounts_job_is_not_there() -> None:
    job = engine("simulon_gaussian").run_async(gaussian(), shots=1)
    with pytest.raises(RequestFailedError, match=r"404 \(not-found\)"):
        connect(os.environ["QWICKET_OTHER_TOKEN"]).get_job(job.id)
