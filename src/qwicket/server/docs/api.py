"""An OpenAPI document as one page: every operation, every schema, no script."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from qwicket.schema.jobs import SLURM_NAME
from qwicket.server.docs.html import ADDRESS, Html, join, page, prose, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_JSON: Final = "application/json"
_ANY_TEXT: Final = r"^[^\u0000]*$"
"""Pattern of any text without NUL, which is not worth showing."""
_LIST_OF_WORDS: Final = re.compile(r"\^\((?P<words>[a-z|]+)\)\(,\((?P=words)\)\)\*\$")
_PATTERNS: Final[Mapping[str, str]] = {
    "^[a-z0-9]{8,32}$": "8 to 32 characters, each a to z or 0 to 9",
    "^[0-9a-f]{64}$": "64 hexadecimal digits in lower case",
    "^[a-z][a-z0-9_]{0,63}$": "1 to 64 characters: a letter, then a to z, 0 to 9 or _",
    f"^{SLURM_NAME}$": "1 to 64 letters, digits, or any of . _ + @ - after the first",
}
_REF: Final = "#/components/schemas/"
_TAGS: Final[Mapping[str, str]] = {
    "jobs": "Jobs",
    "devices": "Devices",
    "groups": "Groups",
    "account": "Account",
    "tokens": "Tokens",
    "agents": "Labs' agents",
    "webhooks": "Webhooks",
    "admin": "Administration",
    "description": "This description",
}
"""Headings, in their order; a tag that is not here comes last under its own name."""

_WORDS: Final[Mapping[str, str]] = {
    "array": "list",
    "boolean": "true or false",
    "integer": "integer",
    "null": "null",
    "number": "number",
    "object": "object",
    "string": "text",
}
_NO_DIALECTS: Final[Mapping[str, str]] = {}
_OTHERS: Final = "Vendors' clients find the APIs of their clouds on this server, too:"
_LARGEST: Final = (1 << 63) - 1
_EXAMPLE: Final = """\
curl -H "Authorization: Bearer $QWICKET_TOKEN" {url}/v1/jobs -d '{{
  "device": "simulator", "shots": 1000,
  "program": {{"gateset": "qis", "qubits": 2, "circuit": [
    {{"gate": "h", "target": 0}}, {{"gate": "cnot", "control": 0, "target": 1}}]}}
}}'"""
_LEAD: Final = (
    "JSON over HTTP. A token goes into `Authorization: Bearer …`. Times are ISO 8601 in UTC. Every"
    " refusal is a problem document whose `type` leads to a page here."
)


def render(
    document: Mapping[str, Any], *, docs_path: str, dialects: Mapping[str, str] = _NO_DIALECTS
) -> bytes:
    """Return the page of the native API.

    Args:
        document: OpenAPI 3.1, as this server makes it.
        docs_path: Relative path from the page to `/docs/`.
        dialects: Titles of the other dialects, by the names of their pages.
    """
    codes = tag("a", "All codes.", href=f"{docs_path}errors")
    pages = (
        tag("li", tag("a", title, href=f"{docs_path}{name}")) for name, title in dialects.items()
    )
    others = [tag("p", _OTHERS), tag("ul", *pages, class_="apis")] if dialects else []
    example = tag("pre", tag("code", _EXAMPLE.format(url=ADDRESS)))
    lead = join([prose(_LEAD), " ", codes])
    return _page(document, "API", lead, *others, example, docs_path=docs_path)


def render_dialect(name: str, document: Mapping[str, Any], *, docs_path: str) -> bytes:
    """Return the page of a vendor's dialect.

    Args:
        name: Name of its page.
        document: OpenAPI 3.1, as this server makes it.
        docs_path: Relative path from the page to `/docs/`.
    """
    info = document["info"]
    link = tag("a", "As OpenAPI.", href=f"{docs_path}{name}/openapi.json")
    lead = join([prose(info["description"]), " ", link])
    return _page(document, info["title"], lead, docs_path=docs_path, above=[("API", "")])


def _page(
    document: Mapping[str, Any],
    title: str,
    lead: Html,
    *before: Html,
    docs_path: str,
    above: Iterable[tuple[str, str]] = (),
) -> bytes:
    groups = _grouped(document)
    content = tag(
        "div",
        *before,
        *(_group(name, operations) for name, operations in groups.items()),
        tag("h2", "Schemas", id="schemas"),
        *map(_schema, *zip(*document["components"]["schemas"].items(), strict=True)),
    )
    columns = tag("div", _contents(groups), content, class_="aside")
    return page(title, lead, columns, section="api", docs_path=docs_path, above=above)


def _grouped(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Any]]]:
    """Return method, path and operation, by tag."""
    groups: dict[str, list[tuple[str, str, Any]]] = {name: [] for name in _TAGS}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            (name,) = operation["tags"]
            groups.setdefault(name, []).append((method.upper(), path, operation))
    return {name: operations for name, operations in groups.items() if operations}


def _contents(groups: Mapping[str, list[tuple[str, str, Any]]]) -> Html:
    lines = []
    for name, operations in groups.items():
        links = (
            tag("li", tag("a", _method(method), _path(path), href=f"#{_anchor(method, path)}"))
            for method, path, _ in operations
        )
        lines.append(tag("li", tag("a", _TAGS.get(name, name), href=f"#{name}"), tag("ul", *links)))
    lines.append(tag("li", tag("a", "Schemas", href="#schemas")))
    return tag("nav", tag("ul", *lines), class_="card side contents", aria_label="Contents")


def _group(name: str, operations: Iterable[tuple[str, str, Any]]) -> Html:
    heading = tag("h2", _TAGS.get(name, name), id=name)
    return join([heading, *(_operation(*each) for each in operations)])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Html:
    parts = [
        tag("h3", tag("a", _method(method), _path(path), href=f"#{_anchor(method, path)}")),
        tag("p", prose(operation["summary"]), " ", prose(operation.get("description", ""))),
    ]
    if operation.get("security") == []:
        parts.append(tag("p", "Needs no token.", class_="small"))
    if operation["parameters"]:
        parts += [tag("h4", "Parameters"), _fields(map(_parameter, operation["parameters"]))]
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"][_JSON]["schema"]
        parts += [tag("h4", "Body"), tag("p", _kind(schema))]
    responses = (_response(status, each) for status, each in sorted(operation["responses"].items()))
    parts += [tag("h4", "Responses"), _fields(responses)]
    return tag("section", *parts, class_="card entry", id=_anchor(method, path))


def _parameter(parameter: Mapping[str, Any]) -> tuple[Html, Html]:
    where = {"header": "header", "path": "in the path", "query": "query"}[parameter["in"]]
    name = tag("code", parameter["name"])
    return join(
        [name, " ", tag("span", where, ", ", _kind(parameter["schema"]), class_="kind")]
    ), prose(parameter["description"])


def _response(status: str, response: Mapping[str, Any]) -> tuple[Html, Html]:
    kinds = [
        _kind(content["schema"]) if "schema" in content else tag("code", media)
        for media, content in response.get("content", {}).items()
    ]
    name = tag("code", "otherwise" if status == "default" else status)
    kind = tag("span", join(kinds, " or "), class_="kind")
    return join([name, " ", kind]), prose(response["description"])


def _schema(name: str, schema: Mapping[str, Any]) -> Html:
    parts = [
        tag("h3", tag("a", tag("code", name), href=f"#{name}")),
        tag("p", prose(schema.get("description", ""))),
    ]
    if "properties" in schema:
        required = schema.get("required", ())
        fields = (
            _property(field, of, is_required=field in required)
            for field, of in schema["properties"].items()
        )
        parts.append(_fields(fields))
    else:
        parts.append(tag("p", _kind(schema)))
    return tag("section", *parts, class_="card entry", id=name)


def _property(name: str, schema: Mapping[str, Any], *, is_required: bool) -> tuple[Html, Html]:
    words = [tag("code", name), " ", tag("span", _kind(schema), class_="kind")]
    if not is_required:
        default = schema.get("default")
        is_shown = default is not None and default not in ("", [], {})
        more = f", default {json.dumps(default)}" if is_shown else ", optional"
        words.append(tag("span", more, class_="kind"))
    return join(words), prose(schema.get("description", ""))


def _fields(fields: Iterable[tuple[Html, Html]]) -> Html:
    pairs = (tag("div", tag("dt", name), tag("dd", description)) for name, description in fields)
    return tag("dl", *pairs, class_="fields")


def _kind(schema: Mapping[str, Any]) -> Html:
    """Return a description of a type."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return tag("a", name, href=f"#{name}")
    if "anyOf" in schema:
        return join(map(_kind, schema["anyOf"]), " or ")
    if "enum" in schema:
        return join((tag("code", json.dumps(each)) for each in schema["enum"]), " ")
    if "prefixItems" in schema:
        return join(["[", join(map(_kind, schema["prefixItems"]), ", "), "]"])
    word = _WORDS[schema["type"]] if "type" in schema else "anything"
    if schema.get("format") == "date-time":
        word = "time"
    if schema.get("items"):
        return join([word, " of ", _kind(schema["items"]), _bounds(schema, "Items", " items")])
    if isinstance(schema.get("additionalProperties"), dict):
        return join([word, " of ", _kind(schema["additionalProperties"])])
    if schema.get("pattern", _ANY_TEXT) != _ANY_TEXT:
        return join([word, " ", _pattern(schema["pattern"])])
    return join([word, _bounds(schema, "imum", ""), _bounds(schema, "Length", " characters")])


def _pattern(pattern: str) -> Html:
    """Return a description of a pattern."""
    words = _LIST_OF_WORDS.fullmatch(pattern)
    if words:
        one_of = join((tag("code", each) for each in words["words"].split("|")), " ")
        return join(["with one or more of ", one_of, ", separated by commas"])
    return join(["of ", _PATTERNS[pattern.replace(r"\Z", "$")]])


def _bounds(schema: Mapping[str, Any], of: str, unit: str) -> str:
    """Return the bounds in `min…` and `max…` as text: ` 1…10 items`."""
    minimum, maximum = schema.get(f"min{of}"), schema.get(f"max{of}")
    above = schema.get("exclusiveMinimum") if of == "imum" else None
    if above is not None:
        return f" above {above:g}"
    if maximum == _LARGEST:  # the largest integer that databases keep says nothing to people
        maximum = None
    if minimum is None and maximum is None:
        return ""
    if maximum is None:
        return f" from {minimum:,.12g}{unit}"
    if minimum is None:
        return f" up to {maximum:,.12g}{unit}"
    return f" {minimum:,.12g} to {maximum:,.12g}{unit}"


def _method(method: str) -> Html:
    return tag("span", method, class_=f"method {method.lower()}")


def _path(path: str) -> Html:
    """Return a path that may be broken after a slash."""
    pieces = path.replace("/", "\0/").split("\0")
    return tag("span", join(pieces, Html("<wbr>")), class_="path")


def _anchor(method: str, path: str) -> str:
    return f"{method.lower()}{path.replace('{', '').replace('}', '').replace('/', '-')}"
