"""The command line as a contract: names, options, help, errors, exit status, quick start."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from qwicket import __version__
from qwicket.cli import main
from qwicket.cli.examples import EXAMPLES
from support.pairwise import pairs

# From the design's "Command line (a contract: scripts depend on it)", for what exists.
DATA: Final = {"--data-dir", "--database-url"}
REMOTE: Final = {"--url", "--profile"}
ADMIN: Final = DATA | REMOTE
SERVER: Final = {"--url", "--token", "--token-file"}
FILTERS: Final = {"--all", "--account", "--project", "--state", "--device", "--dialect"} | {
    *("--group", "--name", "--tag", "--since"),
}
MANY: Final = REMOTE | FILTERS | {"--dry-run", "--yes", "--json"}
WINDOW: Final = {"--from", "--to", "--timezone", "--drain"}
CONTRACT: Final = {
    "serve": DATA
    | {"--host", "--port", "--workers", "--express-slots", "--public-url", "--trusted-proxy"}
    | {"--listen"}
    | {"--device-dir", "--no-dispatch", "--compute", "--compute-min", "--compute-max"}
    | {"--compute-tls-ca", "--compute-tls-cert", "--compute-tls-key"}
    | {
        "--tls-cert",
        "--tls-key",
        "--lease-s",
        "--stop-grace-s",
        "--maintenance-interval-s",
        "--access-token-s",
        "--ibm-access-token-s",
        "--first-poll-ms",
        "--no-passwords",
        "--session-s",
        "--aws-master-file",
        *("--oidc-issuer", "--oidc-client-id", "--oidc-client-secret-file"),
        *("--oidc-device-client-id", "--oidc-audiences", "--oidc-scopes", "--oidc-name-claim"),
        *("--oidc-groups-claim", "--oidc-groups", "--oidc-create", "--oidc-link-email"),
        "--allow-private-webhooks",
        "--keep-days",
        "--log-format",
        "--access-log",
        "--limit",
    },
    "worker": {"--connect", "--token", "--token-file", "--slots", "--memory-bytes", "--devices"}
    | {"--name", "--walltime-s", "--grace", "--idle-s", "--insecure"},
    "scale": {"--connect", "--token", "--token-file", "--slurm", "--kubernetes", "--kubernetes-url"}
    | {"--min", "--max", "--slots", "--idle-s", "--memory-bytes", "--group", "--command"}
    | {"--insecure"},
    "user add": ADMIN
    | {"--role", "--email", "--password-stdin", "--from", "--tokens", "--project", "--expires"},
    "user list": ADMIN | {"--deleted", "--json"},
    "user disable": ADMIN,
    "user enable": ADMIN,
    "user role": ADMIN,
    "user email": ADMIN,
    "user reset": ADMIN | {"--password-stdin"},
    "user delete": ADMIN | {"--jobs"},
    "user restore": ADMIN,
    "token create": ADMIN | {"--user", "--project", "--scope", "--device", "--expires", "--aws"},
    "token list": ADMIN | {"--user", "--json"},
    "token revoke": ADMIN,
    "keys rotate": ADMIN,
    "project add": ADMIN | {"--shares"},
    "project list": ADMIN | {"--json"},
    "project shares": ADMIN,
    "project retention": ADMIN,
    "project export": ADMIN,
    "project member add": ADMIN,
    "project member remove": ADMIN,
    "project member list": ADMIN | {"--json"},
    "budget set": ADMIN | {"--jobs", "--shots", "--seconds", "--cost", "--per", "--device"},
    "budget show": ADMIN | {"--json"},
    "budget clear": ADMIN | {"--unit", "--per", "--device"},
    "usage": ADMIN | {"--by", "--from", "--to", "--csv", "--json"},
    "provider add": ADMIN,
    "provider list": ADMIN | {"--json"},
    "provider on": ADMIN,
    "provider off": ADMIN,
    "device list": ADMIN | {"--json"},
    "device on": ADMIN,
    "device off": ADMIN | {"--reason", "--until"},
    "audit list": ADMIN | {"--limit", "--json"},
    "audit refusals": ADMIN | {"--limit", "--json"},
    "audit verify": ADMIN | {"--hash"},
    "device drain": ADMIN | {"--reason"},
    "device message": ADMIN,
    "device probe": {"--kind", "--url", "--key-file", "--key-env", "--as", "--write"},
    "device import": {
        *("--ibm-properties", "--ibm-configuration", "--ionq", "--braket", "--qbraid"),
        *("--relaxes-to", "--as", "--write"),
    },
    "device maintenance": ADMIN | WINDOW | {"--reason", "--weeks"},
    "invite": ADMIN | {"--project", "--uses", "--expires", "--json"},
    "invitations": ADMIN | {"--json"},
    "uninvite": ADMIN,
    "reserve": ADMIN
    | WINDOW
    | {"--project", "--slots", "--exclusive", "--exam", "--withhold-results", "--reason", "--json"},
    "reservations": ADMIN | {"--json"},
    "unreserve": ADMIN | {"--series"},
    "submit": REMOTE
    | {"--device", "--shots", "--format", "--engine", "--input", "--noise", "--seed", "--output"}
    | {"--key", "--name", "--tag", "--dry-run", "--wait", "--json"},
    "jobs": REMOTE | FILTERS | {"--limit", "--json"},
    "job show": REMOTE | {"--all", "--compiled", "--json", "--part"},
    "job cancel": MANY,
    "job hold": MANY,
    "job release": MANY,
    "job priority": MANY | {"--to"},
    "job requeue": MANY,
    "job resolve": ADMIN | {"--sent-as", "--not-sent"},
    "job abandon": ADMIN,
    "job delete": REMOTE,
    "result": REMOTE | {"--json"},
    "archive": REMOTE,
    "share": REMOTE | {"--with", "--link", "--expires", "--json"},
    "shares": REMOTE | {"--json"},
    "unshare": REMOTE,
    "watch": REMOTE | {"--all", "--json"},
    "devices": REMOTE | {"--family", "--online", "--json"},
    "login": REMOTE | {"--scope", "--project", "--expires"},
    "account": REMOTE | {"--json"},
    "webhook add": REMOTE | {"--event", "--device", "--json"},
    "webhook list": REMOTE | {"--json"},
    "webhook remove": REMOTE,
    "webhook rotate": REMOTE | {"--json"},
    "webhook test": REMOTE | {"--json"},
    "show": {"--format", "--input"},
    "agent": SERVER | {"--device", "--format", "--grace", "--run", "--shots", "--try"},
    "agent push-config": SERVER,
    "agent push-calibration": SERVER | {"--device"},
    "env": {"--url"},
    "snippet": {"--url", "--json"},
    "cassette record": {"--target", "--key-env", "--key-file", "--aws", "--port", "--client"},
    "cassette replay": {"--lenient", "--port", "--client"},
    "cassette check": {"--name", "--ignore", "--json"},
    "demo": set(),
    "backup": DATA | {"--check"},
    "restore": DATA | {"--check", "--replace"},
    "doctor": DATA | {"--deep", "--json"},
    "bench": {"--seconds", "--connections", "--json"},
    "completion": set(),
}
ARGUMENTS: Final = {
    "agent push-config": ["FILE"],
    "agent push-calibration": ["FILE"],
    "user add": ["NAME"],
    "user disable": ["NAME"],
    "user enable": ["NAME"],
    "user role": ["NAME", "ROLE"],
    "user email": ["NAME", "EMAIL"],
    "user reset": ["NAME"],
    "user delete": ["NAME"],
    "user restore": ["NAME"],
    "token revoke": ["ID"],
    "project add": ["NAME"],
    "project shares": ["NAME", "SHARES"],
    "project retention": ["NAME", "DAYS"],
    "project export": ["PROJECT", "FOLDER"],
    "project member add": ["PROJECT", "ACCOUNT"],
    "project member remove": ["PROJECT", "ACCOUNT"],
    "project member list": ["PROJECT"],
    "budget set": ["PROJECT"],
    "budget show": ["PROJECT"],
    "budget clear": ["PROJECT"],
    "provider add": ["NAME"],
    "provider on": ["NAME"],
    "provider off": ["NAME"],
    "device on": ["NAME"],
    "device off": ["NAME"],
    "device drain": ["NAME"],
    "device message": ["NAME", "TEXT"],
    "device probe": ["NAME"],
    "device maintenance": ["NAME"],
    "reserve": ["DEVICE"],
    "uninvite": ["ID"],
    "unreserve": ["ID"],
    "backup": ["FILE"],
    "restore": ["FILE"],
    "submit": ["FILE"],
    "job show": ["ID"],
    "job cancel": ["ID"],
    "job hold": ["ID"],
    "job release": ["ID"],
    "job priority": ["ID"],
    "job requeue": ["ID"],
    "job resolve": ["ID"],
    "job abandon": ["ID"],
    "job delete": ["ID"],
    "result": ["ID"],
    "archive": ["ID", "FILE"],
    "share": ["ID"],
    "shares": ["ID"],
    "unshare": ["SHARE"],
    "devices": ["NAME"],
    "watch": ["JOB"],
    "webhook add": ["URL"],
    "webhook remove": ["ID"],
    "webhook rotate": ["ID"],
    "webhook test": ["ID"],
    "show": ["FILE"],
    "env": ["CLIENT"],
    "snippet": ["VENDOR"],
    "cassette record": ["FILE", "COMMAND"],
    "cassette replay": ["FILE", "COMMAND"],
    "cassette check": ["FILE"],
    "demo": ["COMMAND"],
    "completion": ["SHELL"],
}


GROUPS: Final = (
    "user",
    "token",
    "keys",
    "project",
    "project member",
    "budget",
    "provider",
    "device",
    "webhook",
    "job",
    "cassette",
)


def commands() -> dict[str, click.Command]:
    return dict(walk(main, click.Context(main), ()))


def walk(
    group: click.Group, context: click.Context, above: tuple[str, ...]
) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*above, name)), command
        if isinstance(command, click.Group):
            yield from walk(command, context, (*above, name))


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, arguments, env=env)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_page_says_what_every_command_works_on() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    table = page.partition("| commands | work on |")[2].partition("\n\n")[0]
    named = [
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row[: row.find("|", 1)])
    ]
    with click.Context(main) as context:
        assert sorted(named) == sorted(main.list_commands(context))


def test_the_commands_are_those_of_the_contract() -> None:
    assert list(commands()) == sorted(CONTRACT, key=list(commands()).index)


def test_the_options_of_every_command_are_those_of_the_contract() -> None:
    found = {
        name: {
            flag for each in command.params if isinstance(each, click.Option) for flag in each.opts
        }
        for name, command in commands().items()
    }
    assert found == CONTRACT


def test_the_arguments_of_every_command_are_those_of_the_contract() -> None:
    found = {
        name: [
            each.human_readable_name for each in command.params if isinstance(each, click.Argument)
        ]
        for name, command in commands().items()
    }
    assert found == {name: ARGUMENTS.get(name, []) for name in CONTRACT}


def test_help_explains_every_command_option_and_argument() -> None:
    for name, command in commands().items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)
                assert parameter.help.endswith((".", "[limits].")), (name, parameter.help)
            else:
                assert parameter.human_readable_name in command.help, name


def test_help_wraps_to_the_terminal(subtests: pytest.Subtests) -> None:
    for name, width in pairs(["", *GROUPS, *CONTRACT], [80, 120]):
        with subtests.test(name or "qwicket", width=width):
            status, out, err = run(*name.split(), "--help", env={"COLUMNS": str(width)})
            assert (status, err) == (0, "")
            assert max(map(len, out.splitlines())) <= min(width, 100)


def test_help_lists_every_command_under_what_it_is_for() -> None:
    _, out, _ = run("--help")
    run_one, _, others = out.partition("Run a server:")[2].partition("Use a server:")
    use_one, _, besides = others.partition("Other:")
    listed = [
        [line.split()[0] for line in part.splitlines() if line.strip()]
        for part in (run_one, use_one, besides)
    ]
    assert listed[0][:3] == ["serve", "worker", "scale"]
    assert {"devices", "submit", "watch"} < set(listed[1])
    assert [name for part in listed for name in part] == main.list_commands(click.Context(main))


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_help_lists_whole_sentences(group: str) -> None:
    _, out, _ = run(*group.split(), "--help")
    listed = out.partition("Run a server:" if not group else "Commands:")[2]
    assert listed
    assert "..." not in listed.partition("Example")[0]


def test_every_command_and_no_other_has_an_example() -> None:
    assert set(EXAMPLES) == set(CONTRACT)


def test_help_ends_with_examples_that_can_be_typed(subtests: pytest.Subtests) -> None:
    for name in CONTRACT:
        with subtests.test(name):
            _, out, _ = run(*name.split(), "--help")
            assert "Example" in out
            for line in EXAMPLES[name]:
                assert f"    {line}\n" in out
                (program, *words), *_ = [
                    shlex.split(each.partition(">")[0]) for each in line.split(" | ")
                ]
                assert program == "qwicket"
                assert words[: len(name.split())] == name.split()
                given = {word for word in words if word.startswith("--") and word != "--"}
                assert given <= CONTRACT[name]


def test_every_option_that_the_environment_sets_is_named_after_its_variable() -> None:
    options = [option for command in commands().values() for option in command.params]
    from_environment = [option for option in options if option.envvar is not None]
    assert len(from_environment) > 20
    for option in from_environment:
        flag = option.opts[0].removeprefix("--").replace("-", "_")
        assert option.envvar == f"QWICKET_{flag.upper()}"
        assert isinstance(option, click.Option)
        assert option.show_envvar


def test_version_is_that_of_the_package() -> None:
    assert run("--version") == (0, f"qwicket, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nope", "No such command 'nope'"),
        ("--nope", "No such option"),
        ("user nope", "No such command 'nope'"),
        ("user add", "Give NAME; or --from FILE --tokens DIR"),
        ("user add ada --nope", "No such option"),
        ("user add ada --role king", "'king' is not one of 'admin', 'member'"),
        ("token create", "Missing option '--user'"),
        ("token create --user ada --scope everything", "'everything' is not one of"),
        ("token create --user ada --expires soon", "'soon' is not a duration. Use 90d, 12h or 30m"),
        ("token create --user ada --expires 0d", "'0d' is not between 1s and 36600d."),
        ("token create --user ada --expires 99999d", "'99999d' is not between 1s and 36600d."),
        ("budget set ada --shots nan", "'nan' is not a number."),
        ("usage --from today", "'today' is not a day such as 2026-11-01."),
        ("submit", "Missing argument 'FILE'"),
        ("submit -", "Missing option '--device'"),
        ("submit - --device x --shots 0", "0 is not in the range"),
        ("submit - --device x --shots many", "'many' is not a whole number"),
        ("submt", "No such command 'submt'. Did you mean 'submit'? See "),
        ("user disabel ada", "No such command 'disabel'. Did you mean 'disable'? See "),
        ("user add ada --rolle admin", "No such option '--rolle'. Did you mean '--role'"),
        ("snippet qiskit", "there is no snippet for 'qiskit'. Did you mean qiskit-ionq"),
        ("token create --user a --scope jobs:raed", "Did you mean 'jobs:read'? See "),
        ("devices simulator --online", "use them without NAME. See "),
        ("submit /nowhere --device x", "'/nowhere': No such file"),
        ("submit / --device x", "Is a directory"),
        ("show", "Missing argument 'FILE'"),
        ("show /nowhere", "'/nowhere': No such file"),
        ("serve --port 65536", "65536 is not in the range"),
        ("serve --workers -1", "-1 is not in the range"),
        ("worker --token x", "Missing option '--connect'"),
        ("worker --connect http://lab.example.org --token x", "is not encrypted"),
        ("worker --connect http://[::1 --token x", "is not an address"),
        ("worker --connect https://lab --token x --slots 0", "0 is not in the range"),
        ("serve extra", "unexpected extra argument"),
        ("--config /nowhere user list", "/nowhere: No such file or directory"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(arguments: str, said: str) -> None:
    status, out, err = run(*arguments.split())
    assert (status, out) == (2, "")
    assert said in err
    assert err.startswith("Error: ")
    assert err.endswith(" --help'.\n")
    assert err.count("\n") == 1


def test_a_group_without_a_command_shows_its_help() -> None:
    for name in ((), ("user",), ("token",)):
        status, out, err = run(*name)
        assert (status, out) == (2, "")
        assert err.startswith("Usage: qwicket ")


def test_ctrl_c_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    # A signal at a chosen instant: no other way hits the command itself.
    monkeypatch.setattr(commands()["demo"], "callback", interrupt)
    assert run("demo") == (130, "", "\n")


def test_start_up_imports_neither_services_nor_numpy() -> None:
    code = (
        "import sys; from qwicket.cli import main; main(['--version'], standalone_mode=False);"
        "print(sorted(name for name in sys.modules if name.startswith('qwicket')));"
        "print([name for name in ('numpy', 'starlette', 'uvicorn', 'asyncio', 'sqlite3', 'msgspec',"
        " 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    _, modules, heavy = done.stdout.splitlines()
    assert modules == "['qwicket', 'qwicket.cli', 'qwicket.cli.commands', 'qwicket.cli.config']"
    assert heavy == "[]"


def test_a_terminal_without_the_letter_is_no_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qwicket", "serve", "--help"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        check=True,
    )
    assert b"X-Forwarded-? headers" in done.stdout


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("qiskit", "Did you mean qiskit-ionq or qiskit-ibm-runtime or qiskit-cold-atom?"),
        ("cirk-ionq", "Did you mean cirq-ionq"),
        ("zzz", "there is no snippet for 'zzz'. 'qwicket snippet' lists them."),
    ],
)
def test_an_unknown_snippet_is_answered_with_the_nearest_names(name: str, hint: str) -> None:
    result = CliRunner().invoke(main, ["snippet", name])
    assert result.exit_code == 2
    assert hint in result.stderr
    assert len(result.stderr) < 250


def test_the_variables_of_qiskit_begin_with_the_one_that_keeps_the_token_from_ibm() -> None:
    result = CliRunner().invoke(main, ["env", "qiskit-ibm-runtime", "--url", "http://q.test:81/"])
    assert result.stdout.splitlines() == [
        "export IAM_URL=http://q.test:81/ibm/runtime/iam",
        "export GLOBAL_SEARCH_URL=http://q.test:81/ibm/runtime/search",
        "export GLOBAL_CATALOG_URL=http://q.test:81/ibm/runtime/catalog",
        "export QISKIT_IBM_URL=http://q.test:81/ibm/runtime/experimental/api/v1",
        'export QISKIT_IBM_TOKEN="$QWICKET_TOKEN"',
    ]


def test_an_unknown_client_has_no_variables() -> None:
    result = CliRunner().invoke(main, ["env", "pulser"])
    assert result.exit_code == 2
    assert "'pulser' is not one of 'qiskit-ibm-runtime', 'braket'" in result.stderr
    near = CliRunner().invoke(main, ["env", "qiskit-ion"])
    assert near.exit_code == 2
    assert "'qiskit-ion' is unknown. Did you mean 'qiskit-ionq'?" in near.stderr


def test_variables_for_something_else_than_an_address_are_refused() -> None:
    result = CliRunner().invoke(main, ["env", "qiskit-ibm-runtime", "--url", "$(x)"])
    assert result.exit_code == 2
    assert "export" not in result.output


def test_a_snippet_in_python_says_how_its_file_may_be_called() -> None:
    first, *_ = CliRunner().invoke(main, ["snippet", "xcc"]).stdout.splitlines()
    assert first.startswith("# Save it as run_bell.py")
    assert not CliRunner().invoke(main, ["snippet", "curl"]).stdout.startswith("# Save")


def test_a_backup_needs_a_file_unless_it_only_checks(tmp_path: Path) -> None:
    location = ("--data-dir", str(tmp_path))
    code, _, error = run("backup", *location)
    assert (code, "FILE is missing" in error) == (2, True)
    code, _, error = run("backup", "--check", *location)
    assert (code, str(tmp_path) in error) == (1, True), error
