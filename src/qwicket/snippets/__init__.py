"""Programs that submit a job, one for each client: curl, ours and those of vendors and features.

And the lines by which a host, a program with an assistant, finds the server's tools.
"""

from __future__ import annotations

from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from qwicket.registrations import Snippet, clients, folders

HOW_TO_INSTALL: Final = "Install qwicket as your administrator says."
"""How users install our package where the server does not offer it."""
FILE_NAME: Final = "# Save it as run_bell.py: a file named like a package would hide the package."

SNIPPETS: Final[dict[str, Snippet]] = {
    "curl": Snippet("curl", "sh"),
    "python": Snippet("qwicket"),
    **{name: snippet for _, each in clients() for name, snippet in each.snippets.items()},
}
CLOUDS: Final = {name: each.snippet for name, each in clients() if each.snippet}
"""Names of clouds, each with the snippet that it stands for."""


def text(
    name: str, url: str, token: str = "", key_id: str = "", *, install: str = HOW_TO_INSTALL
) -> str:
    """Return a snippet for the server at an address. In Python it begins with `FILE_NAME`.

    The lines for a host name no token.

    Args:
        name: A key of `SNIPPETS`.
        url: Valid address of the server.
        token: Token that it uses, or with `key_id` the secret of the key pair. Empty to read the
            environment variables of `variables`.
        key_id: Id of the key pair that it uses, if any.
        install: How users install our package, in one line.
    """
    program = fill_program("snippets.txt", name, url, install)
    if SNIPPETS[name].runs_in == "host":
        return program
    given = variables(token, key_id).items() if token else ()
    if SNIPPETS[name].runs_in == "sh":
        return "".join(f"export {key}={value}\n" for key, value in given) + program
    lines = "".join(f'os.environ["{key}"] = "{value}"\n' for key, value in given)
    head = f"import os\n\n{lines}" if lines else ""
    return f"{FILE_NAME}\n{head}{program}"


def variables(token: str, key_id: str = "") -> dict[str, str]:
    """Return the environment variables from which snippets read a token or a key pair."""
    if key_id:
        return {"QWICKET_AWS_KEY_ID": key_id, "QWICKET_AWS_SECRET": token}
    return {"QWICKET_TOKEN": token}


def fill_program(file: str, name: str, url: str, install: str) -> str:
    """Return a program of a file, with the server's address and how to install our package.

    A line `==> NAME <==` begins each program. The programs of one vendor share a file because a
    small one takes as much of a disk as one of 4 KiB.

    Args:
        file: Name of the file, here and in the folders of vendors and features.
        name: Name of the program.
        url: Valid address of the server.
        install: How users install our package, in one line.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    marks = {
        "{URL}": url.rstrip("/"),
        "{HOST}": parts.hostname or "",
        "{PORT}": str(parts.port or (443 if is_secure else 80)),
        "{TLS}": str(is_secure),
        "{INSTALL}": install,
    }
    program = next(filter(None, (_program(at, file, name) for at in _packages())))
    for mark, value in marks.items():
        program = program.replace(mark, value)
    return program


def _packages() -> tuple[str, ...]:
    return (__name__, *[each.package for each in folders()])


def _program(package: str, file: str, name: str) -> str:
    """Return a program in a file of a package; empty if it is not there."""
    path = resources.files(package) / file
    programs = path.read_text("utf-8") if path.is_file() else ""
    return programs.partition(f"==> {name} <==\n")[2].partition("==> ")[0]
