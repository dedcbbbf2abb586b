"""Every dialect returns every kind of error in its own shape, and redirects no request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, cast

import httpx
import pytest
from starlette.types import ASGIApp

from abuse.dialects import (
    DIALECTS,
    WAYS,
    Dialect,
    Way,
    braket_json,
    docs_files,
    docs_html,
    ibm_json,
    ionq_json,
    iqm_json,
    platform_json,
    problem_json,
    qbraid_json,
    qlued_json,
    routes,
    s3_xml,
    sts_xml,
    xanadu_json,
)
from qwicket.dialects import mounts, offered
from qwicket.dialects.native import wire as native
from qwicket.model import errors
from qwicket.model.limits import Limits
from qwicket.server.docs import docs
from qwicket.server.probes import probes
from qwicket.server.router import Router
from qwicket.vendors.braket.dialect import errors as braket
from qwicket.vendors.ibm.dialect import wire as ibm
from qwicket.vendors.ibm.dialect.runtime import wire as runtime
from qwicket.vendors.ibm.dialect.runtime.platform import wire as platform
from qwicket.vendors.ionq.dialect import wire as ionq
from qwicket.vendors.iqm.dialect import wire as iqm
from qwicket.vendors.qbraid.dialect import wire as qbraid
from qwicket.vendors.qlued.dialect import wire as qlued
from qwicket.vendors.xanadu.dialect import wire as xanadu
from support.for_each import for_each
from support.pairwise import pairs
from support.server import LiveServer

pytestmark = pytest.mark.extended

Said = Callable[[httpx.Response], str]

SHAPES: dict[str, Said] = {
    "/v1": problem_json,
    "/v1/admin": problem_json,
    "/ionq/v0.3": ionq_json,
    "/ionq/v0.4": ionq_json,
    "/v0.4": ionq_json,
    "/ionq": ionq_json,
    "/ibm/api": ibm_json,
    "/ibm/runtime/classic": ibm_json,
    "/ibm/runtime": platform_json,
    "/ibm/runtime/api/v1": platform_json,
    "/ibm/runtime/experimental/api/v1": platform_json,
    "/v0.3": ionq_json,
    "/qlued": qlued_json,
    "/qbraid": qbraid_json,
    "/qbraid/api": qbraid_json,
    "/qbraid/api/v1": qbraid_json,
    "": xanadu_json,
    "/iqm/api": iqm_json,
    "/api": iqm_json,
    "/braket": braket_json,
    "/s3": s3_xml,
    "/sts": sts_xml,
    "/livez": problem_json,
    "/readyz": problem_json,
    "/metrics": problem_json,
    "/docs": docs_html,
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
ROOT_PATHS = ("/healthz", "/devices", "/devices/X8_01", "/devices/x/y", "/jobs", "/jobs/x")
PROBES = ("/livez", "/readyz", "/metrics")
NEVER = cast(Any, None)
SECRET = "select secret from token where path = '/etc/shadow'"


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client that signs in nowhere; one for all tests, because making one costs 20 ms."""
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


def of_dialect(dialect: Dialect) -> list[Way]:
    return [way for way in WAYS if way.dialect is dialect]


def test_every_mount_is_in_the_table() -> None:
    dialects = mounts(NEVER)
    found = {**dialects, **probes(lambda: None, NEVER, NEVER), **docs(dialects)}
    described = {path for each in offered() for path in each.described_at}
    assert found.keys() - described == SHAPES.keys()


# --- 404 ------------------------------------------------------------------------------------------


UNKNOWN = pairs(
    [prefix for prefix in SHAPES if prefix],
    ["/nothing", "/nothing/", "/", "//", "//nothing", "/jobs/x/y/z", "/%2e"],
    always={"/nothing", "/"},
)


def test_an_unknown_path_is_not_found(subtests: pytest.Subtests, http: httpx.Client) -> None:
    for prefix, path in UNKNOWN:
        with subtests.test(prefix + path):
            if prefix + path in docs_files() or prefix + path == "/sts/":
                continue
            response = http.get(prefix + path)
            # In S3 every name is one of a bucket, and without a signature nothing is said about it.
            assert response.status_code == (403 if prefix == "/s3" else 404)
            SHAPES[prefix](response)


@for_each("path", ["/nothing", "/nothing/", "/", "/%2f", "/v2/jobs", "/v1x", "/ionqs"])
def test_an_unknown_path_of_the_root_is_not_found(http: httpx.Client, path: str) -> None:
    response = http.get(path)
    assert response.status_code == 404
    xanadu_json(response)


BARE = (
    *("/v1", "/ionq/v0.3", "/ionq/v0.4", "/v0.4", "/ionq", "/v0.3", "/ibm/api"),
    *("/ibm/runtime/classic", "/ibm/runtime", "/ibm/runtime/api/v1"),
    *("/qlued", "/qlued/api", "/qlued/api/v1", "/qlued/api/v2", "/qlued/api/v3"),
)


def test_a_bare_prefix_is_not_found(subtests: pytest.Subtests, http: httpx.Client) -> None:
    for prefix, method in pairs(BARE, METHODS, always={"GET", "POST"}):
        with subtests.test(f"{method} {prefix}"):
            response = http.request(method, prefix)
            assert response.status_code == 404
            (qlued_json if prefix.startswith("/qlued") else SHAPES[prefix])(response)


@for_each("version", ["/ionq/v9", "/ionq/v0.2", "/ionq/v0.40", "/ionq/v0.4x", "/ionq/v0.3x"])
def test_an_unknown_version_errs_in_the_shape_of_ionq(http: httpx.Client, version: str) -> None:
    response = http.post(f"{version}/jobs", json={})
    assert response.status_code == 404
    ionq_json(response)


FAMILIES = ("/lab", "/projects", "/billing", "/users")
"""Whole families of paths that qBraid's dialect refuses by name."""


@for_each("dialect", DIALECTS)
def test_a_stray_slash_is_not_found_and_not_redirected(
    http: httpx.Client, dialect: Dialect
) -> None:
    """Clients of qBraid's send a double slash where their base ends in one."""
    is_qbraids = "qbraid" in dialect.prefix
    for way in of_dialect(dialect):
        url = way.url("x")
        between = f"{dialect.prefix}/{url.removeprefix(dialect.prefix)}"
        strayed = [] if is_qbraids and way.path.startswith(FAMILIES) else [f"{url}/"]
        for path in (*strayed, *([] if is_qbraids else [between])):
            response = way.send(http, path, {})
            assert response.status_code == 404, path
            dialect.said(response)


# --- 405 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_a_405_lists_all_allowed_methods(
    subtests: pytest.Subtests, http: httpx.Client, dialect: Dialect
) -> None:
    for method in METHODS:
        with subtests.test(method):
            for path, allowed in routes(dialect.prefix).items():
                if method in allowed:
                    continue
                url = Way(dialect, method, path).url("x")
                response = http.request(method, url)
                assert response.status_code == 405, url
                assert set(response.headers["allow"].split(", ")) == allowed
                assert all(right in dialect.said(response) for right in allowed)


NOT_TAKEN = pairs(
    [*PROBES, *docs_files()],
    [method for method in METHODS if method != "GET"],
    keep=lambda path, _: path in PROBES,
)


def test_a_probe_or_page_takes_no_other_method(
    subtests: pytest.Subtests, http: httpx.Client
) -> None:
    for path, method in NOT_TAKEN:
        with subtests.test(f"{method} {path}"):
            response = http.request(method, path)
            assert response.status_code == 405
            assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
            SHAPES["/docs" if path in docs_files() else path](response)


@for_each("dialect", DIALECTS)
def test_head_is_answered_as_get_without_a_body(http: httpx.Client, dialect: Dialect) -> None:
    for way in (way for way in of_dialect(dialect) if way.method == "GET"):
        url, auth = way.url("x"), {"Authorization": "none"}
        got, head = http.get(url, headers=auth), http.head(url, headers=auth)
        assert head.status_code == got.status_code, url
        assert head.content == b"", url
        if not way.is_public:  # a public answer has the time in it
            assert head.headers["content-length"] == got.headers["content-length"], url


# --- 400 and 413 ----------------------------------------------------------------------------------


@for_each("content", [b"", b"{", b"no JSON", b"[]"])
@for_each("dialect", DIALECTS)
def test_a_body_that_is_no_json_object_is_refused(
    server: LiveServer, http: httpx.Client, dialect: Dialect, content: bytes
) -> None:
    response = http.post(dialect.jobs, content=content, headers=dialect.auth(server.token()))
    assert response.status_code == 400
    assert "body" in dialect.said(response)


@for_each("dialect", DIALECTS)
def test_a_body_one_byte_too_large_is_refused(
    server: LiveServer, http: httpx.Client, dialect: Dialect
) -> None:
    auth = dialect.auth(server.token())
    maximum = Limits().bodies.body_bytes
    just = http.post(dialect.jobs, content=b" " * maximum, headers=auth)
    over = http.post(dialect.jobs, content=b" " * (maximum + 1), headers=auth)
    assert (just.status_code, over.status_code) == (400, 413)
    assert "body_bytes" in dialect.said(over)


@for_each("path", [*PROBES, "/ionq/x", "/v0.3/x", "/nothing", "/jobs"])
def test_where_no_body_is_read_a_large_one_changes_nothing(http: httpx.Client, path: str) -> None:
    small = http.post(path)
    large = http.post(path, content=b" " * (Limits().bodies.body_bytes + 1))
    assert large.status_code == small.status_code
    assert large.content == small.content


# --- 401 at the root ------------------------------------------------------------------------------


AT_ROOT = product((*ROOT_PATHS, "/jobs/", "/jobs//", "/devices/%00"), (None, "Bearer", "apiKey"))


@for_each("at, method", pairs(AT_ROOT, [*METHODS, "HEAD"]))
def test_the_root_requires_an_access_token(
    server: LiveServer, http: httpx.Client, at: tuple[str, str | None], method: str
) -> None:
    path, scheme = at
    headers = {"Authorization": f"{scheme} {server.token()}"} if scheme else {}
    response = http.request(method, path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"]
    if method != "HEAD":
        xanadu_json(response)


# --- 500 ------------------------------------------------------------------------------------------


class Broken:
    """A gateway, and each part of it, that fails whatever it is asked."""

    limits = Limits()

    def __getattr__(self, name: str) -> Any:
        return Broken()

    def feature(self, _kind: type) -> Broken:
        return Broken()

    async def __call__(self, *_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)


def in_process(method: str, url: str) -> httpx.Response:
    """Send a request to all dialects in router of a gateway that fails."""

    def why_not_ready() -> str | None:
        raise RuntimeError(SECRET)

    broken = probes(why_not_ready, NEVER, NEVER)
    dialects: dict[str, ASGIApp] = {**mounts(cast(Any, Broken())), **broken}
    app = Router(dialects, Limits())

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://qwicket") as client:
            return await client.request(method, url, headers={"Authorization": "Bearer x"})

    return asyncio.run(send())


def check_failure(response: httpx.Response, said: Said, caplog: pytest.LogCaptureFixture) -> None:
    """Check that a response has an id and no detail, and that the log has the rest."""
    assert response.status_code == 500
    request_id = response.headers["x-request-id"]
    assert said(response).endswith(f"The log has it under {request_id}.")
    told = f"{response.text} {response.headers}"
    for leak in ("select", "token", "/etc", "Traceback", "RuntimeError", ".py", "qwicket"):
        assert leak not in told.replace("www.", "")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert request_id in record.getMessage()
    assert SECRET in caplog.text


CONSTANT = ("sdk-version", "openapi.json")
"""Answers that nothing can keep from coming."""


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_a_failure_shows_its_id_and_nothing_else(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    for way in of_dialect(dialect):
        if way.path.endswith(CONSTANT) or way.holds_credentials:
            continue
        caplog.clear()
        check_failure(in_process(way.method, way.url("x")), dialect.said, caplog)


@pytest.mark.parametrize("path", [path for path in routes("/qlued") if "post" not in path])
def test_a_failure_of_qlued_shows_its_id_and_nothing_else(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = "/qlued" + path.format(backend_name="rydberg") + "?job_id=x&token=x"
    check_failure(in_process("GET", url), qlued_json, caplog)


@pytest.mark.parametrize("path", ROOT_PATHS)
def test_a_failure_at_the_root_shows_its_id_and_nothing_else(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_failure(in_process("GET", path), xanadu_json, caplog)


def test_a_failure_of_a_probe_shows_its_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_failure(in_process("GET", "/readyz"), problem_json, caplog)


def test_every_failure_has_an_id_of_its_own() -> None:
    ids = {in_process("GET", "/v1/jobs").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


# --- all errors in all shapes ---------------------------------------------------------------------


def all_errors() -> list[errors.QwicketError]:
    """Return one of each kind, with every field filled with what is hard to write."""
    kinds = [errors.QwicketError]
    found: list[errors.QwicketError] = []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if issubclass(kind, errors.MethodNotAllowed):
            found.append(errors.MethodNotAllowed("PATCH", ("GET",)))
        else:
            found.append(kind('Not "this":\n\0 \U0001f600', field="a[0].b", retry_after_s=1.5))
    return found


@pytest.mark.parametrize(
    ("problem", "said", "content_type"),
    [
        (native.problem, problem_json, native.PROBLEM_TYPE),
        (ionq.problem, ionq_json, "application/json"),
        (ibm.problem, ibm_json, "application/json"),
        (runtime.problem, ibm_json, "application/json"),
        (platform.problem, platform_json, "application/json"),
        (qbraid.problem, qbraid_json, "application/json"),
        (xanadu.problem, xanadu_json, "application/json"),
        (iqm.problem, iqm_json, "application/json"),
        (braket.braket_body, braket_json, "application/json"),
        (braket.s3_body, s3_xml, "application/xml"),
        (braket.sts_body, sts_xml, "text/xml; charset=utf-8"),
    ],
    ids=[
        *("native", "ionq", "ibm", "runtime", "platform", "qbraid", "xanadu", "iqm"),
        *("braket", "s3", "sts"),
    ],
)
def test_every_dialect_can_say_every_error(
    problem: Callable[[errors.QwicketError], bytes],
    said: Said,
    content_type: str,
) -> None:
    headers = {"content-type": content_type}
    for error in all_errors():
        response = httpx.Response(error.status, content=problem(error), headers=headers)
        # XML has no control characters.
        detail = error.detail.replace("\0", "\ufffd") if "xml" in content_type else error.detail
        assert said(response) == detail, type(error)


def test_qlued_can_say_every_error() -> None:
    headers = {"content-type": "application/json"}
    for error in all_errors():
        shown = qlued.recast(error)
        response = httpx.Response(shown.status, content=qlued.problem(shown), headers=headers)
        said = qlued_json(response)
        assert error.detail in said or isinstance(error, errors.Unauthenticated), type(error)
        assert response.status_code != 400
