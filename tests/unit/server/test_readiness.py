"""`/readyz` says why a server takes no work."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from qwicket.server.app import App

LOST = "The scheduler of the cluster was lost, and nothing else runs jobs."


@pytest.mark.parametrize(
    ("is_ready", "is_alive", "why"),
    [
        (False, True, "The server is starting or stopping."),
        (True, False, "The database does not respond."),
        (True, True, None),
    ],
)
def test_why_a_server_is_not_ready(is_ready: bool, is_alive: bool, why: str | None) -> None:
    assert reason(is_ready=is_ready, is_alive=is_alive) == why


@pytest.mark.parametrize(
    ("is_connected", "has_runners", "remotes", "why"),
    [
        (True, False, [], None),
        (False, False, [], LOST),
        (False, True, [], None),
        (False, False, ["a device at another cloud"], None),
    ],
)
def test_a_lost_scheduler_matters_if_nothing_else_could_run_jobs(
    is_connected: bool, has_runners: bool, remotes: list[str], why: str | None
) -> None:
    cluster = SimpleNamespace(is_connected=is_connected)
    assert reason(cluster=cluster, has_runners=has_runners, remotes=remotes) == why


def reason(
    *,
    is_ready: bool = True,
    is_alive: bool = True,
    cluster: object = None,
    has_runners: bool = False,
    remotes: list[str] | None = None,
) -> str | None:
    app = SimpleNamespace(_is_ready=is_ready, _remotes=remotes or [])
    store, liveness = SimpleNamespace(is_alive=is_alive), SimpleNamespace(has_runners=has_runners)
    return App._why_not_ready(*(cast(Any, each) for each in (app, store, cluster, liveness)))
