"""Options of sbatch, as `qwicket worker scale --slurm` takes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qwicket.scaling import SiteError
from qwicket.scaling.commands import run_command
from qwicket.scaling.kubernetes import KubernetesSite
from qwicket.scaling.slurm import SlurmSite, parse_options


def test_words_become_options() -> None:
    found = parse_options("partition=gpu --time=04:00:00 exclusive comment='two words'")
    assert found == {
        "partition": "gpu",
        "time": "04:00:00",
        "exclusive": None,
        "comment": "two words",
    }


def test_slots_are_the_processors_of_a_job() -> None:
    assert SlurmSite(parse_options("cpus-per-task=8"), ["qwicket"], "g", idle_s=60).slots == 8
    assert SlurmSite(parse_options(""), ["qwicket"], "g", idle_s=60).slots == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("job-name=mine", "'job-name' is set by Qwicket itself"),
        ("signal=USR1", "'signal' is set by Qwicket itself"),
        ("-p gpu", "'-p' is not an option"),
        ("Partition=gpu", "'Partition=gpu' is not an option"),
        ("cpus-per-task=many", "not 'many'"),
        ("cpus-per-task=0", "not '0'"),
        ("cpus-per-task", "not None"),
        ("comment='open", "closing quotation"),
    ],
)
def test_what_is_no_option_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_options(text)


@pytest.mark.parametrize("group", ["a,b", "kept-a", "a\nb"])
def test_a_group_whose_jobs_slurm_would_not_tell_apart_is_refused(group: str) -> None:
    with pytest.raises(ValueError, match="comma"):
        SlurmSite({}, ["qwicket"], group, idle_s=60)


@pytest.mark.parametrize("text", ["#!/bin/sh\nprintf '\\377' >&2; exit 1\n", "no program\n"])
def test_a_command_of_slurm_that_says_no_text_or_cannot_run_is_an_error_of_the_site(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "squeue"
    command.write_text(text)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SiteError, match="squeue"):
        SlurmSite({}, ["qwicket"], "g", idle_s=60).workers()


def test_output_of_a_command_is_bounded_in_bytes_and_seconds(tmp_path: Path) -> None:
    for text, bound in (
        ("exec yes", "writes more than 4,194,304 bytes"),
        ("exec yes >&2", "writes more than 4,194,304 bytes"),
        ("exec sleep 600", "did not end within 0.2 s"),
        ("exec sleep 600 >&- 2>&-", "did not end within 0.2 s"),
        ("sleep 5 & exit 0", "did not end within 0.2 s"),
    ):
        command = tmp_path / "squeue"
        command.write_text(f"#!/bin/sh\n{text}\n")
        command.chmod(0o755)
        timeout_s = 0.2 if "sleep" in text else 300.0
        with pytest.raises(SiteError, match=f"squeue {bound}"):
            run_command(str(command), stdin="a script", timeout_s=timeout_s)


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_manifest_may_state_that_it_has_no_labels_and_no_variables(nothing: Any) -> None:
    container = {"image": "qwicket", "env": None}
    pod = {"template": {"spec": {"containers": [container]}}}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": nothing, "spec": pod}
    with_labels = {**manifest, "metadata": {"labels": nothing}}
    for each in (manifest, with_labels):
        site = KubernetesSite(each, "g", slots=2, idle_s=60, url="http://127.0.0.1:9")
        job = site._job(is_kept=True)
        assert job["metadata"]["labels"]["qwicket.org/group"] == "g"
        names = {each["name"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert names == {"QWICKET_NAME", "QWICKET_SLOTS"}
