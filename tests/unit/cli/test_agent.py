"""`qwicket agent` where it is called wrongly; that it serves is in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from qwicket.cli import main

TOKEN = "qw_" + "s" * 43
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"QWICKET_{name}", raising=False)


def run(*arguments: str, **env: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["agent", *arguments], env=env)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert TOKEN not in result.output
    return result.exit_code, result.stderr


def test_device_and_function_are_needed() -> None:
    status, said = run("--token", TOKEN)
    assert (status, "--device and --run are required" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "d", "--run", "m:f"), "No token"),
        (("--device", "d", "--run", "m:f", "--token-file", "none"), "none: No such file"),
        (("--device", "d", "--run", "m:f", "--token", "tök"), "must be printable ASCII"),
        (("--device", "d", "--run", "m:f", "--token", TOKEN, "--url", "x"), "address is invalid"),
        (("--device", "d", "--run", "no_module:f", "--token", TOKEN), "cannot be loaded"),
        (("push-config", "none.toml", "--token", TOKEN), "none.toml: No such file"),
        (("push-calibration", "none.toml", "--device", "d"), "No token"),
    ],
)
def test_a_wrong_option_is_reported_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    status, line = run(*arguments)
    assert status == 1
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"), [("x", "file.toml is not valid TOML"), ("a = 1", "name is missing")]
)
def test_a_file_that_is_not_a_device_is_reported(text: str, said: str) -> None:
    Path("file.toml").write_text(text)
    status, line = run("push-config", "file.toml", "--url", NOBODY, QWICKET_TOKEN=TOKEN)
    assert (status, said in line) == (1, True)


def test_an_unreachable_server_is_reported() -> None:
    Path("file.toml").write_text('name = "lab5"')
    Path("secret").write_text(f" {TOKEN}\n")
    command = ("push-config", "file.toml", "--url", NOBODY, "--token-file", "secret")
    status, line = run(*command)
    assert (status, f"{NOBODY} cannot be reached" in line) == (1, True)
