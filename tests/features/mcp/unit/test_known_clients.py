"""What `qwicket env` and `qwicket snippet` print for assistants."""

from __future__ import annotations

import json
import tomllib

from click.testing import CliRunner

from qwicket.cli import main


def printed(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--url", "https://lab.example.org/"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_variables_are_those_of_the_command_that_hosts_start() -> None:
    lines = printed("env", "mcp").splitlines()
    assert lines[:2] == [
        "export QWICKET_URL=https://lab.example.org",
        'export QWICKET_TOKEN="$QWICKET_TOKEN"',
    ]


def test_the_lines_for_a_host_are_its_file_with_the_servers_address() -> None:
    found = json.loads(printed("snippet", "vscode"))["servers"]["qwicket"]
    assert found["url"] == "https://lab.example.org/mcp"
    assert tomllib.loads(printed("snippet", "codex"))["mcp_servers"]["qwicket"] == {
        "url": "https://lab.example.org/mcp",
        "bearer_token_env_var": "QWICKET_TOKEN",
    }
