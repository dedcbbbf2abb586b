"""Attacks by what a request carries: too large, too deep, too odd, or not what it seems."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import zlib
from functools import partial
from typing import Any
from urllib.parse import quote

import numpy as np

from abuse.attacks import Outcome, Target, timed
from abuse.attacks.bystander import Bystander
from abuse.attacks.canary import Canary
from abuse.dialects import DIALECTS, NATIVE, WAYS, Dialect
from abuse.test_access import absent_id
from abuse.test_floods import FRAMINGS, PIECE, Peak, Upload
from support import pubs, raw, runtime
from support.bombs import BOMBS
from support.hostile import HOSTILE
from support.programs import BELL
from support.runtime import Client as Runtime

MB = 1 << 20
DEEP = 200_000
BOMB_S = 0.5
"""Processor time in which a bomb is refused (A6)."""
JSON_S = 0.2
"""Processor time in which odd JSON is refused (A7)."""
PROGRAM_S = 1.0
"""Processor time for a program (A10)."""
READERS_CODES = ("invalid_program", "limit_exceeded")
"""Codes of what the reader of a program refuses."""


def huge_bodies(target: Target) -> Outcome:
    """Send a gigabyte, declared and in chunks; the server stops reading early."""
    peak = Peak(target.live)
    sent = 0
    for framing in FRAMINGS:
        upload = Upload.begin(target.live, NATIVE, target.attacker, FRAMINGS[framing])
        try:
            for _ in range(target.size(128, 1024)):
                chunk = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if framing == "chunked" else PIECE
                upload.socket.sendall(chunk)
                sent += len(PIECE)
        except OSError:
            pass  # refused and closed: what it should be
        upload.socket.close()
    rise = peak.rise_bytes()
    assert rise < 2 * 16 * MB, f"memory rose by {rise >> 20} MiB"
    return Outcome(f"{sent >> 20} MiB in 2 bodies", f"memory rose by {rise >> 20} MiB")


def bombs(target: Target) -> Outcome:
    """Send a few kB that unpack to far more than the server's memory should give."""
    bomb = base64.b64encode(zlib.compress(b"\0" * target.size(200, 1000) * MB, 9)).decode()
    client = Runtime(target.http, target.attacker)
    peak = Peak(target.live)
    slowest_s = 0.0
    for value in (
        pubs.typed("QuantumCircuit", bomb),
        pubs.typed("ndarray", bomb),
        pubs.typed(
            "QuantumCircuit", base64.b64encode(zlib.compress(zlib.compress(b"\0" * MB))).decode()
        ),
    ):
        params = runtime.sampler([value, pubs.array(), 10])
        send = partial(client.call, "POST", "/jobs", json=runtime.body(params=params))
        answer, took_s = timed(target, send)
        slowest_s = max(slowest_s, took_s)
        assert answer.status_code in (400, 413, 422), answer.text
    target.note("A6 bombs: CPU of the slowest", slowest_s, at_most=BOMB_S, unit="s")
    zipped = {"Content-Encoding": "gzip", **target.as_attacker()}
    answer = target.http.post(
        "/v1/jobs", content=zlib.compress(b" " * MB, wbits=31), headers=zipped
    )
    assert answer.status_code in (400, 415), answer.text
    rise = peak.rise_bytes()
    assert rise < 64 * MB, f"memory rose by {rise >> 20} MiB"
    return Outcome(
        "3 zlib bombs and a gzip body",
        f"{slowest_s:.2f} s of CPU at most, memory rose by {rise >> 20} MiB",
    )


def _odd_documents() -> dict[str, bytes]:
    return {
        "200,000 lists deep": b"[" * DEEP + b"]" * DEEP,
        "200,000 objects deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "10^6 keys": b"{" + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}",
        "10^7 digits": b"9" * 10_000_000,
    }


def odd_json(target: Target) -> Outcome:
    """Send JSON that is too deep, too wide or too long to every route for submissions."""
    documents, slowest_s = _odd_documents(), 0.0
    bystander = Bystander(target.live.url)
    with bystander.watching():
        for dialect in DIALECTS:
            for name, text in documents.items():
                body = dialect.text(**{dialect.program: text})
                headers = dialect.auth(target.attacker)
                send = partial(target.http.post, dialect.jobs, content=body, headers=headers)
                answer, took_s = timed(target, send)
                slowest_s = max(slowest_s, took_s)
                assert 400 <= answer.status_code < 500, (dialect, name, answer.status_code)
    target.note("A7 odd JSON: CPU of the slowest", slowest_s, at_most=JSON_S, unit="s")
    seen = bystander.latencies
    assert not seen.n_failed
    return Outcome(
        f"{len(documents)} documents to {len(DIALECTS)} dialects",
        f"{slowest_s:.2f} s of CPU at most; others: {seen}",
    )


NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0", b"-1", b"0", b"true", b'"100"',
           b"9223372036854775808", b"1e309", b"1000000000", b"0.5", b"[]", b"null")  # fmt: skip


def odd_numbers(target: Target) -> Outcome:
    """Put odd numbers into every field of a submission, and into a gate's angle."""
    n_sent = n_taken = 0
    before = _n_jobs(target)
    for dialect in DIALECTS:
        for field in dialect.valid | {"shots": 1, "seed": 1, "priority": 1}:
            for number in NUMBERS:
                answer = target.http.post(
                    dialect.jobs,
                    content=dialect.text(**{field: number}),
                    headers=dialect.auth(target.attacker),
                )
                assert answer.status_code == 201 or 400 <= answer.status_code < 500
                n_taken += answer.status_code == 201
                n_sent += 1
    for number in NUMBERS[:5]:
        turn = b'{"gateset":"qis","qubits":1,"circuit":[{"gate":"rx","target":0,"rotation":%b}]}'
        answer = target.http.post(
            "/v1/jobs", content=NATIVE.text(program=turn % number), headers=target.as_attacker()
        )
        assert answer.status_code in ((201,) if number == b"-0" else (400, 422)), answer.text
        n_taken += answer.status_code == 201
        n_sent += 1
    assert _n_jobs(target) - before == n_taken
    return Outcome(f"{n_sent} submissions", f"{n_taken} taken with a legal meaning, the others 4xx")


def _n_jobs(target: Target) -> int:
    seen, cursor = 0, ""
    while True:
        answer = target.http.get(
            f"/v1/jobs?limit=1000{cursor}", headers=target.as_attacker()
        ).json()
        seen += len(answer["jobs"])
        if not answer.get("next"):
            return seen
        cursor = f"&before={answer['next']}"


def hostile_programs(target: Target) -> Outcome:
    """Submit programs that crash, hang or fill the memory of other parsers."""
    slowest_s = 0.0
    worst = ""
    texts = {f"openqasm: {k}": ("simulator", "counts", v) for k, v in HOSTILE.items()}
    texts |= {f"blackbird: {k}": ("X8_01", "samples", v) for k, v in BOMBS.items()}
    chosen = sorted(texts) if target.is_long else sorted(texts)[::3]
    bystander = Bystander(target.live.url)
    with bystander.watching():
        for name in chosen:
            device, output, text = texts[name]
            format_name = _format(device, text)
            body = {"device": device, "program": text, "format": format_name, "shots": 1}
            body["outputs"] = [output]  # else refused before the program is read
            send = partial(target.http.post, "/v1/jobs", json=body, headers=target.as_attacker())
            answer, took_s = timed(target, send)
            if took_s > slowest_s:
                slowest_s, worst = took_s, name
            refused = answer.status_code == 400 and answer.json()["code"] in READERS_CODES
            assert answer.status_code == 201 or refused, (name, answer.text)
            assert "root:" not in answer.text
    target.note("A10 hostile programs: CPU of the slowest", slowest_s, at_most=PROGRAM_S, unit="s")
    seen = bystander.latencies
    assert not seen.n_failed
    return Outcome(
        f"{len(chosen)} hostile programs",
        f"{slowest_s:.2f} s of CPU at most ({worst}); others: {seen}",
    )


def _format(device: str, text: str) -> str:
    """Return the format whose reader reads the whole text, and not only its first line."""
    if device == "X8_01":
        return "blackbird"
    return "openqasm2" if text.startswith("OPENQASM 2") else "openqasm3"


def path_traversal(target: Target) -> Outcome:
    """Put paths wherever an id or a name belongs; none of them is opened."""
    canary = Canary(target.live.folder / "canary")
    try:
        n_sent = _traverse_paths(target, canary) + _traverse_bodies(target, canary)
        assert not canary.n_opened(), "a path of a request was opened"
        canary.path.read_text()
        assert canary.n_opened() == 1, "the kernel does not count"
    finally:
        canary.close()
    return Outcome(f"{n_sent} paths to a file that the server could read", "opened 0 times")


def _traverse_paths(target: Target, canary: Canary) -> int:
    """Ask each route for a path in place of each of its parameters, over bare sockets."""
    n_sent = 0
    texts = canary.path_texts()
    for way in WAYS:
        for parameter in re.findall(r"{[^}]+}", way.path):
            chosen = texts if target.is_long else random.Random(n_sent).sample(texts, 4)
            for text in chosen:
                path = way.path.replace(parameter, text)
                path = re.sub(r"{[^}]+}", "x", path)
                _assert_refused(
                    target, canary, f"{way.method} {way.dialect.prefix}{path}", way.dialect
                )
            n_sent += len(chosen)
    for text in texts:
        _assert_refused(target, canary, f"GET /docs/{text}", NATIVE)
    return n_sent + len(texts)


def _assert_refused(target: Target, canary: Canary, line: str, dialect: Dialect) -> None:
    headers = [f"{name}: {value}" for name, value in dialect.auth(target.attacker).items()]
    with raw.connect(target.live.url) as connection:
        connection.sendall(raw.head(line, *headers, "Content-Length: 0"))
        answer = raw.answer(connection)
    assert answer.status_code == 501 or 400 <= answer.status_code < 500, (line, answer.status_code)
    assert canary.SECRET not in answer.text


def _traverse_bodies(target: Target, canary: Canary) -> int:
    """Submit jobs whose names of things are paths."""
    n_sent = 0
    for dialect in DIALECTS:
        for field in ("device", "backend", "target", "format", "group", "session_id", "name"):
            for text in canary.texts():
                answer = target.http.post(
                    dialect.jobs, content=dialect.text(**{field: json.dumps(text).encode()}),
                    headers=dialect.auth(target.attacker),
                )  # fmt: skip
                assert answer.status_code == 201 or 400 <= answer.status_code < 500, answer.text
                assert canary.SECRET not in answer.text
                n_sent += 1
    return n_sent


PICKLE = (
    b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
)


def foreign_serialisations(target: Target) -> Outcome:
    """Send pickles, object arrays and YAML tags where programs and arrays are expected."""
    objects = io.BytesIO()
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    client = Runtime(target.http, target.attacker)
    n_sent = 0
    for data in (PICKLE, objects.getvalue(), b"!!python/object/apply:os.system ['true']"):
        for kind in ("QuantumCircuit", "ndarray"):
            good: list[Any] = [pubs.circuit(pubs.bell()), pubs.array(), 10]
            good[0 if kind == "QuantumCircuit" else 1] = pubs.typed(kind, pubs.packed(data))
            answer = client.call("POST", "/jobs", json=runtime.body(params=runtime.sampler(good)))
            assert 400 <= answer.status_code < 500, answer.text
            n_sent += 1
        for format_name in ("openqasm3", "blackbird", "qiskit.qpy"):
            text = base64.b64encode(data).decode()
            body = {"device": "simulator", "program": text, "format": format_name, "shots": 1}
            answer = target.http.post("/v1/jobs", json=body, headers=target.as_attacker())
            assert 400 <= answer.status_code < 500, answer.text
            n_sent += 1
    return Outcome(f"{n_sent} serialised objects", "0 loaded, all 4xx")


SQL = [
    *("' or 1=1; --", "'; drop table job; --", '" or ""="', "') union select null--", "\\'; --"),
    *(
        "1; select pg_sleep(5)",
        "$1",
        ":now",
        "?",
        "%s",
        "%(id)s",
        "{0}",
        "{before:claim}",
        "%%",
        "_",
    ),
    *("a' || (select secret from token) || '", "admin'/*", "*/", "';vacuum;'", "0x27", "char(39)"),
]


WRAPPERS = (
    *(("", ""), ("1", ""), ("x'", ""), ('"', '"'), ("(", ")"), ("%", "%"), ("\\", ""), ("\n", ";")),
    *(("/*", "*/"), ("1) ", " --")),
)
"""Text around each of them in the long form."""


def sql_injection(target: Target) -> Outcome:
    """Put SQL into names, tags, filters and cursors; texts come back as they were sent."""
    n_sent = 0
    texts = [f"{a}{text}{b}" for text in SQL for a, b in WRAPPERS[: target.size(1, 10)]]
    for text in texts:
        sent = target.http.post(
            "/v1/jobs", content=NATIVE.text(name=text, tags=[text]), headers=target.as_attacker()
        )
        assert sent.status_code == 201, sent.text
        read = target.http.get(f"/v1/jobs/{sent.json()['id']}", headers=target.as_attacker()).json()
        assert (read["name"], read["tags"]) == (text, [text])
        for field in ("device", "state", "tag", "name", "after", "group", "format", "limit"):
            answer = target.http.get("/v1/jobs", params={field: text}, headers=target.as_attacker())
            assert answer.status_code == 200 or 400 <= answer.status_code < 500
            n_sent += 1
    strangers = target.http.get("/v1/jobs?limit=1000", headers=target.as_victim()).text
    assert "drop table" not in strangers
    return Outcome(f"{len(texts)} texts stored and read back, {n_sent} queries", "0 differences")


def fuzz(target: Target) -> Outcome:
    """Send random requests to every operation of the OpenAPI description."""
    description = target.http.get("/v1/openapi.json").json()
    operations = [
        (path, method)
        for path, methods in description["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete") and path != "/v1/events"
    ]
    rng = random.Random(20261121)
    statuses: dict[int, int] = {}
    for _ in range(target.size(600, 10_000)):
        path, method = rng.choice(operations)
        url = path
        while "{" in url:
            before, _, rest = url.partition("{")
            url = before + quote(_text(rng), safe="") + rest.partition("}")[2]
        content = json.dumps(_value(rng, 3)).encode() if method != "get" else None
        if content and rng.random() < 0.2:
            content = content[: rng.randrange(len(content) + 1)]
        query = f"?{quote(_text(rng))}={quote(_text(rng))}&limit={quote(_text(rng))}"
        answer = target.http.request(
            method, (url if url.startswith("/v1") else f"/v1{url}") + query,
            content=content, headers=target.as_attacker(), timeout=70,
        )  # fmt: skip
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert not [status for status in statuses if status >= 500 and status != 501], statuses
    return Outcome(
        f"{sum(statuses.values())} random requests to {len(operations)} operations",
        ", ".join(f"{n} x {status}" for status, n in sorted(statuses.items())),
    )


def _text(rng: random.Random) -> str:
    choices = ["x", "simulator", absent_id(), "..", "\0", "☃" * 40, "-1", "9" * 30, "", "a\r\nb"]
    return rng.choice(choices)


def _value(rng: random.Random, depth: int) -> Any:
    scalars = [None, True, -1, 0, 1, 2**63, 1e308, "", _text(rng), BELL]
    kind = rng.randrange(4) if depth else 0
    if kind == 1:
        return [_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 2:
        keys = ["device", "program", "shots", "name", "tags", "scopes", "inputs", "seed", "x"]
        return {rng.choice(keys): _value(rng, depth - 1) for _ in range(rng.randrange(6))}
    return rng.choice(scalars)
