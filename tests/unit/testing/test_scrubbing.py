"""Secrets are found in whatever encoding they are, and other texts stay."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.testing.cassettes.scrubbing import ANY_MARK, KEY_MARK, UNKNOWN_MARK, Scrubber
from support.for_each import for_each

KEY = "k3y/With+odd=Chars&more"


def wrapped(content: bytes) -> str:
    return base64.encodebytes(b"a longer text before it, " * 4 + content).decode()


def archive(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("token.txt", content)
    return file.getvalue()


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: f"it is {key}.",
    "in a URL": lambda key: f"https://x.test/jobs?name={quote(key, safe='')}",
    "quoted twice": lambda key: quote(quote(key, safe=""), safe=""),
    "in capitals": lambda key: quote(key, safe="").lower(),
    "in JSON": lambda key: json.dumps({"name": key}),
    "in JSON within JSON": lambda key: json.dumps({"body": json.dumps({"name": key})}),
    "in HTML": html.escape,
    "in hex": lambda key: key.encode().hex(),
    "in capital hex": lambda key: key.encode().hex().upper(),
    "backwards": lambda key: key[::-1],
    "base64, first place": lambda key: in_base64(key.encode()),
    "base64, second place": lambda key: in_base64(f"u{key}".encode()),
    "base64, third place": lambda key: in_base64(f"me{key}!".encode()),
    "base64, in the middle": lambda key: in_base64(f"user:{key}:end".encode()),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"??>{key}".encode()).decode(),
    "base64 without padding": lambda key: in_base64(f"a{key}".encode()).rstrip("="),
    "base64 in lines": lambda key: wrapped(key.encode()),
    "base64 twice": lambda key: in_base64(in_base64(key.encode()).encode()),
    "base64 in a path": lambda key: f"/files/x/{in_base64(key.encode())}/y",
    "zlib in base64": lambda key: in_base64(zlib.compress(f"abc {key}".encode())),
    "gzip in base64": lambda key: in_base64(gzip.compress(key.encode())),
    "bzip2 in base64": lambda key: in_base64(bz2.compress(key.encode())),
    "ZIP in base64": lambda key: in_base64(archive(key.encode())),
    "UTF-16 in base64": lambda key: in_base64(key.encode("utf-16")),
    "base64 in hex": lambda key: in_base64(key.encode()).encode().hex(),
}


@for_each("encoding", ENCODINGS)
def test_a_known_key_is_found_in_every_encoding(encoding: str) -> None:
    scrubber = Scrubber([KEY])
    text = ENCODINGS[encoding](KEY)
    assert scrubber.contains_secret(text.encode())
    cleaned = scrubber.scrub_text(text)
    assert "SCRUBBED" in cleaned
    assert not scrubber.contains_secret(cleaned.encode())


@given(
    key=st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=8, max_size=60),
    before=st.text(max_size=5),
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_any_key_is_found_after_any_text(key: str, before: str, encoding: str) -> None:
    scrubber = Scrubber([key])
    cleaned = scrubber.scrub_text(before + " " + ENCODINGS[encoding](key))
    assert not scrubber.contains_secret(cleaned.encode())


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, archive])
def test_bytes_that_hide_a_key_are_not_kept(pack: Callable[[bytes], bytes]) -> None:
    scrubber = Scrubber([KEY])
    assert KEY.encode() not in scrubber.scrub_content(pack(b"x" + KEY.encode()))
    assert scrubber.scrub_content(pack(b"x" + KEY.encode())) == b"SCRUBBED-0"
    harmless = pack(b"no key")
    assert scrubber.scrub_content(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('{"access_token": "tokenfortests1"}', "tokenfortests1"),
        ('{"user": {"apiToken": "tokenfortests1"}}', "tokenfortests1"),
        ('{"credentials": {"first": "tokenfortests1"}}', "tokenfortests1"),
        ('{"config": "{\\"password\\": \\"tokenfortests1\\"}"}', "tokenfortests1"),
        ("see https://x.test/?access_token=tokenfortests1&a=b", "tokenfortests1"),
        ("see https://x.test/?X-Amz-Signature=tokenfortests1", "tokenfortests1"),
        ("see https://me:tokenfortests1@x.test/", "tokenfortests1"),
        ("Authorization was: Bearer tokenfortests1", "tokenfortests1"),
        ("apiKey tokenfortests1 is unknown", "tokenfortests1"),
        ("of qw_tokenfortests1", "qw_tokenfortests1"),
        ("of AKIATOKENFORTESTS1", "AKIATOKENFORTESTS1"),
        ("of eyJ0eXAiOiJK.eyJ0b2tlbmZv.c2lnbmVk", "eyJ0eXAiOiJK.eyJ0b2tlbmZv.c2lnbmVk"),
        ("https://x.test/keys/tokenfortests1abc/devices", "tokenfortests1abc"),
    ],
)
def test_what_is_called_a_secret_is_replaced_wherever_it_is(text: str, secret: str) -> None:
    scrubber = Scrubber()
    scrubber.collect_text(text)
    assert secret not in scrubber.scrub_text(text)
    assert ANY_MARK.search(scrubber.scrub_text(text))
    assert secret not in scrubber.scrub_text(f"again: {secret}, and {in_base64(secret.encode())}")


@pytest.mark.parametrize(
    ("document", "scrubbed"),
    [
        ({"credentials": {"pin": "1234"}}, {"credentials": {"pin": UNKNOWN_MARK}}),
        ({"secret": {"value": "hunter"}}, {"secret": {"value": UNKNOWN_MARK}}),
        (
            {"session_key": {"k": ["abc", "def1"]}},
            {"session_key": {"k": [UNKNOWN_MARK, UNKNOWN_MARK]}},
        ),
        ({"auth": {"type": "basic", "pin": 4711}}, {"auth": {"type": "basic", "pin": 0}}),
        ({"password": 12345678}, {"password": 0}),
        ({"token": True, "shots": 10}, {"token": True, "shots": 10}),
    ],
)
def test_short_texts_and_numbers_below_the_name_of_a_secret_are_replaced(
    document: object, scrubbed: object
) -> None:
    scrubber = Scrubber()
    scrubber.collect_json(document)
    assert scrubber.scrub_json(document) == scrubbed


def test_a_password_that_is_a_word_is_replaced_wherever_it_is() -> None:
    scrubber = Scrubber()
    scrubber.collect_headers({"authorization": f"Basic {in_base64(b'ada:swordfish')}"})
    assert scrubber.scrub_json({"note": "it is swordfish"}) == {"note": "it is SCRUBBED-1"}


def test_headers_and_cookies_are_learned() -> None:
    scrubber = Scrubber()
    scrubber.collect_headers(
        {
            "authorization": f"Basic {in_base64(b'adalovelace:engine-nr-1')}",
            "x-api-key": "key-of-a-header",
            "cookie": "theme=dark; session=cookie-of-a-session",
            "set-cookie": "next=another-cookie-1; Path=/jobs/of/mine; Domain=api.x.test",
        }
    )
    for secret in ("engine-nr-1", "key-of-a-header", "cookie-of-a-session", "another-cookie-1"):
        assert secret not in scrubber.scrub_text(f"has {secret} in it")
    assert scrubber.scrub_text("api.x.test/jobs/of/mine") == "api.x.test/jobs/of/mine"
    assert scrubber.scrub_headers({"x-api-key": "short"}) == {"x-api-key": "SCRUBBED-0"}


def test_equal_secrets_have_equal_marks_and_people_are_numbered() -> None:
    scrubber = Scrubber([KEY])
    document = {
        "token": "secret-number-one",
        "again": "Bearer secret-number-one",
        "refresh_token": "secret-number-two",
        "mine": KEY,
        "owner": "Ada.L@lab.example.org",
        "others": ["ben@lab.example.org", "ada.l@lab.example.org"],
        "token_type": "Bearer",
        "expires_in": 3600,
        "pin_secret": "1234",
    }
    scrubber.collect_json(document)
    cleaned = scrubber.scrub_json(document)
    assert cleaned["again"] == f"Bearer {cleaned['token']}"
    assert cleaned["token"] != cleaned["refresh_token"]
    assert cleaned["mine"] == KEY_MARK
    assert cleaned["owner"] == cleaned["others"][1] == "person-1@example.invalid"
    assert cleaned["others"][0] == "person-2@example.invalid"
    assert (cleaned["token_type"], cleaned["expires_in"]) == ("Bearer", 3600)
    assert cleaned["pin_secret"] == "SCRUBBED-0"


def test_a_scrubbed_jwt_is_one_whose_middle_clients_can_decode() -> None:
    scrubber = Scrubber()
    text = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    scrubber.collect_json({"access_token": text})
    _, middle, _ = scrubber.scrub_text(text).split(".")
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    assert claims.keys() == {"iat", "exp"}
    assert claims["exp"] > claims["iat"]


def test_ordinary_texts_stay() -> None:
    scrubber = Scrubber([KEY])
    document = {
        "id": "019a1fc3-7a5e-7cc3-98c4-dc0c0c07398f",
        "qasm": 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;',
        "key": "meas",
        "keys": ["m"],
        "program": in_base64(zlib.compress(b"OPENQASM 2.0; " * 30)),
        "url": "https://x.test/jobs?limit=10&status=completed",
        "submitted_at": "2026-11-23T04:00:00Z",
        "author": "lab",
    }
    scrubber.collect_json(document)
    assert scrubber.scrub_json(document) == document
