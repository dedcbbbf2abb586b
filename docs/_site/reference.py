"""Generate the reference from the code, so that it cannot differ from what runs."""

from __future__ import annotations

import ast
import inspect
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from qwicket import devices, programs
from qwicket.cli import main as command_line
from qwicket.dialects import mounts, native, shown_by
from qwicket.dialects.routing import Access, Open, Route
from qwicket.model.accounts import DEFAULT_SCOPES, Scope
from qwicket.model.limits import SHARED, Limits
from qwicket.model.states import FINAL, STEPS
from qwicket.registrations import of_features, vendors
from qwicket.server import docs, probes
from qwicket.server.docs.errors import table
from qwicket.server.settings import own_limits

METRICS = tomllib.loads((Path(__file__).parent / "metrics.toml").read_text("utf-8"))
"""Kind, labels and meaning of each metric, by name."""


def pages() -> dict[str, str]:
    """Return every page of the reference, by its name."""
    makers: dict[str, Callable[[], Iterable[str]]] = {
        "settings": settings,
        "cli": commands,
        "api": api,
        "scopes": scopes,
        "errors": errors,
        "limits": limits,
        "metrics": metrics,
        "devices": device_pages,
        "formats": formats,
    }
    return {name: "\n".join(make()) + "\n" for name, make in makers.items()}


# --- the command line -----------------------------------------------------------------------------


def every_command(
    command: click.Command = command_line, names: tuple[str, ...] = ("qwicket",)
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    yield " ".join(names), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from every_command(child, (*names, name))


def options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def commands() -> Iterator[str]:
    yield "# Command line\n"
    yield "`qwicket COMMAND --help` has the same text; this page is generated from it.\n"
    yield "[The guide](../cli.md) has the exit statuses and the output for scripts.\n"
    for name, command in every_command():
        depth = "##" if name.count(" ") < 2 else "###"
        context = click.Context(command, info_name=name)
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield f"{depth} {name}\n"
        yield f"```text\n{usage}\n```\n"
        yield _paragraphs(command.help or command.short_help or "")
        for option in options(command):
            more = f" Also `{option.envvar}`." if option.envvar else ""
            yield f"{_flags(option)}\n: {_line(_said(option, context))}{more}\n"


def settings() -> Iterator[str]:
    yield "# Settings\n"
    yield "A setting is an option of a command, an environment variable and, where a key is given,"
    yield "a key of `qwicket.toml`. An option overrides the environment, and the environment"
    yield "overrides the file. The file is `qwicket.toml` in the working folder, or the one of"
    yield "`qwicket --config FILE`. Its table `[limits]` has the limits ([list](limits.md)).\n"
    found: dict[str, tuple[click.Option, list[str]]] = {}
    for name, command in every_command():
        for option in options(command):
            if option.envvar:
                key = str(option.envvar)
                found.setdefault(key, (option, []))[1].append(name.removeprefix("qwicket "))
    for variable, (option, names) in found.items():
        context = click.Context(click.Command("qwicket"))
        is_key = option.name is not None and not option.multiple and option.expose_value
        ways = [_flags(option), f"`{variable}`"]
        if is_key:
            ways.append(f"key `{option.opts[0].removeprefix('--')}`")
        yield f"{' · '.join(ways)}\n: {_line(_said(option, context))} {_users(names)}\n"


def _users(names: list[str]) -> str:
    """Return in words which commands a setting is of."""
    if names == ["qwicket"]:
        return "Of all commands."
    first = ", ".join(f"`{name}`" for name in names[:3])
    rest = len(names) - 3
    return f"Of {first}{f' and {rest} more' if rest > 0 else ''}."


def _flags(option: click.Option) -> str:
    metavar = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice) and not option.is_flag and not option.metavar:
        metavar = f" {'|'.join(map(str, option.type.choices))}"
    return f"`{', '.join([*option.opts, *option.secondary_opts])}{metavar}`"


def _said(option: click.Option, context: click.Context) -> str:
    said = option.help or ""
    shown = option.get_help_extra(context).get("default")
    return said + (f" Default: `{str(shown).strip('()')}`." if shown else "")


# --- the API --------------------------------------------------------------------------------------


def api() -> Iterator[str]:
    document = msgspec.to_builtins(native.description())
    yield "# The API\n"
    yield "A server has this page at `/docs`, and as OpenAPI 3.1 at `/v1/openapi.json`."
    yield "[The guide](../api.md) explains it by topic.\n"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"## {method.upper()} {path}\n"
            yield f"{operation['summary']} {operation.get('description', '')}\n"
            if operation["parameters"]:
                yield "| parameter | in | |\n|---|---|---|"
                for each in operation["parameters"]:
                    yield f"| `{each['name']}` | {each['in']} | {_cell(each['description'])} |"
                yield ""
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                yield f"Body: {_kind(schema)}\n"
            for status, answer in sorted(operation["responses"].items()):
                if status != "default":
                    yield f"Answers {status}{_content(answer.get('content', {}))}.\n"
    yield "## Schemas\n"
    for name, schema in document["components"]["schemas"].items():
        yield f"### {name}\n"
        yield f"{schema['description']}\n"
        if "enum" in schema:
            yield ", ".join(f"`{each}`" for each in schema["enum"]) + "\n"
        if "properties" in schema:
            yield "| field | type | |\n|---|---|---|"
            required = schema.get("required", ())
            for field, of in schema["properties"].items():
                optional = "" if field in required else ", optional"
                yield f"| `{field}` | {_kind(of)}{optional} | {_cell(of['description'])} |"
            yield ""


def _content(content: dict[str, Any]) -> str:
    kinds = [_kind(of["schema"]) if "schema" in of else f"`{t}`" for t, of in content.items()]
    return f" with {' or '.join(kinds)}" if kinds else ""


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("items"):
        return f"array of {_kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def scopes() -> Iterator[str]:
    yield "# Scopes\n"
    yield "The rights of a token. Without `--scope` a token gets "
    yield ", ".join(f"`{each}`" for each in DEFAULT_SCOPES) + ".\n"
    yield "| scope | | routes |\n|---|---|---|"
    said = attribute_texts(Scope)
    for scope in Scope:
        yield f"| `{scope}` | {_cell(said[scope.name])} | {'<br>'.join(with_access(scope))} |"
    yield "\n## Routes without a token\n"
    yield "Each declares why it is open. All others need a token.\n"
    yield "| why | routes |\n|---|---|"
    opened: dict[str, list[str]] = {}
    for prefix, route in declared():
        if isinstance(route.access, Open):
            shown = f"`{route.method} {prefix}{route.path}`"
            opened.setdefault(route.access.reason, []).append(shown)
    yield from (f"| {reason} | {'<br>'.join(routes)} |" for reason, routes in opened.items())


def declared() -> Iterator[tuple[str, Route]]:
    """Yield every route that is shown, with the address of its dialect (the first of several)."""
    seen = set()
    for prefix, dialect in mounts(cast(Any, None)).items():
        if dialect not in seen:
            seen.add(dialect)
            yield from ((prefix, route) for route in dialect.routes if route.is_listed)
    yield from (("", route) for route in (*docs.ROUTES, *probes.ROUTES))
    for made in of_features("mounts"):
        for prefix, dialect in made(None).items():
            yield from ((prefix, route) for route in dialect.routes)


def with_access(access: Access) -> list[str]:
    """Return the routes that declare this access."""
    return [
        f"`{route.method} {prefix}{route.path}`"
        for prefix, route in declared()
        if route.access == access or (isinstance(route.access, tuple) and access in route.access)
    ]


def scope_meanings() -> list[str]:
    """Return the rows of the table of scopes in docs/security/secrets.md."""
    said = attribute_texts(Scope)
    return [f"| `{scope}` | {_cell(said[scope.name])} |" for scope in Scope]


# --- tables of the model --------------------------------------------------------------------------


def errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "A server has a page for each, at `/docs/errors/<code>`.\n"
    for code in table().values():
        yield f"## {code.name}\n"
        for of in (code.refusal, code.failure):
            if of is None:
                continue
            status = (
                HTTPStatus(code.refusal.status) if of is code.refusal and code.refusal else None
            )
            kind = f"{status.value} {status.phrase}" if status else "The end of a job"
            yield f"{kind}\n: {of.title}\n"
            yield f"Cause\n: {of.cause}\n"
            yield f"Remedy\n: {of.remedy}\n"


def limits() -> Iterator[str]:
    yield "# Limits\n"
    yield f"{_paragraphs(Limits.__doc__ or '')}"
    yield "Each can be set with `--limit NAME=VALUE`, `QWICKET_LIMIT` or in `[limits]` of"
    yield "`qwicket.toml`, and each error names its limit.\n"
    for group in (*SHARED.values(), *own_limits()):
        said = attribute_texts(group)
        for field in msgspec.structs.fields(group):
            shown = "as this machine has" if field.default is None else f"{field.default:,.12g}"
            yield f"`{field.name}` · {shown}\n: {_line(said[field.name])}\n"


def metrics() -> Iterator[str]:
    yield "# Metrics\n"
    yield "What `/metrics` shows. [Operations](../operations.md#metrics) explains the labels.\n"
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for name, metric in METRICS.items():
        labels = _words(metric["labels"])
        yield f"| `{name}` | {metric['kind']} | {labels} | {_cell(metric['meaning'])} |"


def device_pages() -> Iterator[str]:
    yield "# Built-in devices\n"
    yield "[Devices](../devices.md) explains twins, and how to write a device. A server offers"
    yield "fewer qubits if its machine has less memory.\n"
    yield "A dialect shows the devices that take one of these formats, unless a device's file names"
    yield "other dialects. The native dialect shows all devices.\n"
    yield "| dialect | family | formats |\n|---|---|---|"
    for each in [dialect for vendor in vendors() for dialect in vendor.dialects]:
        for family, known in each.shows.items():
            yield f"| `{each.name}` | {family} | {_words(known)} |"
    yield ""
    off_reasons, calibrated = devices.off_reasons(), devices.calibrations()
    for device in devices.built_in(shown_by):
        spec = device.spec
        yield f"## {device.name}\n"
        yield f"{spec.description}\n"
        yield "| | |\n|---|---|"
        yield f"| family | {device.family} |"
        yield f"| dialects | {' '.join(device.dialects)} |"
        yield f"| {_wires(device.family)} | {spec.qubits:,} |"
        yield f"| formats | {_words(spec.formats)} |"
        if spec.native_gates:
            yield f"| native gates | {_words(spec.native_gates)} |"
        yield f"| outputs | {_words(spec.outputs)} |"
        yield f"| most shots | {spec.max_shots:,} |"
        if spec.noise_models:
            yield f"| noise models | {_words(spec.noise_models)} |"
        if spec.engines:
            yield f"| engines | {_words(spec.engines)} |"
        if device.name in calibrated:
            yield "| noise | follows from its calibration |"
        if device.name in off_reasons:
            yield f"| off | {_cell(off_reasons[device.name])} |"
        yield ""


def _wires(family: str) -> str:
    return {"qubit": "qubits", "photonic": "modes", "atoms": "wires"}[family]


def formats() -> Iterator[str]:
    yield "# Formats\n"
    yield "The formats of programs. [Formats](../formats.md) has the details.\n"
    yield "| format | | devices |\n|---|---|---|"
    for name, known in programs.FORMATS.items():
        found = [each.name for each in devices.built_in() if name in each.spec.formats]
        yield f"| `{name}` | {_cell(known.description)} | {_words(found)} |"


def states() -> str:
    """Return the steps of a job's life as a table: on the site in place of the drawing."""
    lines = ["| from | to | step | why |", "|---|---|---|---|"]
    for step in STEPS:
        before = ", ".join(f"`{state}`" for state in step.before)
        lines.append(f"| {before} | `{step.after}` | {step.verb} | {step.reason} |")
    ends = ", ".join(f"`{state}`" for state in sorted(FINAL))
    return "\n".join([*lines, "", f"Ends are {ends}."])


# --- words ----------------------------------------------------------------------------------------


def attribute_texts(of: type) -> dict[str, str]:
    """Return the docstrings of a class's attributes, by the attributes' names."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    name = None
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = " ".join(str(node.value.value).split())
            name = None
        else:
            name = None
    return found


def _words(words: Iterable[str]) -> str:
    return " ".join(f"`{each}`" for each in words)


def _line(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _paragraphs(text: str) -> str:
    return _escaped(inspect.cleandoc(text).replace("\b\n", "")) + "\n"


def _escaped(text: str) -> str:
    """Return a text that Markdown leaves as it is; within `backticks` it does so anyway."""
    pieces = text.split("`")
    pieces[::2] = [each.replace("<", "&lt;").replace("*", "\\*") for each in pieces[::2]]
    return "`".join(pieces)
