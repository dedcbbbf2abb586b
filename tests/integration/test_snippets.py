"""Whatever the pages show is run, or read by the program that it is for."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from contract.environments import interpreter, suites
from qwicket import devices
from qwicket.cli import main as command_line
from qwicket.clients.native.config import settings
from qwicket.model.states import mermaid
from support.commands import assert_known
from support.for_each import for_each
from support.ports import held_port
from support.server import LiveServer
from support.snippets import PAGES, ROOT, Block, Shell, alike, blocks, indented
from support.waiting import until

pytestmark = pytest.mark.extended

ALL = [block for page in PAGES for block in blocks(page)]
RUN = [page for page in PAGES if any(block.runs for block in blocks(page))]
LANGUAGES = {
    *("sh", "python", "http", "given"),  # run
    *("json", "toml", "yaml", "ini", "nginx", "mermaid"),  # read by what they are for
    *("text", "{toctree}"),  # compared with what was printed, drawn, or built by the site's tests
}
ELSEWHERE = {
    *("qwicket", "jupyter", "git", "cd", "chmod", "make", "pip", "sudo", "export"),
    *(".", "dask", "certbot", "rsync", "umask", "pg_restore", "python3", "rm"),
    *("apptainer", "docker", "helm", "kubectl", "podman", "sbatch", "scancel", "scontrol"),
    "systemctl",
}
"""First words of lines that are for another machine, or that change this one."""


def of(language: str) -> list[Block]:
    return [block for block in ALL if block.language == language]


def test_every_block_has_a_language_that_is_checked() -> None:
    assert {block.language for block in ALL} <= LANGUAGES
    assert len(ALL) > 40


def test_no_code_is_outside_of_fences() -> None:
    assert not {page: found for page in PAGES if (found := indented(page))}


SETTING = re.compile(
    r"""environ\[["'](?P<env>\w+)["']\]\s*=(?!=)
    |\b(?:setenv|putenv|setdefault)\(["'](?P<set>\w+)
    |\benviron(?:\.update\(|\s*\|=\s*)(?P<many>)
    |\b(?:export|declare\s+-\w+|env)\s+(?P<sh>\w+)=
    |["'](?P<secret>qw_\w+)["']
    |^\s*(?P<name>\w*(?i:token|url|address|host|port|secret|password|api_?key)\w*|[A-Z][A-Z0-9_]*)\s*=
    |(?P<url>https?://[^\s"'`)]+)""",
    re.MULTILINE | re.VERBOSE,
)
"""What a program needs to reach a server: variables of the environment, addresses, secrets."""


def is_shown(setting: re.Match[str], shown: str) -> bool:
    """Tell whether the code that a reader sees sets the same."""
    if setting["many"] is not None:
        return False  # many names at once: write one a line, of which each can be found
    if text := setting["url"] or setting["secret"]:
        return text.rstrip("/") in shown
    name = re.escape(setting["env"] or setting["set"] or setting["sh"] or setting["name"])
    return bool(re.search(rf"""(?:^|[^\w]){name}["'\]]*\s*=(?!=)""", shown, re.MULTILINE))


WRITTEN = re.compile(r"(?<![\d&>])>\s*(?P<file>[\w./-]+)")
"""Files that a shell's block writes."""


def hidden_files(page: str) -> list[str]:
    """Return the files that only a hidden block writes and a visible one uses, without a word."""
    shown = "\n".join(block.text for block in blocks(page) if block.language != "given")
    prose = (ROOT / page).read_text("utf-8")
    return [
        f"{block}: {file}"
        for block in blocks(page)
        if block.language == "given"
        for file in WRITTEN.findall(block.text)
        if not file.startswith("/dev/")
        and re.search(rf"(?<!\w){re.escape(file)}(?!\w)", shown)
        and file not in WRITTEN.findall(shown)
        and f"`{file}`" not in prose
    ]


def hidden_settings(page: str) -> list[str]:
    shown = "\n".join(block.text for block in blocks(page) if block.language != "given")
    return [
        f"{block}: {setting[0].strip()}"
        for block in blocks(page)
        if block.language == "given"
        for setting in SETTING.finditer(block.text)
        if not is_shown(setting, shown)
    ]


def test_nothing_that_a_reader_needs_to_reach_a_server_is_hidden() -> None:
    assert not [hidden for page in PAGES for hidden in hidden_settings(page)]


def test_a_file_that_the_reader_needs_is_spoken_of() -> None:
    assert not [hidden for page in PAGES for hidden in hidden_files(page)]


@for_each(
    "hidden, shown, is_found",
    [
        ('os.environ["IONQ_API_URL"] = url', "provider = 1", True),
        ('os.environ["IONQ_API_URL"] = url', 'os.environ["IONQ_API_URL"] = "x"', False),
        ('os.environ["IONQ_API_URL"] = url', "export IONQ_API_URL=x", False),
        ("export A_SETTING=1", "echo $A_SETTING", True),
        ('token = os.environ["QWICKET_TOKEN"]', "client(token)", True),
        ('token = os.environ["QWICKET_TOKEN"]', "token = read()", False),
        ('c = connect("http://h:1/v1")', "c = 1", True),
        ('c = connect("http://h:1/v1")', 'at("http://h:1/v1")', False),
        ("true && export A_SETTING=1", "echo $A_SETTING", True),
        ("declare -x A_SETTING=1", "echo $A_SETTING", True),
        ("env A_SETTING=1 program", "program", True),
        ("env A_SETTING=1 program", "export A_SETTING=1", False),
        ('os.environ.setdefault("A_SETTING", "1")', "", True),
        ('os.putenv("A_SETTING", "1")', "", True),
        ("os.environ.update(A_SETTING=at)", 'os.environ["A_SETTING"] = at', True),
        ('os.environ |= {"A_SETTING": at}', "", True),
        ('provider = IonQProvider("qw_secret", at)', "provider = 1", True),
        ('provider = IonQProvider("qw_secret", at)', 'IonQProvider("qw_secret")', False),
        ("bell = 1\nqwicket user add ada || :\nif token == 1: pass", "", False),
    ],
)
def test_what_counts_as_hidden(hidden: str, shown: str, is_found: bool) -> None:
    found = [each for each in SETTING.finditer(hidden) if not is_shown(each, shown)]
    assert bool(found) is is_found


# --- what runs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for the pages alone: they register devices, which other tests would find."""
    live = LiveServer(tmp_path_factory.mktemp("pages"))
    yield live
    assert live.stop() == 0


@pytest.fixture
def server(
    request: pytest.FixtureRequest, page: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """The server of a page that starts none.

    A page that shows how accounts are made has one of its own: many of them make ada.
    """
    if not any(block.runs and "qwicket user add" in block.text for block in blocks(page)):
        yield request.getfixturevalue("shared")
        return
    live = LiveServer(tmp_path_factory.mktemp("page"))
    yield live
    assert live.stop() == 0


@pytest.fixture
def address(request: pytest.FixtureRequest, page: str) -> str:
    """Where the page's server listens: one of its own, if the page starts one."""
    if starts_a_server(page):
        return f"http://127.0.0.1:{held_port()}"
    server: LiveServer = request.getfixturevalue("server")
    return server.url


@pytest.fixture
def shell(
    request: pytest.FixtureRequest, page: str, address: str, tmp_path: Path
) -> Iterator[Shell]:
    env = {"QWICKET_DATA_DIR": str(tmp_path / "data"), "QWICKET_PORT": address.rpartition(":")[2]}
    env |= {"QWICKET_URL": address, "REPOSITORY": str(ROOT)}
    if not starts_a_server(page):
        server: LiveServer = request.getfixturevalue("server")
        server.token("reader")
        scopes = ("jobs:read", "jobs:write", "devices:read", "tokens:write")
        asked = [word for scope in scopes for word in ("--scope", scope)]
        env["QWICKET_TOKEN"] = server.admin("token", "create", "--user", "reader", *asked)
        env["QWICKET_DATA_DIR"] = str(server.folder / "data")
    running = Shell(tmp_path, env)
    try:
        yield running
    finally:
        running.close()


def starts_a_server(page: str) -> bool:
    return any(
        block.runs
        and block.language == "sh"
        and re.search(r"^qwicket serve", block.text, re.MULTILINE)
        for block in blocks(page)
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_works(page: str, shell: Shell, address: str) -> None:
    given, printed = "", ""
    all_blocks = [block._replace(text=moved(block.text, address)) for block in blocks(page)]
    outputs: list[str] = []
    for number, block in enumerate(all_blocks):
        text = block.text
        if block.language == "given":
            given += text
            continue
        if block.note.startswith("file: "):
            shell.write(block.note.removeprefix("file: "), text)
        elif block.language == "python":
            _, _, suite = block.note.partition("with: ")
            assert not suite or suite in suites(), block
            if not outputs:
                python = str(interpreter(suite)) if suite else "python"
                outputs = shell.python(python_run(all_blocks[number:], given), python)
            printed = outputs.pop(0)
            assert not false_claims(text, printed), f"{block} prints:\n{printed}"
        elif block.language == "sh" and block.runs:
            printed = shell.run(given + text)
            assert not false_claims(text, printed), f"{block} prints:\n{printed}"
            if text.rstrip().endswith("&"):
                until(lambda: is_ready(address), "the page's server is ready", timeout_s=60)
        elif block.language == "http":
            printed = answer(text, shell, address)
        elif block.language == "text" and not block.note:
            assert alike(text) == alike(printed), f"{block} shows what is not printed:\n{printed}"
        given = "" if block.language != "text" else given


def moved(text: str, address: str) -> str:
    """Return a block for a server with another address than the page's."""
    text = text.replace("127.0.0.1:8000", address.removeprefix("http://"))
    return text.replace("port=8000", f"port={address.rpartition(':')[2]}")


def python_run(following: list[Block], given: str) -> list[tuple[str, str]]:
    """Return the Python blocks that one process runs, each with the lines before it.

    They are the first block and those after it, up to one of another kind that does something.
    Were each run on its own, after all blocks before it, ten blocks would take 55 runs.
    """
    run = []
    for block in following:
        if block.language == "given":
            given += block.text
        elif (block.language, block.note) == ("python", following[0].note):
            run.append((given, printing(block.text)))
            given = ""
        elif block.language != "text" or block.note:
            break
    return run


CLAIM = re.compile(r"^(?P<code>.*\S)  +# (?P<claim>[{\[].*)$", re.MULTILINE)
"""A line with what it prints or returns in a comment."""


def printing(program: str) -> str:
    """Return a Python program that also prints the values that its comments claim."""
    return CLAIM.sub(lambda line: re.sub(r"(\S.*)", r"print(\1)", line["code"], count=1), program)


def false_claims(text: str, printed: str) -> list[str]:
    """Return the claims in comments that no output has.

    Numbers outside of quotes may differ, as may spaces; `…` stands for anything.
    """
    compact = "".join(printed.split())
    return [
        line["claim"]
        for line in CLAIM.finditer(text)
        if not re.search(_pattern("".join(line["claim"].split())), compact)
    ]


def _pattern(claim: str) -> str:
    parts = re.split(r"""("[^"]*"|'[^']*'|…|\d+(?:\.\d+)?)""", claim)
    known = {"…": ".*"}
    return "".join(
        known.get(part, r"\d+(?:\.\d+)?" if part[:1].isdigit() else re.escape(part))
        for part in parts
    )


def test_a_false_claim_of_a_comment_is_found() -> None:
    line = 'curl x  # {"counts": {"00": 493}, …}\n'
    assert false_claims(line, '{"counts":{"00":12},"seed":"1"}') == []
    assert false_claims(line, '{"id":"1","parts":[{"counts":{"00":12}}]}')
    assert false_claims(line, '{"counts":{"11":12},"seed":"1"}')
    assert printing("with x:\n    a.b(c)  # {'0': 1}\n") == "with x:\n    print(a.b(c))\n"


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def answer(text: str, shell: Shell, address: str) -> str:
    """Send a request as it is shown; return the body of the answer."""
    head, _, body = text.partition("\n\n")
    first, *rest = head.splitlines()
    method, path, _ = first.split()
    path = shell.run(f'printf "%s" "{path}"')  # the page's own variables are in it
    token = shell.run('printf "%s" "$QWICKET_TOKEN"')
    headers = dict(line.split(": ", 1) for line in rest) | {"Authorization": f"Bearer {token}"}
    content = body.strip().encode() or None
    response = httpx.request(method, address + path, content=content, headers=headers)
    assert response.is_success, f"{head}: {response.text}"
    return response.text


def test_what_is_for_elsewhere_is_shell_of_known_programs(subtests: pytest.Subtests) -> None:
    elsewhere = [block for block in ALL if block.note == "elsewhere"]
    assert elsewhere
    for block in elsewhere:
        with subtests.test(repr(block)):
            assert block.language == "sh"
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
            targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            for line in re.sub(r"\\\n", " ", block.text).splitlines():
                words = line.partition("#")[0].split()
                if not words:
                    continue
                assert words[0] in ELSEWHERE, line
                if words[0] == "qwicket":
                    assert_known(words[1:])
                if words[0] == "make":
                    assert words[1] in targets, line
                for extra in re.findall(r"qwicket\[(\w+)\]", line):
                    assert extra in extras["optional-dependencies"], line


# --- what is read by the program that it is for ---------------------------------------------------


@pytest.mark.parametrize("block", of("json"), ids=repr)
def test_json_is_json(block: Block) -> None:
    for line in [block.text] if block.text.lstrip().startswith("{\n") else block.text.splitlines():
        json.loads(line)


@pytest.mark.parametrize("block", of("toml"), ids=repr)
def test_toml_is_a_device_or_settings_that_are_taken(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.toml"
    path.write_text(block.text)
    if block.note.startswith("file: "):
        return  # the page's own commands read it
    document = tomllib.loads(block.text)
    if "mcp_servers" in document:
        return  # tests/contract/native/mcp_2_3 reads it
    if "family" in document:
        assert devices.load(path).name
        return
    if "profiles" in document:
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, profile in document["profiles"].items():
            secret = Path(profile["token_file"]).expanduser()
            secret.parent.mkdir()
            secret.touch(0o600)
            secret.write_text("secret")
            found = settings(config=path, environ={"QWICKET_PROFILE": name})
            assert (found.url, found.token) == (profile["url"], "secret")
        return
    arguments = ["--config", str(path), "device", "list", "--data-dir", str(tmp_path)]
    command_line.main(arguments, standalone_mode=False)


@pytest.mark.parametrize("block", of("yaml"), ids=repr)
def test_yaml_is_a_job_of_prometheus(block: Block) -> None:
    (job,) = yaml.safe_load(block.text)["scrape_configs"]
    assert job.keys() <= {"job_name", "authorization", "static_configs", "scheme"}


class Unit(configparser.ConfigParser):
    """A unit of systemd: names keep their capitals."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.mark.parametrize("block", of("ini"), ids=repr)
def test_a_unit_calls_commands_that_there_are(block: Block) -> None:
    unit = Unit(strict=False, interpolation=None)
    unit.read_string(block.text)
    assert {"Unit", "Service", "Install"} >= set(unit.sections())
    words = unit["Service"]["ExecStart"].split()
    assert words[0].endswith("/bin/qwicket")
    assert_known(words[1:])


@pytest.mark.parametrize("block", of("mermaid"), ids=repr)
def test_the_drawing_of_states_is_the_table(block: Block) -> None:
    assert block.text.strip() == mermaid().strip()


TREES = [block for block in of("text") if block.note.startswith("tree of: ")]


@pytest.mark.parametrize("block", TREES, ids=repr)
def test_a_tree_of_errors_is_that_of_the_module(block: Block) -> None:
    module = importlib.import_module(block.note.removeprefix("tree of: "))
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    for line in block.text.splitlines():
        if match := re.match(r"^([│ ]*[├└]── |)([A-Z]\w+)\b", line):
            depth = len(match[1]) // 4
            drawn[match[2]] = path[depth - 1] if depth else None
            path[depth:] = [match[2]]
    root = getattr(module, next(iter(drawn)))
    real = {
        name: next((base.__name__ for base in kind.__mro__[1:] if base.__name__ in drawn), None)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, root)
    }
    assert drawn == real


def test_every_text_is_an_output_or_says_what_it_is() -> None:
    for page in PAGES:
        before: Block | None = None
        for block in blocks(page):
            is_file = block.note.startswith("file: ")
            if block.language == "text" and not block.note:
                assert before is not None, block
                assert before.runs, block
            if block.language == "text" and block.note and not is_file:
                known = ("drawing", "tree of: ", "output of: make demo")
                assert block.note.startswith(known), block
            before = block


@pytest.mark.timeout(600)
def test_the_demo_prints_what_the_tutorial_shows() -> None:
    (block,) = [each for each in of("text") if each.note == "output of: make demo"]
    vendor = [str(interpreter("ionq/qiskit_ionq_1_1")), "-W", "ignore"]
    command = [sys.executable, "-m", "qwicket", "demo", "--", *vendor]
    done = subprocess.run(
        [*command, str(ROOT / "examples" / "bell_with_qiskit_ionq.py")],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    output, following = block.text.rsplit("\nNext", 1)
    assert f"Next{following.rstrip()}" in (ROOT / "Makefile").read_text(), "make prints it"
    shown, printed = (re.sub(r"in /\S+", "in DIR", text) for text in (output, done.stdout))
    assert alike(shown) == alike(printed)


def test_python_can_be_read(subtests: pytest.Subtests) -> None:
    found = of("python")
    assert found
    for block in found:
        with subtests.test(repr(block)):
            ast.parse(block.text)
