"""The site that `make docs` builds: strictly, from here alone, and with everything in it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from html import unescape
from itertools import product
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from qwicket import devices, programs
from qwicket.dialects import native
from qwicket.dialects.routing import Open
from qwicket.model.accounts import Scope
from qwicket.model.limits import SHARED
from qwicket.model.states import STEPS
from qwicket.server.docs.errors import table
from qwicket.server.settings import Settings, own_limits
from support.browser import Page, browser
from support.snippets import ROOT

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]
BUILDER = ROOT / "docs" / "_site"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", BUILDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = load("reference")
TERMINAL = load("terminal")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all processes that run these tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            build(folder)
    return folder


def build(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BUILDER / "build.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def said(site: Path, page: str) -> str:
    """Return the text of a page, as people see it."""
    text = (site / f"{page}.html").read_text("utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    return flat(unescape(re.sub(r"<[^>]+>", "", article)))


def flat(text: str) -> str:
    """Return a text without what typography changes."""
    text = text.replace("`", "").translate({0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"'})
    return " ".join(text.replace("–", "--").replace("…", "...").split())


# --- what is in it --------------------------------------------------------------------------------


def test_every_command_and_option_is_documented(site: Path) -> None:
    text = said(site, "reference/cli")
    for name, command in REFERENCE.every_command():
        assert name in text
        assert command.help or command.short_help, name
        for option in REFERENCE.options(command):
            if option.name in ("help", "version"):
                continue
            assert option.help, f"{name} {option.opts} says nothing of itself"
            assert flat(option.help) in text
            assert all(flat(flag) in text for flag in option.opts)


def test_every_setting_is_documented(site: Path) -> None:
    text = said(site, "reference/settings")
    found = {
        option.envvar
        for _, command in REFERENCE.every_command()
        for option in REFERENCE.options(command)
        if option.envvar
    }
    for field in Settings.__struct_fields__:
        variable = f"QWICKET_{field.upper()}".replace("LIMITS", "LIMIT")
        assert variable in found, f"{field} cannot be set from the environment"
    for variable in found:
        assert variable in text


def test_every_limit_is_documented_with_its_default(site: Path) -> None:
    text = said(site, "reference/limits")
    for group in (*SHARED.values(), *own_limits()):
        told = REFERENCE.attribute_texts(group)
        for field in msgspec.structs.fields(group):
            assert told.get(field.name, "").endswith("."), f"{field.name} says nothing of itself"
            assert flat(told[field.name]) in text
            if field.default is not None:
                assert f"{field.name} · {field.default:,.12g}" in text


def test_every_scope_is_documented_with_its_routes(site: Path) -> None:
    text = said(site, "reference/scopes")
    told = REFERENCE.attribute_texts(Scope)
    for scope in Scope:
        assert flat(told.get(scope.name, "missing")) in text
    for prefix, route in REFERENCE.declared():
        if isinstance(route.access, Scope | Open):
            assert f"{route.method} {prefix}{route.path}" in text


def test_every_route_and_field_is_documented(site: Path) -> None:
    text, document = said(site, "reference/api"), native.description()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in text
            assert flat(operation["summary"]) in text
            for parameter in operation["parameters"]:
                assert flat(parameter["description"]) in text
    for name, schema in document["components"]["schemas"].items():
        assert name in text
        for field, of in schema.get("properties", {}).items():
            assert field in text
            assert flat(of["description"]) in text


def test_every_code_is_documented(site: Path) -> None:
    text = said(site, "reference/errors")
    for code in table().values():
        assert code.name in text
        for of in (code.refusal, code.failure):
            for word in (of.title, of.cause, of.remedy) if of is not None else ():
                assert flat(word) in text


def test_every_device_and_format_is_documented(site: Path) -> None:
    text = said(site, "reference/devices")
    for device in devices.built_in():
        assert f"{device.name}¶ {flat(device.spec.description)}"[:40] in text.replace("#", "¶")
    text = said(site, "reference/formats")
    for name, known in programs.FORMATS.items():
        assert name in text
        assert flat(known.description) in text


def test_every_step_of_a_jobs_life_is_on_the_page_of_states(site: Path) -> None:
    text = said(site, "states")
    for step in STEPS:
        assert f"{step.after} {step.verb} {flat(step.reason)}" in text


def test_every_page_of_the_repository_is_on_the_site(site: Path) -> None:
    builder = {each.relative_to(ROOT / "docs").as_posix() for each in (ROOT / "docs").rglob("*.md")}
    pages = {name for name in builder if not name.startswith("_site")}
    missing = [name for name in pages if not (site / name.replace(".md", ".html")).exists()]
    assert not missing


# --- where it leads -------------------------------------------------------------------------------


def test_nothing_is_loaded_from_outside_or_leads_there(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text("utf-8")
        for attribute in re.findall(r"\b(?:src|href|action)=\"([^\"]*)\"", text):
            assert not re.match(r"(?:[a-z]+:)?//", attribute), f"{page.name}: {attribute}"
    for sheet in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]*)", sheet.read_text())
        assert not found, sheet


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as opened,
    ):
        yield opened


@pytest.mark.parametrize(
    "name", ["index", "tutorial", "reference/settings", "reference/api", "devices", "readme"]
)
def test_a_page_fits_every_screen(site: Path, page: Page, name: str) -> None:
    page.open((site / f"{name}.html").as_uri(), width=360)
    for width, scheme in product((360, 1440), ("light", "dark")):
        page.set_screen(width, scheme)
        assert page.run("document.scrollingElement.scrollWidth") <= width
        red, green, blue = page.run(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
        )
        assert (min(red, green, blue) > 200) == (scheme == "light")
    assert not page.complaints
    assert {each for each in page.asked if not each.startswith(("file:", "data:"))} == set()


def test_search_finds_a_word_of_the_reference(site: Path, page: Page) -> None:
    page.open((site / "search.html").as_uri() + "?q=idempotency_key_reused", width=1440)
    page.wait_for("document.querySelectorAll('#search-results li a').length > 0")
    found = page.run(
        "[...document.querySelectorAll('#search-results li a')].map(a => a.href).join(' ')"
    )
    assert "reference/errors.html" in found


def test_a_page_says_its_version_and_the_file_to_edit(site: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for page, file in [("agents", "docs/agents.md"), ("readme", "README.md")]:
        text = (site / f"{page}.html").read_text("utf-8")
        assert f"Version {version}." in text
        assert f"<code>{file}</code>" in text
        assert (ROOT / file).is_file()
    assert "written from the code" in (site / "reference" / "limits.html").read_text("utf-8")


def test_the_picture_of_the_terminal_shows_what_the_demo_prints() -> None:
    """Another test runs the demo and compares its output with the tutorial's text."""
    command = "write it with: python docs/_site/terminal.py > docs/demo.svg"
    assert (ROOT / "docs" / "demo.svg").read_text("utf-8") == TERMINAL.svg(TERMINAL.output()), (
        command
    )


def test_the_page_of_secrets_has_every_scope() -> None:
    text = (ROOT / "docs" / "security" / "secrets.md").read_text()
    rows = text.partition("## Scopes\n")[2].partition("|---|---|\n")[2].splitlines()
    assert rows == REFERENCE.scope_meanings()
