from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator

import jwt
import pytest

from qwicket.gateway.signin import new_secret
from qwicket.server.logs import (
    REQUEST,
    AccessLog,
    JsonLines,
    TextLines,
    hide_secrets,
    without_secrets,
)
from qwicket.server.settings import passwords
from support.for_each import for_each

PASS = jwt.encode({"sub": "token x", "aud": "access ibm"}, b"k" * 32, "HS256")


def record(text: str = "a text", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("qwicket.dialect", logging.WARNING, "file", 1, text, args, None)
    vars(made).update(extra)
    return made


@pytest.fixture
def request_id() -> Iterator[str]:
    mark = REQUEST.set("4f2a")
    yield "4f2a"
    REQUEST.reset(mark)


@for_each("secret", [new_secret(), PASS, "ada:hush"])
@for_each("lines", [JsonLines(), TextLines()])
def test_a_secret_is_redacted_in_every_place(secret: str, lines: logging.Formatter) -> None:
    text = f"postgresql://{secret}@db" if ":" in secret else f"GET /x/{secret}?y={secret}"
    try:
        raise ValueError(text)
    except ValueError:
        failed = record("%s went wrong", text)
        failed.exc_info = sys.exc_info()
    line = lines.format(failed)
    assert secret not in line
    assert line.count("[secret]") >= 2


@for_each(
    "line",
    [
        f"x{PASS}",
        f"%20{PASS}&",
        f"a.b.{PASS}.c",
        f"{PASS}{PASS}",
        f"eyJ.{PASS}",
        f"eyJeyJ-_{PASS}",
        f"\\n{PASS}\\n",
        f"qw_qw_{new_secret()}",
        "https://ada:hush/@db://x:hush-hush@db",
    ],
)
def test_a_secret_among_other_characters_is_blotted_out(line: str) -> None:
    shown = without_secrets(line)
    assert "[secret]" in shown
    for secret in (PASS, PASS.rpartition(".")[2], "hush-hush"):
        assert secret not in shown


WORST = {
    "passes": lambda n: "eyJ" * (n // 3),
    "passes after dots": lambda n: "eyJ." * (n // 4),
    "dots": lambda n: "a." * (n // 2),
    "words": lambda n: "a" * n,
    "tokens": lambda n: "qw_" * (n // 3),
    "short tokens": lambda n: "qw_1234567 " * (n // 11),
    "addresses": lambda n: "://" * (n // 3),
    "addresses without @": lambda n: "://x" * (n // 4),
    "long address": lambda n: "://" + "x:" * (n // 2),
    "controls": lambda n: "\x1b\n" * (n // 2),
}


@pytest.mark.parametrize("worst", WORST.values(), ids=WORST)
def test_the_time_that_a_line_takes_is_linear_in_its_length(worst: Callable[[int], str]) -> None:
    def cpu_s(n: int) -> float:
        written = record("%s", worst(n))
        times = []
        for _ in range(3):
            began = time.thread_time()
            TextLines().format(written)
            times.append(time.thread_time() - began)
        return min(times)

    # Linear is 4, quadratic 16. 64 kB is the longest line of a request's head.
    assert cpu_s(256_000) < 8 * cpu_s(64_000) + 0.002


@pytest.mark.parametrize("start", range(150, 210, 7))
@pytest.mark.parametrize(
    "secret", [new_secret(), PASS, "://ada:hush-hush-hush@db"], ids=["token", "pass", "url"]
)
def test_a_long_path_shows_no_part_of_a_secret(
    caplog: pytest.LogCaptureFixture, secret: str, start: int
) -> None:
    caplog.set_level(logging.INFO, "qwicket.access")
    access = AccessLog()
    path = "/x" * (start // 2) + "/" + secret + "/y" * 1_000
    access.add({"method": "GET", "path": path}, "4f2a", 404, 0.1)
    access.close()
    shown = caplog.records[0].getMessage()
    assert len(shown) < 300
    for at in range(3, len(secret) - 5):
        assert secret[at : at + 5] not in shown


@for_each("foreign", ["a\nb", "a\r\nb", "\x1b[2Ja", "a\u2028b", "a\u202eb", "\0", "\x85a"])
def test_foreign_text_is_no_second_record_and_no_escape_sequence(foreign: str) -> None:
    """What a terminal or a reader of lines would take for something else."""
    line = TextLines().format(record("%s went wrong", foreign))
    first, *rest = line.splitlines()
    assert first.startswith("20")
    assert all(each.startswith("    ") for each in rest)
    assert all(each.isprintable() for each in (first, *rest))
    (shown,) = JsonLines().format(record("%s went wrong", foreign)).splitlines()
    assert shown.isprintable()
    assert json.loads(shown)["event"] == f"{foreign} went wrong"


@for_each("text", ["", "https://lab.example.org/jobs", "a@b", "qw_ab", "eyJ"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_line_is_one_object_whatever_its_text_has() -> None:
    line = JsonLines().format(record('a "quote"\nnew line \u2028 \ud800 \0'))
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line)["event"] == 'a "quote"\nnew line \u2028 \ud800 \0'


def test_a_line_has_its_time_level_and_logger() -> None:
    line = json.loads(JsonLines().format(record(created=1_600_000_000.25)))
    assert line == {
        "time": "2020-09-13T12:26:40.250Z",  # date -u -d @1600000000
        "level": "warning",
        "logger": "qwicket.dialect",
        "event": "a text",
    }


def test_a_line_names_the_request_and_the_job_it_is_about(request_id: str) -> None:
    about = record(job="0198-7")
    shown = json.loads(JsonLines().format(about))
    assert (shown["request"], shown["job"]) == (request_id, "0198-7")
    assert TextLines().format(about).endswith("a text request=4f2a job=0198-7")


def test_an_unforeseen_failure_has_its_traceback_on_the_same_line() -> None:
    try:
        raise ZeroDivisionError("by nought")
    except ZeroDivisionError:
        failed = record()
        failed.exc_info = sys.exc_info()
    line = JsonLines().format(failed)
    assert "\n" not in line
    assert "ZeroDivisionError: by nought" in json.loads(line)["trace"]


def test_an_answer_is_noted_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qwicket.access")
    access = AccessLog()
    scope = {"method": "GET", "path": "/jobs/a\nb", "query_string": b"t=1", "client": ("::1", 2)}
    access.add(scope, "4f2a", 404, 0.0123456789)
    access.close()
    (noted,) = caplog.records
    shown = json.loads(JsonLines().format(noted))
    assert shown["event"] == "GET /jobs/a%0Ab"
    about = {key: shown[key] for key in ("request", "status", "seconds", "address")}
    assert about == {"request": "4f2a", "status": 404, "seconds": 0.012346, "address": "::1"}


def test_when_the_log_is_read_too_slowly_lines_are_dropped_and_counted() -> None:
    access = AccessLog(max_entries=0)
    access.add({"path": "/"}, "4f2a", 200, 0.0)
    access.close()
    assert access.dropped == 1


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://ada:hush@db/x", {"hush"}),
        ("postgresql://ada:a%20b%2Fc@db/x", {"a%20b%2Fc", "a b/c"}),
        ("postgresql://ada@db/x?a=b&password=hush#y", {"hush"}),
        ("postgresql://ada@db/x", set()),
        ("postgresql://[", set()),
    ],
)
def test_passwords_of_a_databases_address_are_known(url: str, found: set[str]) -> None:
    assert set(passwords(url)) == found


def test_a_known_secret_is_hidden_in_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwicket.server.logs._known_secrets", [])
    hide_secrets("open sesame", "ab")
    assert without_secrets("say: open sesame, ab") == "say: [secret], ab"


def test_a_known_secret_is_hidden_from_json_whose_letters_have_escapes() -> None:
    hide_secrets('pä"ss\\word')
    for lines in (JsonLines(), TextLines()):
        line = lines.format(record("no sign-in with %s", 'pä"ss\\word'))
        assert "word" not in line
        assert "[secret]" in line
