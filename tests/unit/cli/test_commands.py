"""The command line as a contract: names, options, help, errors, exit status, quick start."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tools import command_texts
from tools.command_texts import commands

from qwicket import __version__
from qwicket.cli import main
from qwicket.cli.examples import EXAMPLES
from support.pairwise import pairs


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, arguments, env=env)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout, result.stderr


def groups() -> set[str]:
    return {name.rpartition(" ")[0] for name in commands() if " " in name}


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


@pytest.mark.needs_vendors
def test_the_commands_arguments_and_options_are_those_of_the_file() -> None:
    assert command_texts.FILE.read_text("utf-8") == command_texts.text(), "run `make contract`"


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
    for name, width in pairs(["", *groups(), *commands()], [80, 120]):
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
    assert listed[0][:3] == ["serve", "worker", "user"]
    assert {"devices", "submit", "watch"} < set(listed[1])
    assert [name for part in listed for name in part] == main.list_commands(click.Context(main))


def test_help_lists_whole_sentences() -> None:
    for group in ("", *groups()):
        _, out, _ = run(*group.split(), "--help")
        listed = out.partition("Run a server:" if not group else "Commands:")[2]
        assert listed, group
        assert "..." not in listed.partition("Example")[0], group


def test_every_command_and_no_other_has_an_example() -> None:
    assert set(EXAMPLES) == set(commands())


def test_help_ends_with_examples_that_can_be_typed(subtests: pytest.Subtests) -> None:
    for name, command in commands().items():
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
                assert given <= {flag for each in command.params for flag in each.opts}


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


@pytest.mark.needs_vendors
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
        ("sumbit", "No such command 'sumbit'. Did you mean 'submit'? See "),
        ("user disabel ada", "No such command 'disabel'. Did you mean 'disable'? See "),
        ("user add ada --rolle admin", "No such option '--rolle'. Did you mean '--role'"),
        ("snippet qiskit", "there is no snippet for 'qiskit'. Did you mean qiskit-ionq"),
        ("token create --user a --scope jobs:raed", "Did you mean 'jobs:read'? See "),
        ("devices simulator --online", "use them without NAME. See "),
        ("submit /nowhere --device x", "'/nowhere': No such file"),
        ("submit / --device x", "Is a directory"),
        ("job draw", "Missing argument 'FILE'"),
        ("job draw /nowhere", "'/nowhere': No such file"),
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


@pytest.mark.needs_vendors
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


@pytest.mark.needs_vendors
def test_the_variables_of_qiskit_begin_with_the_one_that_keeps_the_token_from_ibm() -> None:
    result = CliRunner().invoke(main, ["env", "qiskit-ibm-runtime", "--url", "http://q.test:81/"])
    assert result.stdout.splitlines() == [
        "export IAM_URL=http://q.test:81/ibm/runtime/iam",
        "export GLOBAL_SEARCH_URL=http://q.test:81/ibm/runtime/search",
        "export GLOBAL_CATALOG_URL=http://q.test:81/ibm/runtime/catalog",
        "export QISKIT_IBM_URL=http://q.test:81/ibm/runtime/experimental/api/v1",
        'export QISKIT_IBM_TOKEN="$QWICKET_TOKEN"',
        'export NO_PROXY="${NO_PROXY:-${no_proxy:-}},q.test"'
        ' no_proxy="${no_proxy:-${NO_PROXY:-}},q.test"',
    ]


@pytest.mark.needs_vendors
def test_an_unknown_client_has_no_variables() -> None:
    result = CliRunner().invoke(main, ["env", "pulser"])
    assert result.exit_code == 2
    assert "'pulser' is not one of 'qiskit-ionq', '" in result.stderr
    near = CliRunner().invoke(main, ["env", "qiskit-ion"])
    assert near.exit_code == 2
    assert "'qiskit-ion' is unknown. Did you mean 'qiskit-ionq'?" in near.stderr


def test_variables_for_something_else_than_an_address_are_refused() -> None:
    result = CliRunner().invoke(main, ["env", "qiskit-ibm-runtime", "--url", "$(x)"])
    assert result.exit_code == 2
    assert "export" not in result.output


@pytest.mark.needs_vendors
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
