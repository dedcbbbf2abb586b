"""Completion of names with the tab key: devices, jobs, noise models and profiles.

A shell waits for the result, so requests have half a second, and responses are cached for 20 s.
Errors complete nothing, because a shell would print them into the command line.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    from qwicket.clients.native import Client

_TIMEOUT_S: Final = 0.5
_CACHE_S: Final = 20.0
_MAX_JOBS: Final = 50


def device(context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the server's devices."""
    return _beginning(incomplete, _cached(context, "devices", _device_names))


def job(context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the ids of the account's newest jobs."""
    return _beginning(incomplete, _cached(context, "jobs", _job_ids))


def noise(context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the noise models of the device in `--device`, or of all devices."""
    wanted = context.params.get("device")

    def models(client: Client) -> list[str]:
        found = [device for device in client.devices() if wanted in (None, device.name)]
        return sorted({model for device in found for model in device.info.get("noise_models", ())})

    return _beginning(incomplete, _cached(context, f"noise {wanted}", models))


def profile(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the profiles in the client's settings file."""
    import tomllib

    from qwicket.clients.native.config import path_of

    with suppress(OSError, ValueError):
        found = tomllib.loads(path_of(None, os.environ).read_text("utf-8")).get("profiles", {})
        return _beginning(incomplete, found)
    return []


def stored_device(context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the devices in the database of `--data-dir` or `--database-url`; needs no server."""
    from qwicket.cli.options import DataLocation, as_admin
    from qwicket.store.backup import missing_migrations

    folder, url = context.params.get("data_dir"), context.params.get("database_url")
    if not url and (folder is None or not (folder / "qwicket.db").exists()):
        return []
    with suppress(Exception):  # the database may be of a newer version, or no database
        location = DataLocation(folder or Path(), url)
        if missing_migrations(*location):  # to open it would apply them
            return []
        found = as_admin(location, lambda admin: admin.devices())
        return _beginning(incomplete, (stored.name for stored, _status, _presence in found))
    return []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _device_names(client: Client) -> list[str]:
    return [each.name for each in client.devices()]


def _job_ids(client: Client) -> list[str]:
    return [each.id for each in client.jobs(limit=_MAX_JOBS)]


def _cached(context: click.Context, query: str, read: Callable[[Client], list[str]]) -> list[str]:
    """Return names from a server, at most 20 s old; none after an error."""
    import hashlib  # late: every command imports this module, and OpenSSL takes 3 ms

    from qwicket.clients.native import ClientError, connect

    url, name = context.params.get("url"), context.params.get("profile")
    try:
        client = connect(url, profile=name, timeout=_TIMEOUT_S, deadline=_TIMEOUT_S)
    except ClientError:
        return []
    with client:
        token = os.environ.get("QWICKET_TOKEN", "")
        key = hashlib.sha256("\0".join((client.url, token, str(name), query)).encode()).hexdigest()
        path = _folder() / f"completion-{key[:32]}.json"
        with suppress(OSError, ValueError):
            if time.time() - path.stat().st_mtime < _CACHE_S:
                cached: list[str] = json.loads(path.read_text())
                return cached
        try:
            found = read(client)
        except ClientError:
            return []
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in path.parent.glob("completion-*.json"):
            if time.time() - old.stat().st_mtime > _CACHE_S:
                old.unlink()
        path.write_text(json.dumps(found))
        path.chmod(0o600)
    return found


def _folder() -> Path:
    """Return `$XDG_CACHE_HOME/qwicket`, by default `~/.cache/qwicket`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qwicket"
