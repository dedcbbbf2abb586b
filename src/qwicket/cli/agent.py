"""`qwicket agent`: run a lab's device, whose agent pulls jobs from the server."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwicket.cli.commands import Section
from qwicket.cli.options import FloatRange, read_toml, report_client_errors, token_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.agents import AgentAPI

_url = click.option(
    "--url",
    envvar="QWICKET_URL",
    show_envvar=True,
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="Address of the server.",
)
_token = click.option(
    "--token",
    envvar="QWICKET_TOKEN",
    show_envvar=True,
    metavar="TOKEN",
    help="Token with the scope devices:serve; better in the environment or a file.",
)
_token_file = click.option(
    "--token-file",
    envvar="QWICKET_TOKEN_FILE",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with the token.",
)


def _server(command: Callable[..., Any]) -> Callable[..., Any]:
    return _url(_token(_token_file(command)))


@click.group(
    cls=Section, invoke_without_command=True, short_help="Serve a lab's device: pull its jobs."
)
@click.option("--device", metavar="NAME", help="Name of the device.")
@click.option(
    "--run",
    metavar="MODULE:FUNCTION",
    help="The lab's function, which takes a program and returns outcomes.",
)
@click.option(
    "--try",
    "program",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Run the program in FILE once, without a server, and print the outcome. --device may be"
    " the TOML file that announces the device.",
)
@click.option(
    "--shots",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="With --try: shots of each circuit.",
)
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="With --try: format of the program; by default detected from the extension or the text.",
)
@_server
@click.option(
    "--grace",
    "grace_s",
    default=20.0,
    show_default=True,
    type=FloatRange(0, 86_400),
    metavar="SECONDS",
    help="Time for the function to end after a request to stop.",
)
@click.pass_context
@report_client_errors
def agent(
    context: click.Context,
    device: str | None,
    run: str | None,
    program: Path | None,
    shots: int,
    format_name: str | None,
    url: str,
    token: str | None,
    token_file: Path | None,
    grace_s: float,
) -> None:
    """Pull the jobs of a device and run them with a function on this machine.

    With --try, run one program without a server, and print the outcome.

    SIGTERM or Ctrl-C stops the agent after the running job has ended or been released. A second
    signal stops it at once.
    """
    if context.invoked_subcommand is not None:
        return
    if program is not None:
        if run is None:
            raise click.UsageError("--try needs --run.")
        from qwicket.cli.agent_try import try_program
        from qwicket.extras import require

        require("qwicket agent --try", "server")
        sys.exit(try_program(program, run, device, shots, format_name))
    if device is None or run is None:
        raise click.UsageError("--device and --run are required.")
    from qwicket.agents import Agent
    from qwicket.agents.supervisor import CannotStart

    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    serving = Agent(_agent_api(url, token, token_file, device), run, grace_s=grace_s)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda _number, _frame: serving.leave())
    try:
        serving.serve()
    except CannotStart as error:
        raise click.ClickException(str(error)) from None


@agent.command("push-config", short_help="Announce the device in a file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_server
@report_client_errors
def push_config(file: Path, url: str, token: str | None, token_file: Path | None) -> None:
    """Announce or update the device in FILE (TOML), with its calibration."""
    document = read_toml(file)
    name = document.pop("name", None)
    if not isinstance(name, str):
        raise click.ClickException(f"{file}: name is missing.")
    calibration = document.pop("calibration", None)
    api = _agent_api(url, token, token_file, name)
    api.announce(document)
    if calibration is not None:
        api.calibrate(calibration)
    click.echo(name)


@agent.command("push-calibration", short_help="Upload a calibration.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--device", required=True, metavar="NAME", help="Name of the device.")
@_server
@report_client_errors
def push_calibration(
    file: Path, device: str, url: str, token: str | None, token_file: Path | None
) -> None:
    """Upload the calibration in FILE (TOML) of a device."""
    _agent_api(url, token, token_file, device).calibrate(read_toml(file))
    click.echo(device)


def _agent_api(url: str, token: str | None, token_file: Path | None, device: str) -> AgentAPI:
    from qwicket.agents import AgentAPI

    return AgentAPI(url, token_of(token, token_file), device)
