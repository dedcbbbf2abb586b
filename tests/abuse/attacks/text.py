"""Attacks on readers of logs and pages, and on headers."""

from __future__ import annotations

from abuse.attacks import Outcome, Target
from abuse.dialects import NATIVE, docs_files
from support import raw

MARKUP = [
    *("<script>alert(1)</script>", "javascript:alert(1)", '"><img src=x onerror=alert(1)>'),
    *("\u202egnp.exe", "\u2066x\u2069", "☃" * 250, "{{7*7}}", "${7*7}", "\u0085", "a\u2028b"),
]


def markup(target: Target) -> Outcome:
    """Store markup and direction marks in names; answers are JSON and pages hold none of it."""
    for text in MARKUP:
        sent = target.http.post(
            "/v1/jobs", content=NATIVE.text(name=text), headers=target.as_attacker()
        )
        assert sent.status_code == 201, sent.text
        assert sent.headers["content-type"].startswith("application/json")
        assert sent.headers.get("x-content-type-options") == "nosniff"
        assert sent.json()["name"] == text
    for page in tuple(docs_files())[:: 1 if target.is_long else 8]:
        answer = target.http.get(page)
        policy = answer.headers.get("content-security-policy", "")
        if answer.headers["content-type"].startswith("text/html"):
            assert "unsafe-inline" not in policy
            assert "default-src 'none'" in policy or "default-src 'self'" in policy
            assert "alert(1)" not in answer.text
    return Outcome(f"{len(MARKUP)} names", "0 in a page; JSON is sent with nosniff")


CONTROL = [
    "\r\nX-Evil: 1",
    "\x1b[2J\x1b[31m",
    "%s%n%x",
    '{"level":"error"}',
    "\n2026-01-01 ERROR x",
]


def log_injection(target: Target) -> Outcome:
    """Write control characters into paths, headers and names; each event stays one line."""
    mark = target.live.log.stat().st_size
    for text in CONTROL:
        quoted = "".join(f"%{byte:02x}" for byte in text.encode())
        target.http.get(f"/v1/jobs/{quoted}", headers=target.as_attacker())
        target.http.get(f"/{quoted}")
        body = NATIVE.text(name=text, device=text)
        target.http.post("/v1/jobs", content=body, headers=target.as_attacker())
        for agent in (text.encode(), text.replace("\r\n", " ").encode()):
            _raw(target, b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nUser-Agent: " + agent + b"\r\n\r\n")
    log = target.live.log.read_bytes()[mark:].decode(errors="replace")
    assert "\x1b" not in log
    assert not any(
        line.startswith(("X-Evil", "2026-01-01 ERROR", '{"level":"error"}'))
        for line in log.split("\n")
    )
    for secret in (target.victim, target.attacker, target.bystander):
        assert secret not in target.live.log.read_text()
    return Outcome(f"{5 * len(CONTROL)} requests", "0 forged lines, 0 escapes, 0 tokens in the log")


def _raw(target: Target, data: bytes) -> bytes:
    """Send bytes; return what comes back within a second or until the end."""
    with raw.connect(target.live.url) as connection:
        connection.settimeout(1)
        connection.sendall(data)
        try:
            return connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            return b""


SUBMIT, PING = "POST /v1/jobs HTTP/1.1", "GET /livez HTTP/1.1"
REFUSED = {
    "two lengths": (SUBMIT, "Host: x", "Content-Length: 1", "Content-Length: 2", "", "ab"),
    "length and chunked": (SUBMIT, "Host: x", "Content-Length: 1", "Transfer-Encoding: chunked"),
    "negative length": (SUBMIT, "Host: x", "Content-Length: -1"),
    "two hosts": (PING, "Host: x", "Host: y"),
    "no host": (PING,),
    "HTTP/2.0": ("GET /livez HTTP/2.0", "Host: x"),
    "gzip transfer": (SUBMIT, "Host: x", "Transfer-Encoding: gzip, chunked"),
    "bare CR in a header": (PING, "Host: x\nX: y\rz"),
    "folded header": (PING, "Host: x", "X: y", " z"),
    "NUL": (PING, "Host: x", "X: a\0b"),
    "space before the colon": (PING, "Host: x", "X : y"),
}
"""The lines of malformed heads, by what is wrong with each."""


def odd_headers(target: Target) -> Outcome:
    """Send heads that two parsers could read differently, and forged forwarding headers."""
    for name, lines in REFUSED.items():
        answer = _raw(target, "\r\n".join([*lines, "", ""]).encode())
        status = answer.split(b" ")[1:2]
        assert status in ([b"400"], [b"501"], [b"505"]), (name, answer[:100])
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Real-IP": "::1"}
    spoofed = target.http.get(
        "/v1/jobs", headers={**target.as_victim(), **forwarded, "Host": "evil.invalid"}
    )
    assert spoofed.status_code == 200
    assert "evil.invalid" not in spoofed.text
    assert target.http.get("/metrics", headers=forwarded).status_code == 401
    assert target.http.get("/metrics", headers={"Host": "evil.invalid"}).status_code in (
        400,
        401,
        403,
    )
    return Outcome(f"{len(REFUSED)} malformed heads, 4 forged headers", "all refused or ignored")


def cookies(target: Target) -> Outcome:
    """Send tokens as cookies and forms from other origins: no route reads a cookie."""
    n = 0
    for path in ("/v1/jobs", "/v0.4/jobs", "/ibm/api/jobs", "/qbraid/api/v1/jobs", "/jobs"):
        for name in ("token", "session", "access_token", "Authorization"):
            for method in ("GET", "POST"):
                answer = target.http.request(
                    method, path,
                    headers={"Cookie": f"{name}={target.victim}", "Origin": "https://evil.invalid"},
                )  # fmt: skip
                assert answer.status_code == 401, (path, answer.status_code)
                assert "access-control-allow-origin" not in answer.headers
                assert "set-cookie" not in answer.headers
                n += 1
    return Outcome(f"{n} requests with a token as a cookie", "0 accepted, no CORS headers")


def leaks(target: Target) -> Outcome:
    """Look for internals in every error that this suite has seen."""
    assert not target.leaks, target.leaks[:5]
    log = target.live.log.read_text()
    assert "Traceback" not in log
    return Outcome(
        f"{target.n_responses} responses searched for internals",
        "0 leaks, 0 tracebacks in the log",
    )
