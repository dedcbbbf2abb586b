"""The page and the description of each dialect: there without a token, and true of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from abuse.dialects import docs_html
from qwicket import dialects
from qwicket.dialects import descriptions, mounts, offered
from qwicket.server.docs import HEADERS
from qwicket.vendors.qlued.dialect import description as qlued
from support.for_each import for_each
from support.server import LiveServer
from support.waiting import until

DESCRIPTIONS = descriptions(mounts(cast(Any, None)))
ERRORS = {each.name: each.error for each in offered()}
ADDRESSES = {
    "ionq": ["/ionq/v0.4", "/ionq/v0.3"],
    "ibm": ["/ibm/api"],
    "runtime": ["/ibm/runtime/classic"],
    "ibm-platform": ["/ibm/runtime/api/v1"],
    "qbraid": ["/qbraid/api/v1", "/qbraid/api"],
    "qlued": ["/qlued/api/v2", "/qlued/api/v3"],
    "xanadu": [],
    "iqm": ["/iqm/api/v1"],
    "braket": ["/braket"],
}
# The printed source of seed 002, qlued's own server, by method and path.
QLUED_SOURCE = {
    "list_backends": "GET /backends",
    "get_config": "GET /{backend_name}/get_config",
    "get_backend_status": "GET /{backend_name}/get_backend_status",
    "post_job": "POST /{backend_name}/post_job",
    "get_job_status": "GET /{backend_name}/get_job_status",
    "get_job_result": "GET /{backend_name}/get_job_result",
}
QLUED_SCHEMAS = {
    *("BackendConfigSchemaOut", "BackendStatusSchemaOut"),
    *("JobSchemaWithTokenIn", "ResultDict", "StatusMsgDict"),
}


@pytest.fixture(scope="module")
def web(server: LiveServer) -> Iterator[httpx.Client]:
    """A client that signs in nowhere."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_every_dialect_has_a_page_that_the_first_one_leads_to(web: httpx.Client) -> None:
    first = web.get("/docs").text
    for name, document in DESCRIPTIONS.items():
        assert f'href="docs/{name}"' in first
        page = web.get(f"/docs/{name}")
        text = docs_html(page)
        assert page.status_code == 200
        assert document["info"]["title"] in text
        for key, value in HEADERS.items():
            assert page.headers[key] == value
        for path in document["paths"]:
            assert path in text
        assert f'href="{name}/openapi.json"' in page.text


@for_each("name", DESCRIPTIONS)
def test_a_description_is_answered_without_a_token(
    web: httpx.Client, server: LiveServer, name: str
) -> None:
    found = web.get(f"/docs/{name}/openapi.json")
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    document = found.json()
    assert document["servers"] == [{"url": server.url}]
    assert document["paths"] == msgspec.to_builtins(DESCRIPTIONS[name]["paths"])
    for mount in ADDRESSES[name]:
        assert web.get(f"{mount}/openapi.json").json() == document


def test_qlueds_own_addresses_are_there(web: httpx.Client) -> None:
    page = web.get("/qlued/api/v2/docs")
    assert page.status_code == 200
    assert "post_job" in docs_html(page)
    for link in re.findall(r'(?:href|src)="([^"#]+)"', page.text):
        found = web.get(httpx.URL("/qlued/api/v2/docs").join(link), follow_redirects=True)
        assert found.status_code == 200, link
    description = web.get("/qlued/api/v2/openapi.json").json()
    assert description["components"]["schemas"].keys() >= QLUED_SCHEMAS
    paths = description["paths"]
    for operation, way in QLUED_SOURCE.items():
        method, path = way.split(" ")
        found = paths[f"/qlued/api/v2{path}"][method.lower()]
        assert (found["operationId"], found["tags"]) == (operation, ["Backend"])


@for_each("name", DESCRIPTIONS)
def test_every_successful_answer_has_a_schema(name: str) -> None:
    for path, methods in DESCRIPTIONS[name]["paths"].items():
        for method, operation in methods.items():
            success = next(each for code, each in operation["responses"].items() if code < "3")
            json = success.get("content", {}).get("application/json")
            is_upload = "/upload/" in path  # has no content
            assert is_upload or json is None or json["schema"], (method, path)


def test_every_endpoint_that_the_map_of_original_interfaces_names_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "seeds.md").read_text()
    named = re.findall(r"`(GET|POST) (/qlued/[^`]+)`", page)
    assert len(named) == len(QLUED_SOURCE)
    for method, path in named:
        assert method.lower() in DESCRIPTIONS["qlued"]["paths"][path]
    asked = re.findall(
        r"^\| `(?:(GET|POST) )?(/[^`]+)` \| `qwicket\.clients\.ibm_qx", page, re.MULTILINE
    )
    there = DESCRIPTIONS["ibm"]["paths"]
    for method, printed in asked:
        assert there[f"/ibm/api{printed}"].keys() >= ({method.lower()} if method else set())


def test_what_is_below_a_description_is_still_the_dialects(web: httpx.Client) -> None:
    found = web.get("/ionq/v0.4/openapi.json/x")
    assert (found.status_code, found.json()["error"]) == (404, "Not Found")
    found = web.get("/qlued/api/v2/docs/get_config")
    assert (found.status_code, found.json()["error_message"]) == (404, "Unknown back-end!")


READ = re.compile(
    r'(?:query_params|\basked|\bquery)(?:\.get\(|\[|, )"([\w.]+)"|"(\w+)" in (?:asked|query)\b'
)
"""How handlers read a query parameter."""
WITHIN = {
    "ibm": {"where", "limit", "fields", "order", "skip"},  # of `filter`, which is JSON
    "ibm-platform": {"provider"},  # of the classic channel, whose folder it shares
    "qlued": {"json", "password", "username"},  # of the body
}


@for_each("name", DESCRIPTIONS)
def test_every_query_parameter_that_is_read_is_described(name: str) -> None:
    folders = dict.fromkeys(("runtime", "ibm-platform"), "vendors/ibm/dialect/runtime")
    folders["ionq"] = "vendors/ionq/dialect"
    folder = Path(dialects.__file__).parents[1] / folders.get(name, f"vendors/{name}/dialect")
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    read = {one or other for one, other in READ.findall(source)}
    schemes = DESCRIPTIONS[name]["components"]["securitySchemes"].values()
    named = {each["name"] for each in schemes if each.get("in") == "query"}
    for methods in DESCRIPTIONS[name]["paths"].values():
        for operation in methods.values():
            named |= {each["name"] for each in operation["parameters"] if each["in"] == "query"}
    assert read - named - WITHIN.get(name, set()) == set()
    assert read or name == "qlued"


def test_no_name_is_used_twice_in_a_description() -> None:
    for document in DESCRIPTIONS.values():
        names = [each["operationId"] for of in document["paths"].values() for each in of.values()]
        assert len(names) == len(set(names))
        text = msgspec.json.encode(document).decode()
        for name in re.findall(r"#/components/schemas/(\w+)", text):
            assert name in document["components"]["schemas"]


@for_each("name", DESCRIPTIONS)
def test_every_operation_is_there_and_needs_a_token_where_that_is_said(
    web: httpx.Client, name: str
) -> None:
    for path, methods in DESCRIPTIONS[name]["paths"].items():
        for method, operation in methods.items():
            check_operation(web, name, method.upper(), path, operation)


def check_operation(
    web: httpx.Client, name: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    query = {each["name"]: "x" for each in operation["parameters"] if each.get("required")}
    query = {key: value for key, value in query.items() if f"{{{key}}}" not in path}
    body = {"job": "{}", "token": "wrong"} if name == "qlued" and method == "POST" else None
    device = {"backend_name": "rydberg"}
    there = re.sub(r"{(\w+)}", lambda found: device.get(found[1], "none"), path)
    answer = web.request(method, there, params=query, json=body)
    assert answer.status_code != 405, (method, path)
    is_public = operation.get("security") == []
    refused = 403 if name == "braket" else 401  # as AWS does
    assert (answer.status_code == refused) is not is_public, (method, path, answer.text)
    if path.startswith(("/s3", "/sts")):
        return  # their errors are XML
    if answer.status_code >= 400 and answer.status_code != 422 and answer.content:
        kind = ERRORS[name]
        if not (name == "xanadu" and is_public):  # OAuth has a shape of its own
            msgspec.json.decode(answer.content, type=kind)


def test_what_qlued_answers_is_what_its_description_says(
    web: httpx.Client, server: LiveServer
) -> None:
    token = server.token("qlued")
    at = "/qlued/api/v2"
    decode = msgspec.json.decode
    devices = decode(web.get(f"{at}/backends").content, type=list[qlued.BackendConfigSchemaOut])
    assert devices
    for path, kind in (
        ("/rydberg/get_config", qlued.BackendConfigSchemaOut),
        ("/rydberg/get_backend_status", qlued.BackendStatusSchemaOut),
    ):
        decode(web.get(at + path).content, type=kind)
    program = (
        '{"experiment_0": {"instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],'
        ' "num_wires": 1, "shots": 3}}'
    )
    sent = web.post(f"{at}/rydberg/post_job", json={"job": program, "token": token})
    posted = decode(sent.content, type=qlued.StatusMsgDict)
    asked = {"job_id": posted.job_id, "token": token}

    def status() -> str:
        found = web.get(f"{at}/rydberg/get_job_status", params=asked).content
        return decode(found, type=qlued.StatusMsgDict).status

    until(lambda: status() == "DONE", "it is done")
    result = web.get(f"{at}/rydberg/get_job_result", params=asked)
    assert decode(result.content, type=qlued.ResultDict).status == "DONE"
