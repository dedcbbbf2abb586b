"""`qwicket submit` against a server of which each answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from qwicket.cli import main
from qwicket.cli.results import bars
from qwicket.clients.native import Job
from support.bad_server import BadServer, Step, answer, drop
from support.for_each import for_each

TOKEN = "qw_ThisTokenMustNeverBeSeenInAnyTextAtAll012345"
ID = "0198f3a0-0000-7000-8000-000000000000"
DEVICE = answer(200, {"name": "simulator", "family": "qubit", "formats": ["openqasm3"]})
ATOMS = answer(200, {"name": "a", "family": "atoms", "formats": ["x"], "outputs": ["samples"]})
QUEUED = answer(201, {"id": ID, "state": "queued", "shots": 5})
COMPLETED = answer(200, {"id": ID, "state": "completed", "shots": 5})
FAILED = answer(200, {"id": ID, "state": "failed", "shots": 5})
NO_RESULT = answer(409, {"code": "no_result", "detail": "The job ran out of time."})


def parts(*each: dict[str, Any]) -> Step:
    return answer(200, {"parts": list(each)})


GOOD = {"counts": {"11": 2, "00": 3}, "seed": 7, "engine": "qulacs", "engine_version": "1"}
BAD = {"error": {"code": "out_of_time", "message": "It took too long."}}


def submit(
    server: BadServer, *arguments: str, stdin: str | bytes = "{}", file: Path | None = None
) -> Result:
    result = CliRunner().invoke(
        main,
        ["submit", str(file or "-"), "--device", "simulator", *arguments],
        input=stdin,
        env={"QWICKET_URL": server.url, "QWICKET_TOKEN": TOKEN},
    )
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert TOKEN not in result.output
    return result


def test_submit_prints_the_id_alone_and_the_address_of_its_page_beside_it() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        result = submit(server)
        page = f"Page: {server.url}/ui/jobs/{ID}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ID}\n", page)


def test_submit_sends_program_device_shots_and_format() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        submit(server, "--shots", "5", "--format", "ionq.circuit.v1", stdin="the text")
        sent = server.requests[1].json
    assert (sent["program"], sent["device"]) == ("the text", "simulator")
    assert (sent["shots"], sent["format"]) == (5, "ionq.circuit.v1")


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_program_that_names_a_file_is_sent_as_it_is(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.qasm"
    secret.write_text("OPENQASM 3; // the secret")
    with BadServer(DEVICE, QUEUED) as server:
        submit(server, *arguments, stdin=str(secret))
        sent = server.requests[1].json
    assert sent["program"] == str(secret)


def test_submit_sends_name_and_tags() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        submit(server, "--name", "bell", "--tag", "a", "--tag", "b")
        sent = server.requests[1].json
    assert (sent["name"], sent["tags"]) == ("bell", ["a", "b"])


def test_the_extension_identifies_a_format_that_the_text_does_not(tmp_path: Path) -> None:
    file = tmp_path / "teleport.XBB"
    file.write_text("name teleport")
    with BadServer(DEVICE, QUEUED, DEVICE, QUEUED) as server:
        submit(server, file=file)
        submit(server, "--format", "openqasm2", file=file)
        assert [each.json["format"] for each in server.requests[1::2]] == ["blackbird", "openqasm2"]


def test_submit_sends_the_inputs() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        submit(server, "--input", "theta=0.5", "--input", "n = 2")
        sent = server.requests[1].json
    assert sent["inputs"] == {"theta": 0.5, "n": 2.0}


@for_each("given", ["theta", "theta=", "theta=pi", "theta=nan", "=1"])
def test_an_input_that_is_no_number_is_refused_before_anything_is_sent(given: str) -> None:
    with BadServer() as server:
        result = submit(server, "--input", given)
    assert result.exit_code == 2
    assert "does not have the form name=number" in result.stderr
    assert not server.requests


def test_submit_sends_the_engine_that_was_named() -> None:
    with BadServer(DEVICE, QUEUED, DEVICE, QUEUED) as server:
        submit(server, "--engine", "qsim")
        submit(server)
        assert [request.json["engine"] for request in server.requests[1::2]] == ["qsim", ""]


def test_what_is_not_said_is_what_suits_the_device() -> None:
    with BadServer(ATOMS, QUEUED) as server:
        submit(server)
        sent = server.requests[1].json
        assert (sent["format"], sent["outputs"]) == ("x", ["samples"])


def test_what_is_said_is_sent_and_no_device_asked_for() -> None:
    words = ("--noise", "aria-1", "--seed", "7", "--key", "k", "--output", "memory")
    with BadServer(QUEUED) as server:
        submit(server, *words, "--output", "counts", "--format", "openqasm3")
        (request,) = server.requests
        assert request.headers["idempotency-key"] == "k"
        sent = request.json
        assert (sent["noise"], sent["seed"], sent["outputs"]) == (
            *("aria-1", 7),
            ["memory", "counts"],
        )


def test_a_token_that_may_not_read_devices_submits_nonetheless() -> None:
    with BadServer(answer(403, {"code": "forbidden"}), QUEUED) as server:
        assert submit(server).exit_code == 0
        assert server.requests[1].json["outputs"] == ["counts"]


def test_a_json_program_arrives_as_it_was_written() -> None:
    text = '{ "angle": 1.10, "again": 1, "again": 2, "large": 12345678901234567890.5 }'
    with BadServer(DEVICE, QUEUED) as server:
        submit(server, stdin=text)
        assert server.requests[1].json["program"] == text


def test_a_program_may_be_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "bell.json").write_bytes(b'\xef\xbb\xbf{"gate": "\xc3\xbc"}')
    with BadServer(DEVICE, QUEUED) as server:
        CliRunner().invoke(
            main,
            ["submit", str(tmp_path / "bell.json"), "--device", "simulator"],
            env={"QWICKET_URL": server.url, "QWICKET_TOKEN": TOKEN},
        )
        assert server.requests[1].json["program"] == '{"gate": "ü"}'


def test_json_of_a_submitted_job_is_one_stable_line() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        told = f'"id": "{ID}", "state": "queued", "url": "{server.url}/ui/jobs/{ID}"'
        assert submit(server, "--json").output == f"{{{told}}}\n"


def test_wait_prints_the_counts_as_bars() -> None:
    with BadServer(DEVICE, QUEUED, COMPLETED, parts(GOOD)) as server:
        result = submit(server, "--wait")
    assert result.stdout.splitlines() == [
        f"{ID}  completed",
        f"  00        3  {'█' * 24}",
        f"  11        2  {'█' * 16}",
    ]
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)


def test_json_of_a_result_is_one_stable_line() -> None:
    with BadServer(DEVICE, QUEUED, COMPLETED, parts(GOOD)) as server:
        result = submit(server, "--wait", "--json")
        page = f"{server.url}/ui/jobs/{ID}"
    assert result.output == (
        f'{{"error": null, "id": "{ID}", "parts": [{{"counts": {{"00": 3, "11": 2}},'
        ' "engine": "qulacs 1", "error": null, "seed": 7}],'
        f' "state": "completed", "url": "{page}"}}\n'
    )
    assert result.exit_code == 0


def test_a_job_that_was_cancelled_is_status_4() -> None:
    cancelled = answer(200, {"id": ID, "state": "cancelled"})
    with BadServer(DEVICE, QUEUED, cancelled, NO_RESULT) as server:
        assert submit(server, "--wait").exit_code == 4


def test_a_job_of_which_a_part_failed_is_x_1() -> None:
    with BadServer(DEVICE, QUEUED, FAILED, parts(GOOD, BAD)) as server:
        result = submit(server, "--wait")
    assert result.stdout.splitlines()[-1] == "  out_of_time: It took too long."
    assert (result.exit_code, result.stderr.splitlines()[1:]) == (3, [f"Error: Job {ID} failed."])


def test_a_job_without_a_result_is_one_line_and_status_3() -> None:
    with BadServer(DEVICE, QUEUED, FAILED, NO_RESULT) as server:
        result = submit(server, "--wait")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines()[1:] == [f"Error: Job {ID}: The job ran out of time."]


def test_a_job_without_a_result_is_json_as_well() -> None:
    with BadServer(DEVICE, QUEUED, FAILED, NO_RESULT) as server:
        result = submit(server, "--wait", "--json")
    printed = json.loads(result.stdout)
    assert (printed["id"], printed["state"], printed["parts"]) == (ID, "failed", [])
    assert printed["error"] == f"Job {ID}: The job ran out of time."
    assert result.exit_code == 3


def test_a_refusal_is_one_line_with_the_remedy() -> None:
    problem = {"code": "invalid_program", "detail": "No such gate.", "remedy": "Correct it."}
    with BadServer(answer(400, problem)) as server:
        result = submit(server)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: No such gate. (invalid_program, HTTP 400) Correct it.\n"


def test_a_server_that_repeats_the_token_or_draws_on_the_terminal_is_harmless() -> None:
    problem = {"detail": f"Bad token {TOKEN}\n\x1b[2JGone."}
    with BadServer(answer(400, problem)) as server:
        assert submit(server).stderr == "Error: Bad token ... �[2JGone. (error, HTTP 400)\n"


def test_trouble_after_the_submission_names_the_job() -> None:
    with BadServer(DEVICE, QUEUED, answer(401, {"detail": "The token has expired."})) as server:
        result = submit(server, "--wait")
    _, error = result.stderr.splitlines()
    assert error.startswith(f"Error: Job {ID} is submitted. The token has expired.")
    assert result.exit_code == 1


def test_without_a_token_nothing_is_sent() -> None:
    with BadServer(drop()) as server:
        result = CliRunner().invoke(
            main,
            ["submit", "-", "--device", "simulator"],
            env={"QWICKET_URL": server.url, "QWICKET_TOKEN": None},
        )
        assert server.connections == 0
    assert (result.exit_code, result.stdout) == (1, "")
    assert "QWICKET_TOKEN" in result.stderr


def test_a_program_that_is_no_text_is_refused() -> None:
    with BadServer(DEVICE, QUEUED) as server:
        result = submit(server, stdin=b"\xff\xfe")
        assert server.connections == 0
    assert (result.exit_code, result.stderr) == (1, "Error: The program is not UTF-8 text.\n")


def test_ctrl_c_while_waiting_says_that_the_job_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # A signal at a chosen instant: no other way hits the wait itself.
    monkeypatch.setattr("qwicket.clients.native.Job.result", interrupt)
    with BadServer(DEVICE, QUEUED) as server:
        result = submit(server, "--wait")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.endswith(f"\nJob {ID} continues.\n")


# --- bars ------------------------------------------------------------------------------------


def test_no_counts_are_no_bars() -> None:
    assert bars({}) == []
    assert bars({"0": 0}) == []


def test_only_the_most_frequent_outcomes_have_bars() -> None:
    lines = bars({f"{key:05b}": key for key in range(1, 32)})
    assert len(lines) == 17
    assert lines[0].split()[:2] == ["11111", "31"]
    assert lines[-1] == "  … and 15 more outcomes"


@given(st.dictionaries(st.text("01", min_size=3, max_size=3), st.integers(0, 10**6)))
def test_bars_are_ordered_and_fit(counts: dict[str, int]) -> None:
    numbers = [int(line.split()[1]) for line in bars(counts)]
    assert numbers == sorted((n for n in counts.values() if n), reverse=True)
    assert all(line.count("█") in range(1, 41) for line in bars(counts))


def test_an_unknown_device_error_names_the_command_that_lists_devices() -> None:
    problem = {"code": "not_found", "detail": "There is no device x."}
    with BadServer(answer(404, problem)) as server:
        result = submit(server)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "There is no device x. (not_found, HTTP 404) See: qwicket devices.\n"
    )


def test_a_wait_for_the_end_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job.result, "__defaults__", (0.3,))  # in place of an hour
    running = answer(200, {"id": ID, "state": "running", "shots": 5})
    with BadServer(DEVICE, QUEUED, running, COMPLETED, parts(GOOD)) as server:
        result = submit(server, "--wait")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        ({"evs": [0.5, -1.0], "stds": [0.25, 0.0]}, "  0  +0.500000 ± 0.250000"),
        ({"probabilities": {"0": 0.25, "1": 0.75}}, f"  1      0.75  {40 * '█'}"),
        ({"memory": ["1", "0", "1"]}, f"  1         2  {40 * '█'}"),
    ],
)
def test_an_outcome_without_counts_is_shown(outcome: dict[str, Any], line: str) -> None:
    script = DEVICE, QUEUED, COMPLETED, parts(outcome)
    with BadServer(*script, *script) as server:
        lines = submit(server, "--wait").stdout.splitlines()
        (part,) = json.loads(submit(server, "--wait", "--json").stdout)["parts"]
    assert lines[:2] == [f"{ID}  completed", line]
    assert {name: part[name] for name in outcome} == outcome
