"""`qwicket provider`: to whom devices belong, and whether these are shown."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, show


@click.group(cls=Section)
def provider() -> None:
    """Make and list providers of devices, show and hide theirs."""


@provider.command("add")
@click.argument("name")
@options.place
def add_provider(name: str, place: options.Place) -> None:
    """Make the provider NAME, active and without devices."""
    made = options.as_admin(place, lambda admin: admin.add_provider(name))
    click.echo(made.name)


@provider.command("list")
@json_flag
@options.place
def list_providers(as_json: bool, place: options.Place) -> None:
    """List all providers."""
    rows = [
        Row(
            {"name": each.name, "is_active": each.is_active},
            (each.name, "" if each.is_active else "off"),
        )
        for each in options.as_admin(place, lambda admin: admin.providers())
    ]
    show(rows, ("name", ""), as_json)


@provider.command("on")
@click.argument("name")
@options.place
def turn_on(name: str, place: options.Place) -> None:
    """Show the devices of the provider NAME, and let them take jobs."""
    options.as_admin(place, lambda admin: admin.set_active(name, True))


@provider.command("off")
@click.argument("name")
@options.place
def turn_off(name: str, place: options.Place) -> None:
    """Hide the devices of the provider NAME and refuse new jobs; what was taken is run."""
    options.as_admin(place, lambda admin: admin.set_active(name, False))
