"""`qwicket login`: sign in at the organisation's identity provider, and keep a token."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import click

from qwicket.cli import completers, options
from qwicket.clients.http import InvalidResponse, NoResponse, Request, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qwicket.clients.http import HTTPClient, Response

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_FLOW_FIELDS: Final = frozenset({"client_id", "device_endpoint", "token_endpoint"})
"""Required fields of `device_flow` in the server's response."""
_REQUEST_LIMIT_S: Final = 30.0
"""Time limit of a request."""
_MAX_BYTES: Final = 1 << 20
_INTERVAL_S: Final = 5.0
"""Pause between two polls if the provider names none (RFC 8628, 3.2)."""
_MAX_WAIT_S: Final = 1_800.0
"""Longest wait for the code to be entered, even if it is valid for longer."""
_REASONS: Final = {
    "access_denied": "The sign-in was refused at the identity provider.",
    "expired_token": "The code has expired before it was entered. Run the command again.",
}


class _Profile(NamedTuple):
    """The profile and the files in which the token is stored.

    Attributes:
        name: Name of the profile.
        url: Address of the server.
        config: File with the profiles.
        token_file: File with the token.
        is_new: Whether the profile is to be added to the file.
    """

    name: str
    url: str
    config: Path
    token_file: Path
    is_new: bool


@click.command(short_help="Sign in at your organisation, and keep a token.")
@click.option(
    "--url",
    envvar="QWICKET_URL",
    show_envvar=True,
    metavar="URL",
    help="Address of the server; by default the profile's, else this machine.",
)
@click.option(
    "--profile",
    envvar="QWICKET_PROFILE",
    show_envvar=True,
    metavar="NAME",
    shell_complete=completers.profile,
    help="Profile in ~/.config/qwicket/config.toml that gets the token; by default the file's"
    " default.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Scope of the token, such as jobs:read. Repeatable; by default jobs:read, jobs:write and"
    " devices:read.",
)
@click.option("--project", metavar="NAME", help="Project of the token; by default your own.")
@click.option(
    "--expires",
    callback=options.duration_s,
    metavar="TIME",
    help="Lifetime of the token, such as 90d or 12h; by default 30 days.",
)
@click.option("--yes", is_flag=True, help="Do not ask before signing in to a new server.")
@options.report_client_errors
def login(
    url: str | None,
    profile: str | None,
    scopes: tuple[str, ...],
    project: str | None,
    expires: int | None,
    yes: bool,
) -> None:
    """Sign in at your organisation's identity provider, and keep a token in a profile.

    The command shows an address and a code. Open the address in any browser, on any machine, and
    enter the code. Other commands find the token in the profile.

    A server without a profile is new: the command asks first, because the server could sign in as
    you to other servers of your organisation.
    """
    target = _profile(profile, url)
    server = _Server(target.url)
    flow = server.device_flow()
    _confirm(target, flow, is_confirmed=yes or not target.is_new)
    tokens = _run_device_flow(flow)
    made = server.exchange(tokens, {"scopes": scopes, "project": project, "life_s": expires})
    _store_token(target, made["secret"])
    end = sanitize(made.get("expires_at"))[:16].replace("T", " ") or "never"
    click.echo(
        f"Signed in at {target.url}. The token {sanitize(made.get('id'))} is in"
        f" {target.token_file}; it expires: {end}.",
        err=True,
    )


def _confirm(target: _Profile, flow: Mapping[str, Any], *, is_confirmed: bool) -> None:
    """Show to which server the person signs in, and where; ask about a new server.

    The device flow is bound to no server. So one that passes on what another server states would
    receive an ID token for that server.

    Raises:
        click.UsageError: Standard input is no terminal, and the server is not confirmed.
        click.Abort: The person refuses.
    """
    provider = sanitize(urlsplit(str(flow["device_endpoint"])).netloc)
    server = sanitize(urlsplit(target.url).netloc) or target.url
    click.echo(f"The server {server} asks you to sign in at {provider}.", err=True)
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"There is no profile for {server} yet. Give --yes if you trust this server."
        )
    click.echo("It could sign in as you to other servers that use this provider.", err=True)
    click.confirm("Do you trust this server?", abort=True, err=True)


class _Server:
    """The routes of a server for sign-in, which need no token."""

    def __init__(self, url: str) -> None:
        self._http = _client(url)

    def device_flow(self) -> dict[str, Any]:
        """Return the provider's addresses, and the client id of this command there."""
        request = Request("GET", "/v1/sign-in", limit_s=_REQUEST_LIMIT_S)
        flow = _read(self._http, request).get("device_flow")
        if not isinstance(flow, dict) or not flow.keys() >= _FLOW_FIELDS:
            raise click.ClickException(
                f"The server {self._http.url} has no single sign-on for commands. Set QWICKET_TOKEN"
                f" to a token of {self._http.url}/ui, or ask its administrator for one."
            )
        return flow

    def exchange(self, tokens: Mapping[str, str], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return a token of the server for an ID token."""
        body = {**tokens, **{name: value for name, value in wanted.items() if value}}
        request = Request(
            "POST",
            "/v1/sign-in",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
            limit_s=_REQUEST_LIMIT_S,
            secrets=tuple(tokens.values()),
            can_repeat=False,
        )
        found = _read(self._http, request)
        if not isinstance(found.get("secret"), str):
            raise click.ClickException(f"{self._http.url} returned no token.")
        return found


def _client(url: str) -> HTTPClient:
    from qwicket.clients.http import HTTPClient  # late: the help needs no urllib3

    return HTTPClient(url, click.ClickException, _MAX_BYTES)


def _read(http: HTTPClient, request: Request) -> dict[str, Any]:
    """Send a request to our server; return the JSON object of its response, or {}.

    Raises:
        ApiError: The server refused the request.
    """
    from qwicket.clients.native import ApiError

    response = _exchange(http, request)
    body = _document(response)
    if response.status >= 400:
        raise ApiError(response.status, body)
    return body


def _exchange(http: HTTPClient, request: Request) -> Response:
    try:
        return http.exchange(request)
    except (NoResponse, InvalidResponse) as error:
        raise click.ClickException(str(error)) from None


def _document(response: Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# --- the identity provider ------------------------------------------------------------------------


def _run_device_flow(flow: Mapping[str, Any]) -> dict[str, str]:
    """Do the device flow (RFC 8628); return the ID token, and the access token if there is one."""
    client = str(flow["client_id"])
    status, begun = _post(
        str(flow["device_endpoint"]),
        {"client_id": client, "scope": " ".join(map(str, flow.get("scopes", ())))},
    )
    if status != 200 or not {"device_code", "user_code", "verification_uri"} <= begun.keys():
        raise click.ClickException(_refusal(begun))
    address = sanitize(begun.get("verification_uri_complete") or begun["verification_uri"])
    click.echo(f"Open {address} and enter {sanitize(begun['user_code'])}", err=True)
    interval_s = _seconds(begun.get("interval"), _INTERVAL_S)
    deadline = time.monotonic() + min(_seconds(begun.get("expires_in"), _MAX_WAIT_S), _MAX_WAIT_S)
    form = {"grant_type": _GRANT, "device_code": str(begun["device_code"]), "client_id": client}
    while time.monotonic() < deadline:
        time.sleep(interval_s)
        try:
            status, found = _post(str(flow["token_endpoint"]), form)
        except click.ClickException as error:
            click.echo(f"{error.message} The command asks again.", err=True)
            status, found = 503, {}
        if status == 200 and isinstance(found.get("id_token"), str):
            names = ("id_token", "access_token")
            return {name: found[name] for name in names if isinstance(found.get(name), str)}
        if status >= 500 or found.get("error") == "slow_down":
            interval_s += 5.0  # RFC 8628, 3.5: also after a poll without an answer
        elif found.get("error") != "authorization_pending":
            raise click.ClickException(_refusal(found))
    raise click.ClickException(_REASONS["expired_token"])


def _post(url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(url)
    http = _client(f"{parts.scheme}://{parts.netloc}")
    request = Request(
        "POST",
        f"{parts.path}?{parts.query}" if parts.query else parts.path,
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        body=urlencode(form).encode(),
        limit_s=_REQUEST_LIMIT_S,
        can_repeat=False,
    )
    response = _exchange(http, request)
    http.close()
    return response.status, _document(response)


def _refusal(document: Mapping[str, Any]) -> str:
    error = sanitize(document.get("error")) or "no valid response"
    usual = f"The identity provider refused the sign-in: {error}."
    return _REASONS.get(error, usual)


def _seconds(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if 0 < value <= _MAX_WAIT_S else default


# --- the profile ----------------------------------------------------------------------------------


def _profile(wanted: str | None, url: str | None) -> _Profile:
    """Return where the token will be stored; write nothing yet.

    Raises:
        click.ClickException: The file of profiles is invalid. Or the profile has another address,
            its token is not in a file of its own, or its name cannot be that of a file.
    """
    from pathlib import Path

    from qwicket.clients.native.config import DEFAULT_URL, path_of

    config = path_of(None, os.environ)
    _, document = _read_config(config)
    name = wanted or str(document.get("default", "default"))
    profiles = document.get("profiles", {})
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict):
        token_file = config.parent / f"{name}.token"
        if token_file.name != f"{name}.token" or not name.isprintable():
            raise click.ClickException(f"--profile: {name!r} cannot be the name of a file.")
        return _Profile(name, url or DEFAULT_URL, config, token_file, is_new=True)
    home = str(found.get("url", DEFAULT_URL))
    if url is not None and url.rstrip("/") != home.rstrip("/"):
        raise click.ClickException(
            f"The profile {name!r} in {config} is for {home}; give another name with --profile."
        )
    if "token_file" not in found:
        raise click.ClickException(
            f"The profile {name!r} in {config} has no token_file, which `qwicket login` writes:"
            " replace its token by one, or give another name with --profile."
        )
    token_file = Path(str(found["token_file"])).expanduser()
    return _Profile(name, home, config, token_file, is_new=False)


def _store_token(target: _Profile, secret: str) -> None:
    """Write the token, and the profile if it is new.

    Only the user can read the token's file, and a file of profiles that is written as a whole. One
    that is only added to keeps its mode.
    """
    try:
        target.token_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(target.token_file, f"{secret}\n", os.O_TRUNC)
        if target.is_new:
            name, url, file = map(_toml, (target.name, target.url, str(target.token_file)))
            lines = ["", f"[profiles.{name}]", f"url = {url}", f"token_file = {file}", ""]
            # Read again, because the sign-in may have taken minutes.
            text, document = _read_config(target.config)
            if "default" in document:
                _write(target.config, "\n".join(lines), os.O_APPEND)
            else:  # so that other commands find the profile; the line must precede all tables
                whole = "\n".join([f"default = {name}", text, *lines]).replace("\n\n\n", "\n\n")
                file_itself = target.config.resolve()  # not a link to it
                new = file_itself.with_name(f"{file_itself.name}.new")
                _write(new, whole, os.O_TRUNC)
                new.replace(file_itself)
    except OSError as error:
        raise click.ClickException(
            f"The token cannot be stored: {error.filename}: {error.strerror}."
        ) from None


def _read_config(config: Path) -> tuple[str, dict[str, Any]]:
    """Return the file with the profiles, as text and decoded; both are empty without a file."""
    import tomllib

    try:
        text = config.read_text("utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except (OSError, ValueError):
        raise click.ClickException(f"{config} cannot be read as TOML.") from None


def _write(path: Path, text: str, flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if flag == os.O_TRUNC:
            os.fchmod(descriptor, 0o600)
        file.write(text)


def _toml(text: str) -> str:
    """Return a TOML basic string. TOML has the escapes of JSON, but no pairs of surrogates."""
    return json.dumps(text, ensure_ascii=False)
