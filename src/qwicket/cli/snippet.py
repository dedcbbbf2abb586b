"""`qwicket snippet`: a complete program for a client and a Qwicket server."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import click

from qwicket.cli.listing import Row, json_flag, json_line, print_rows
from qwicket.registrations import hook
from qwicket.snippets import CLOUDS, HOW_TO_INSTALL, SNIPPETS, text

_MAX_NAME_CHARS: Final = 100
_MAX_HINTS: Final = 3


class _SnippetName(click.Choice[str]):
    """Name of a snippet, or of a cloud that has one."""

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        """Suggest the nearest names, not all of them."""
        shown = value[:_MAX_NAME_CHARS]
        near = [name for name in self.choices if shown.lower() in name]
        near += get_close_matches(shown, self.choices)
        hint = f" Did you mean {' or '.join(dict.fromkeys(near[:_MAX_HINTS]))}?" if near else ""
        return f"there is no snippet for {shown!r}.{hint} 'qwicket snippet' lists them."


@click.command(short_help="Print a complete program for a vendor's client.")
@click.argument("vendor", required=False, type=_SnippetName([*SNIPPETS, *CLOUDS]), metavar="VENDOR")
@click.option(
    "--url",
    envvar="QWICKET_URL",
    show_envvar=True,
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="Address of the server.",
)
@json_flag
def snippet(vendor: str | None, url: str, as_json: bool) -> None:
    """Print a program that submits a job with VENDOR's own client and prints the result.

    The program reads the token from QWICKET_TOKEN. For a program with an assistant, print the lines
    by which its configuration names the server. Without VENDOR, list all.
    """
    if vendor is None:
        rows = [
            Row({"name": name, **each._asdict()}, (name, each.client, each.runs_in))
            for name, each in SNIPPETS.items()
        ]
        print_rows(rows, ("name", "client", "runs in"), as_json)
        return
    from qwicket.clients.http.text import validated_address

    name, url = CLOUDS.get(vendor, vendor), validated_address(url, click.UsageError)
    program = text(name, url, install=_how_to_install(name, url))
    click.echo(json_line({"name": vendor, "text": program}) if as_json else program, nl=as_json)


def _how_to_install(name: str, url: str) -> str:
    """Return how to install our package; ask the server only if the program needs it."""
    find = hook("find_install_command") if SNIPPETS[name].client.startswith("qwicket") else None
    return (find(url) if find else None) or HOW_TO_INSTALL
