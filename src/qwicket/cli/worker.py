"""`qwicket worker`: run the jobs of simulated devices on another machine."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.scale import names_in, scale
from qwicket.extras import require

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from qwicket.pilots import Node, Pilot

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_NOTICE_S: Final = 60.0
"""Assumed time from SIGUSR1 to the end of the walltime if that end is unknown, as with Slurm 22.05.
Our batch scripts request the signal this long before the end."""
_LAST_S: Final = 15.0
"""Time before the end of the walltime at which jobs that still run are given back."""


@click.group(
    cls=Section,
    invoke_without_command=True,
    short_help="Run the jobs of a server's simulated devices on this machine.",
)
@options.server_of_workers
@options.setting(
    "--slots",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Jobs that run at once; by default one per core, or as many as Slurm allocates.",
)
@options.setting(
    "--memory-bytes",
    type=click.IntRange(1 << 20),
    metavar="BYTES",
    help="Memory of one job; by default 80 % of the free memory, or of what Slurm allocates,"
    " divided by the slots.",
)
@options.setting(
    "--devices",
    metavar="NAME,…",
    help="Run only the jobs of these devices.",
)
@options.setting(
    "--projects",
    metavar="NAME,…",
    help="Run only the jobs of these projects.",
)
@options.setting(
    "--except-projects",
    metavar="NAME,…",
    help="Run no jobs of these projects.",
)
@options.setting(
    "--name",
    metavar="NAME",
    help="Name of this worker in its jobs, before a random part; by default that of the machine.",
)
@options.setting(
    "--walltime-s",
    type=options.FloatRange(1, 366 * 86_400),
    metavar="SECONDS",
    help="Time after which the batch system ends the worker; longer jobs are not taken. By default"
    " Slurm's.",
)
@options.setting(
    "--grace",
    "grace_s",
    default=20.0,
    show_default=True,
    type=options.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="On SIGTERM, wait this long for running jobs; then give them back.",
)
@options.setting(
    "--idle-s",
    type=options.FloatRange(1, 86_400),
    metavar="SECONDS",
    help="End after this long without a job; by default never.",
)
@click.pass_context
@options.report_client_errors
def worker(
    context: click.Context,
    url: str | None,
    token_file: Path | None,
    token: str | None,
    slots: int | None,
    memory_bytes: int | None,
    devices: str | None,
    projects: str | None,
    except_projects: str | None,
    name: str | None,
    walltime_s: float | None,
    grace_s: float,
    idle_s: float | None,
    insecure: bool,
    log_format: Literal["text", "json"],
) -> None:
    """Run the jobs of a server's simulated devices on this machine.

    The worker connects to the server and needs no open port. An administrator creates its token:
    `qwicket token create --user admin --scope compute:serve`.

    SIGTERM or Ctrl-C stops it after its running jobs have ended, or were given back after the
    grace time. A second signal gives them back at once. SIGUSR1, which Slurm can send before
    the walltime ends, lets them run until shortly before that end.
    """
    if context.invoked_subcommand is not None:
        return
    address = options.required_address(url, is_insecure=insecure)
    require("qwicket worker", "server")
    import asyncio

    from qwicket.compute import WorkFailed
    from qwicket.pilots import PilotAPI, detect_node
    from qwicket.pilots.node import new_name
    from qwicket.server.logs import announce

    machine: Node = detect_node(slots, memory_bytes, walltime_s)
    chosen = [names_in(each) for each in (devices, projects, except_projects)]
    secret = options.token_of(token, token_file)

    async def serve() -> None:
        from qwicket.compute import LocalCompute
        from qwicket.pilots import Pilot

        api = PilotAPI(address, secret, new_name(name), machine, *chosen)
        compute = LocalCompute(machine.slots, memory_bytes=machine.memory_bytes)
        pilot = Pilot(api, compute, grace_s=grace_s, idle_s=idle_s)
        _leave_on_signals(pilot, machine, asyncio.get_running_loop())
        announce(_summary(api.name, machine, api.url), log_format)
        try:
            await pilot.serve()
        finally:
            # The server has all jobs back: a late signal must not cause a bad exit status.
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_IGN)

    @options.report_client_errors
    def run() -> None:
        try:
            asyncio.run(serve())
        except WorkFailed as error:
            raise click.ClickException(str(error)) from None

    with options.logging_to_stderr(log_format, secret):
        run()


def _leave_on_signals(pilot: Pilot, machine: Node, loop: AbstractEventLoop) -> None:
    def leave(number: int, _frame: object) -> None:
        grace_s = None
        if number == signal.SIGUSR1:
            left_s = machine.seconds_left()
            grace_s = max(0.0, (_NOTICE_S if left_s is None else left_s) - _LAST_S)
        loop.call_soon_threadsafe(pilot.leave, grace_s)

    for each in _SIGNALS:
        # Not `loop.add_signal_handler`: a closing loop restores the default action, which kills.
        signal.signal(each, leave)


def _summary(name: str, machine: Node, url: str) -> str:
    left_s = machine.seconds_left()
    until = "" if left_s is None else f", for {left_s:.0f} s"
    memory = machine.memory_bytes >> 20
    return f"Worker {name}: {machine.slots} slots of {memory} MiB for {url}{until}."


worker.add_command(scale)
