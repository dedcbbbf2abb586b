"""`qwicket worker scale`: start workers as jobs of Slurm or Kubernetes when work waits."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from qwicket.cli import options

if TYPE_CHECKING:
    from qwicket.scaling import Site
    from qwicket.scaling.profiles import Profile


@click.command(short_help="Start workers in Slurm or Kubernetes when jobs wait.")
@options.server_of_workers
@click.option(
    "--slurm",
    metavar="'NAME=VALUE …'",
    help="Start workers with sbatch, with these options: 'partition=main cpus-per-task=8 mem=16G"
    " time=04:00:00'.",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME='NAME=VALUE …'",
    help="With Slurm: a size of workers, with options beside those of --slurm; a job starts the"
    " smallest mem-per-cpu in which it fits. The word projects=NAME,… keeps its workers to these"
    " projects. Repeatable; --min and --max are for each.",
)
@click.option(
    "--kubernetes",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Start workers as Jobs of Kubernetes, from this manifest in JSON.",
)
@click.option(
    "--kubernetes-url",
    metavar="URL",
    help="Address of `kubectl proxy`; by default that of the cluster in which this runs.",
)
@click.option(
    "--min",
    "min_workers",
    default=0,
    show_default=True,
    type=click.IntRange(0, 10_000),
    metavar="N",
    help="Minimum number of workers.",
)
@click.option(
    "--max",
    "max_workers",
    default=4,
    show_default=True,
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Maximum number of workers.",
)
@click.option(
    "--slots",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1024),
    metavar="N",
    help="With --kubernetes: jobs that a worker runs at once. With --slurm it is cpus-per-task.",
)
@click.option(
    "--idle-s",
    default=60.0,
    show_default=True,
    type=options.FloatRange(1, 86_400),
    metavar="SECONDS",
    help="Time without a job after which a worker beyond --min ends.",
)
@click.option(
    "--memory-bytes",
    type=click.IntRange(1 << 20),
    metavar="BYTES",
    help="Memory of one job in a worker: no worker is started for jobs that need more.",
)
@click.option(
    "--group",
    default="scaled",
    show_default=True,
    metavar="NAME",
    help="Name of these workers. Of several scalers with the same name, only one is active.",
)
@click.option(
    "--command",
    "program",
    default=shlex.join((sys.executable, "-m", "qwicket")),
    show_default="this installation",
    metavar="TEXT",
    help="With --slurm: how nodes start qwicket, such as 'apptainer run qwicket.sif'.",
)
@options.report_client_errors
def scale(
    url: str | None,
    token: str | None,
    *,
    insecure: bool,
    log_format: Literal["text", "json"],
    **given: Any,
) -> None:
    """Start workers in a batch system when jobs wait; idle workers end.

    Each second the command reads from the server how much work waits, and starts workers with one
    slot for every 5 s of it. A worker ends after --idle-s without a job, but --min of them stay.
    After SIGTERM or Ctrl-C the workers continue.
    """
    address = options.required_address(url, is_insecure=insecure)
    group = given.pop("group")
    min_workers, max_workers = given["min_workers"], given["max_workers"]
    if max_workers < min_workers:
        raise click.BadParameter(
            f"{max_workers} is less than --min, {min_workers}.", param_hint="--max"
        )
    from qwicket.scaling import Scaler, ScalerAPI, SiteError, serve_all, step_s
    from qwicket.server.logs import announce

    profiles = _profiles(**given)
    secret = options.token_of(token, given["token_file"])

    @options.report_client_errors
    def serve() -> None:
        scalers: dict[str, Scaler] = {}
        for profile in profiles:
            name = f"{group}-{profile.name}" if profile.name else group
            try:
                site = _site(address, name, profile, insecure=insecure, **given)
            except SiteError as error:
                raise click.ClickException(f"{error}.") from None
            api = ScalerAPI(
                address,
                secret,
                name,
                profile.memory_bytes,
                above_bytes=profile.above_bytes,
                projects=profile.projects,
                except_projects=profile.except_projects,
            )
            scalers[name] = Scaler(
                api,
                site,
                min_workers=min_workers,
                max_workers=max_workers,
                idle_s=given["idle_s"],
                step_s=step_s(len(profiles)),
            )

        def leave(_number: int, _frame: object) -> None:
            for each in scalers.values():
                each.leave()

        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, leave)
        size = f"{min_workers} to {max_workers} workers"
        for name in scalers:
            announce(f"Scaler of {name}: {size} for {api.url}.", log_format)
        serve_all(scalers.values())

    with options.logging_to_stderr(log_format, secret):
        serve()


def names_in(text: str | None) -> tuple[str, ...]:
    """Return names with commas between them."""
    return tuple(filter(None, (each.strip() for each in (text or "").split(","))))


def _profiles(
    *,
    slurm: str | None,
    profiles: tuple[str, ...],
    kubernetes: Path | None,
    memory_bytes: int | None,
    **_: object,
) -> list[Profile]:
    if (slurm is None and not profiles) == (kubernetes is None):
        raise click.UsageError("Give --slurm or --kubernetes.")
    from qwicket.scaling.profiles import Profile, parse_profiles

    if kubernetes is not None:
        return [Profile("", {}, memory_bytes)]
    hint = "--profile" if profiles else "--slurm"
    try:
        return parse_profiles(profiles, slurm or "", memory_bytes)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=hint) from None


def _site(
    url: str,
    group: str,
    profile: Profile,
    *,
    insecure: bool,
    kubernetes: Path | None,
    kubernetes_url: str | None,
    token_file: Path | None,
    slots: int,
    idle_s: float,
    program: str,
    **_: object,
) -> Site:
    if kubernetes is not None:
        from qwicket.scaling.kubernetes import KubernetesSite

        try:
            manifest = json.loads(kubernetes.read_text("utf-8"))
            return KubernetesSite(manifest, group, slots=slots, idle_s=idle_s, url=kubernetes_url)
        except OSError as error:
            raise click.ClickException(f"{kubernetes}: {error.strerror}.") from None
        except ValueError as error:
            raise click.ClickException(f"{kubernetes}: {error}") from None
    from qwicket.scaling.slurm import SlurmSite

    if token_file is None:
        raise click.UsageError("--slurm needs --token-file, which the workers read, too.")
    try:
        command = [*shlex.split(program), "worker", "--connect", url]
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--command") from None
    command += ["--token-file", str(token_file.absolute())]
    if profile.memory_bytes is not None:
        command += ["--memory-bytes", str(profile.memory_bytes)]
    for option in ("projects", "except_projects"):
        if names := getattr(profile, option):
            command += [f"--{option.replace('_', '-')}", ",".join(names)]
    command += ["--insecure"] if insecure else []
    try:
        return SlurmSite(profile.options, command, group, idle_s=idle_s)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--group") from None
