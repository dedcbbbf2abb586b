"""The demo's server as a child: what it logs, and how it begins and ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click
import pytest

from qwicket.cli.demo import _run_command, running
from support.waiting import until

ANNOUNCE = (
    "import sys; print('Qwicket listens on http://127.0.0.1:5', file=sys.stderr, flush=True)\n"
)
UNTIL_TERM = "import signal; signal.sigwait([signal.SIGTERM])\n"
# Blocked from the start, so that a signal that comes early waits, too.
BLOCK_TERM = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", BLOCK_TERM + code]


def test_the_address_is_the_announced_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(python(ANNOUNCE + UNTIL_TERM), str(tmp_path)) as url:
        assert url == "http://127.0.0.1:5"
    assert capfd.readouterr() == ("", "")


def test_what_the_server_logs_is_not_lost(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = "print('before', file=sys.stderr)\n"
    after = "print('after', file=sys.stderr)\n"
    code = f"import sys\n{before}{ANNOUNCE}{after}{UNTIL_TERM}"
    with running(python(code), str(tmp_path)):
        pass
    assert capfd.readouterr().err == "before\nafter\n"


def test_a_server_that_logs_much_is_not_blocked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # A pipe holds 64 kB: a server would block without a message if its log were not read.
    much = "sys.stderr.write(('x' * 99 + '\\n') * 5_000); open('done', 'w').close()\n"
    with running(python(ANNOUNCE + much + UNTIL_TERM), str(tmp_path)):
        until((tmp_path / "done").exists, "the server has logged all of it")
    assert capfd.readouterr().err == ("x" * 99 + "\n") * 5_000


def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(click.ClickException, match="The server did not start"),
        running(python("raise SystemExit('no room')"), str(tmp_path)),
    ):
        pass
    assert capfd.readouterr().err == "no room\n"


def test_a_server_that_ends_badly_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(click.ClickException, match=r"The server ended with status 3\."),
        running(python(ANNOUNCE + UNTIL_TERM + "raise SystemExit(3)"), str(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("trouble", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_trouble_in_the_block_ends_the_server(trouble: type[BaseException], tmp_path: Path) -> None:
    pid = "open('pid', 'w').write(str(__import__('os').getpid()))\n"
    with (
        pytest.raises(trouble),
        running(python(pid + ANNOUNCE + UNTIL_TERM), str(tmp_path)),
    ):
        raise trouble
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_server_has_none_of_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWICKET_HOST", "0.0.0.0")
    code = "import os; open('env', 'w').write(str([n for n in os.environ if 'QWICKET' in n]))\n"
    with running(python(code + ANNOUNCE + UNTIL_TERM), str(tmp_path)):
        assert (tmp_path / "env").read_text() == "[]"


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_the_status_of_the_command_is_passed_on(command: str, status: int) -> None:
    assert _run_command(("sh", "-c", command), "http://127.0.0.1:5", "token") == status


def test_the_command_knows_address_and_token(capfd: pytest.CaptureFixture[str]) -> None:
    _run_command(("sh", "-c", "echo $QWICKET_URL $QWICKET_TOKEN"), "http://127.0.0.1:5", "token")
    assert capfd.readouterr().out == "\nhttp://127.0.0.1:5 token\n"


def test_ctrl_c_is_the_commands_own() -> None:
    before = signal.getsignal(signal.SIGINT)
    command = f"trap 'exit 5' INT; kill -INT {os.getpid()}; kill -INT $$; sleep 9"
    assert _run_command(("sh", "-c", command), "http://127.0.0.1:5", "token") == 5
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(click.ClickException, match="nowhere: No such file or directory"):
        _run_command(("nowhere",), "http://127.0.0.1:5", "token")
