from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qwicket.clients.native import ClientError, JobFailed, Part, Result, UnexpectedResponse
from qwicket.clients.native.views import DeviceView, JobView
from qwicket.schema.jobs import ErrorBody
from qwicket.schema.results import OutcomeBody

GOOD = Part(counts={"00": 5}, probabilities={"00": 1.0}, memory=["00"] * 5)


def test_a_part_has_what_the_server_sent() -> None:
    body = OutcomeBody(
        counts={"1": 2},
        probabilities={"1": 1.0},
        memory=["1", "1"],
        engine="qubit",
        engine_version="3",
        seed=7,
        seconds=0.5,
    )
    assert Part.from_body(body) == Part({"1": 2}, {"1": 1.0}, ["1", "1"], "qubit 3", 7, 0.5)


def test_a_part_that_failed_says_why() -> None:
    part = Part.from_body(OutcomeBody(error=ErrorBody("out_of_time", "It took\ntoo long.")))
    assert part.error == "out_of_time: It took too long."
    assert part.counts == {}


def test_a_result_of_one_circuit_is_read_without_naming_it() -> None:
    result = Result("job", (GOOD,))
    assert (result.counts, result.probabilities) == ({"00": 5}, {"00": 1.0})
    assert result.memory == ["00"] * 5


@pytest.mark.parametrize("parts", [(), (GOOD, GOOD)])
def test_a_result_of_several_circuits_must_be_read_by_part(parts: tuple[Part, ...]) -> None:
    with pytest.raises(ValueError, match=r"circuits: use \.parts"):
        _ = Result("job", parts).counts


def test_the_counts_of_a_circuit_that_failed_are_no_empty_counts() -> None:
    with pytest.raises(JobFailed, match="out_of_time"):
        _ = Result("job", (Part(error="out_of_time: It took too long."),)).counts


def test_samples_of_a_job_of_one_circuit_are_its_own() -> None:
    part = Part.from_body(OutcomeBody(samples=[[3, 0], [1, 2]]))
    assert Result("job", (part,)).samples == [[3, 0], [1, 2]]


# --- arrays ------------------------------------------------------------------------------------


def archive(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def filled(content: bytes | Callable[[], bytes]) -> Part:
    part = Part(registers=(("a", 3), ("b", 7)))
    part.fill(content)
    return part


def test_bits_are_unpacked_column_by_column() -> None:
    # StepResult 0b1000000001 of ten bits: packed bytes, the lowest first (docs/api.md, Parts).
    part = filled(archive(keys=np.array([[1, 2]], np.uint8), counts=np.array([5])))
    assert part.arrays["keys"].tolist() == [[1, *[0] * 8, 1]]
    assert part.arrays["counts"].tolist() == [5]


def test_arrays_are_fetched_once_and_only_when_read() -> None:
    fetched: list[int] = []

    def fetch() -> bytes:
        fetched.append(1)
        return archive(samples=np.array([[1.5]]))

    part = filled(fetch)
    assert not fetched
    assert part.arrays["samples"].tolist() == part.arrays["samples"].tolist() == [[1.5]]
    assert fetched == [1]


def test_a_result_can_be_pickled_with_the_arrays_that_are_there() -> None:
    part = filled(lambda: archive(counts=np.array([5])))
    bare = pickle.loads(pickle.dumps(Result("job", (part,))))
    with pytest.raises(ClientError, match="arrays=True"):
        _ = bare.arrays
    assert part.arrays["counts"] == [5]
    assert pickle.loads(pickle.dumps(part)).arrays["counts"] == [5]


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04 no archive", archive(x=np.array([{}]))]
)
def test_what_is_no_archive_is_a_bad_answer(content: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="not an archive of NumPy"):
        _ = filled(content).arrays


def test_a_failed_part_has_no_arrays_and_no_plot() -> None:
    part = Part(error="out_of_time: It took too long.")
    for read in (lambda: part.arrays, part.plot):
        with pytest.raises(JobFailed, match="out_of_time"):
            read()


# --- what is shown -----------------------------------------------------------------------------


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.usefixtures("without_matplotlib")
def test_bars_are_printed_where_matplotlib_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    part = Part(counts={"11": 50, "00": 100, "01": 1, "10": 0})
    assert part.plot() is None
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"00       100  {'█' * 40}"
    assert second == "01         1  ▍"
    assert third == f"11        50  {'█' * 20}"


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize(
    ("part", "first"),
    [
        (Part(probabilities={"0": 0.25, "1": 0.75}), "0      0.25  █████████████▍"),
        (Part(memory=["0", "1", "1", "1"]), "0         1  █████████████▍"),
        (Part(samples=[[2, 0], [2, 0], [1, 1]]), "1 1         1  ████████████████████"),
        (Part(samples=[[0.0], [16.0], [16.0]]), "+0.500          1  ████████████████████"),
        (Part(samples=[[(0.0, 9.0)], [(16.0, 9.0)]]), "+0.500          1  " + "█" * 40),
        (Part(), "(no outcomes)"),
    ],
)
def test_whatever_there_is_gets_bars(
    part: Part, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part.plot()
    assert capsys.readouterr().out.splitlines()[0] == first


@pytest.mark.usefixtures("without_matplotlib")
def test_rare_outcomes_are_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Result("job", (Part(counts={f"{i:03}": i for i in range(1, 101)}),)).plot(top=3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["098", "099", "100", "…"]
    assert lines[-1] == "… and 97 more outcomes"


ESTIMATED = OutcomeBody(evs=[0.5, -1.0], stds=[0.25, 0.0])


def test_expectation_values_are_read_and_shown() -> None:
    part = Part.from_body(ESTIMATED)
    result = Result("job", (part,))
    assert (result.evs, result.stds) == ([0.5, -1.0], [0.25, 0.0])
    assert repr(result) == "Result(job='job', parts=(Part(evs=[0.5, -1.0], stds=[0.25, 0.0]),))"
    page = result._repr_html_()
    assert "+0.500000 ± 0.250000" in page
    assert "-1.000000<" in page


@pytest.mark.usefixtures("without_matplotlib")
def test_expectation_values_are_printed_where_matplotlib_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Part.from_body(ESTIMATED).plot()
    assert capsys.readouterr().out == "0  +0.500000 ± 0.250000\n1  -1.000000\n"
    Part(evs=[0.5] * 30, stds=[0.0] * 30).plot(top=2)
    assert capsys.readouterr().out.splitlines()[-1] == "… and 28 more values"


def test_nobody_is_flooded_who_looks_at_a_result() -> None:
    many = Part(counts={f"{i:020b}": 1 for i in range(50_000)}, memory=["0" * 20] * 50_000)
    assert len(repr(Result("job", (many,) * 5_000))) < 5_000
    assert "'00': 5" in repr(Result("job", (GOOD,)))
    assert repr(Part(error="out_of_time: no", seed=0)) == "Part(seed=0, error='out_of_time: no')"


def test_frequencies_are_shares_of_the_shots() -> None:
    assert Part(counts={"0": 1, "1": 3}).frequencies == {"0": 0.25, "1": 0.75}
    assert Part().frequencies == {}


def test_notebooks_get_a_table_in_which_nothing_is_markup() -> None:
    parts = (Part(counts={"<b>": 3}), Part(error="<script>"))
    page = Result("job", parts)._repr_html_()
    assert "&lt;b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_notebooks_are_not_flooded() -> None:
    page = Result("job", (Part(counts={"0": 1}),) * 1000)._repr_html_()
    assert page.count("<table") == 16
    assert "and 984 more circuits" in page


def test_a_result_is_a_sequence_of_its_parts() -> None:
    result = Result("job", (GOOD, Part(counts={"1": 1})))
    assert (len(result), result[1].counts, result[-2]) == (2, {"1": 1}, GOOD)
    assert [*result] == list(result[:]) == list(result.parts)


def test_notebooks_show_jobs_and_devices_as_text() -> None:
    created = "2026-11-20T12:00:00.000+00:00"
    job = JobView({"id": "j", "state": "completed", "created_at": created, "shots": 5})
    page = job._repr_html_()
    assert "2026-11-20 12:00:00<" in page
    assert "queue" not in page
    device = DeviceView({"name": "d", "status": "on", "queue": {"length": 3, "starts_in_s": 1.0}})
    assert "3 waiting" in device._repr_html_()
    assert "queue" not in DeviceView({"name": "d"})._repr_html_()
