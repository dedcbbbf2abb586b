"""tests/packages.txt: the one list of system packages, in a form that a shell reads as well."""

from __future__ import annotations

import re
import subprocess

import pytest

from support import installed

NAMES = [each.name for each in installed.packages()]


def test_each_line_has_a_name_a_program_and_what_is_left_out() -> None:
    assert len(NAMES) > 10
    assert sorted({*NAMES}) == NAMES
    assert all(each.left_out for each in installed.packages())


def test_a_shell_reads_the_same_names() -> None:
    second = installed.PACKAGES.read_text().splitlines()[1]
    command = second.partition(": ")[2]
    printed = subprocess.check_output(command, shell=True, text=True, cwd=installed.ROOT)
    assert printed.split() == NAMES


def test_what_is_missing_is_said_with_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    lines = installed.missing()
    assert lines[0] == "not installed, and what is left out:"
    assert "  zsh: completion in zsh" in lines
    assert lines[-1].startswith("install: apt-get install ")
    assert "zsh" in lines[-1].split()


def test_without_a_program_tests_are_skipped_but_fail_where_ci_says_that_all_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="zsh is not installed"):
        installed.installed("zsh")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="zsh is not installed"):
        installed.installed("zsh")


@pytest.mark.parametrize("file", [".ci/run", ".github/workflows/ci.yml", "CONTRIBUTING.md"])
def test_other_files_name_the_list_and_no_package_of_it(file: str) -> None:
    text = (installed.ROOT / file).read_text()
    assert "tests/packages.txt" in text
    rare = {"caddy", "chromium", "fish", "munge", "nginx-light", "prometheus", "slurm-wlm", "zsh"}
    assert rare <= {*NAMES}
    assert not {*re.findall(r"[\w-]+", text)} & rare
