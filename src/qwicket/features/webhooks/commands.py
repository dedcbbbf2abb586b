"""`qwicket webhook`: addresses that receive events when jobs change, over HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, json_line, print_fields, print_rows
from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from qwicket.cli.options import Connect

_EVENTS: Final = ("job.queued", "job.running", "job.completed", "job.failed", "job.cancelled")


@click.group(cls=Section)
def webhook() -> None:
    """Add, list, test and remove webhooks, which receive events of jobs."""


@webhook.command("add")
@click.argument("address", metavar="URL")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=options.Choice(_EVENTS),
    help="Event to send; by default those of ended jobs. Repeatable.",
)
@click.option(
    "--device", metavar="D", shell_complete=completers.device, help="Only jobs of this device."
)
@json_flag
@options.server
def add(
    connect: Connect, address: str, events: tuple[str, ...], device: str | None, as_json: bool
) -> None:
    """Send events to URL when jobs of your token's project change; show the secret, only once."""
    with connect() as client:
        _print_secret(client.add_webhook(address, events or None, device), as_json)


@webhook.command("list")
@json_flag
@options.server
def list_webhooks(connect: Connect, as_json: bool) -> None:
    """List your webhooks, with the reason if one is disabled or fails."""
    with connect() as client:
        found = client.webhooks()
    rows = [Row(each, _cells(each)) for each in found]
    print_rows(rows, ("id", "address", "events", "device", "status"), as_json)


@webhook.command("remove")
@click.argument("webhook_id", metavar="ID")
@options.server
def remove(connect: Connect, webhook_id: str) -> None:
    """Remove the webhook ID, and the events that are still to be sent to it."""
    with connect() as client:
        client.remove_webhook(webhook_id)


@webhook.command("rotate")
@click.argument("webhook_id", metavar="ID")
@json_flag
@options.server
def rotate(connect: Connect, webhook_id: str, as_json: bool) -> None:
    """Replace the secret of the webhook ID. For 24 hours the old one signs events, too."""
    with connect() as client:
        _print_secret(client.rotate_webhook(webhook_id), as_json)


@webhook.command("test")
@click.argument("webhook_id", metavar="ID")
@json_flag
@options.server
def test(connect: Connect, webhook_id: str, as_json: bool) -> None:
    """Send an event to the webhook ID now, and show what the receiver answered.

    The exit status is 1 if the receiver did not accept the event. Success enables a webhook that
    was disabled.
    """
    with connect() as client:
        found = client.test_webhook(webhook_id)
    if as_json:
        click.echo(json_line(found))
    else:
        print_fields(
            [
                ("delivered", "yes" if found["delivered"] else "no"),
                ("status", str(found["status"] or "")),
                ("error", sanitize(found["error"])),
                ("body", sanitize(found["body"])),
                ("seconds", f"{found['seconds']:g}"),
            ]
        )
    sys.exit(0 if found["delivered"] else 1)


def _print_secret(webhook: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json_line(webhook))
    else:
        print_fields(
            [("webhook", sanitize(webhook["id"])), ("secret", sanitize(webhook["secret"]))]
        )


def _cells(webhook: dict[str, Any]) -> tuple[str, ...]:
    events = " ".join(name.removeprefix("job.") for name in webhook["events"])
    status = "active"
    if webhook["disabled_at"]:
        status = f"disabled: {webhook['disabled_reason']}"
    elif webhook["failing_since"]:
        status = f"fails: {webhook['last_error']}"
    texts = (webhook["id"], webhook["url"], events, webhook["device"] or "", status)
    return tuple(map(sanitize, texts))
