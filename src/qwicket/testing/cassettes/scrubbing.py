"""Removal of secrets from recordings: plain, compressed, and in the usual encodings.

First the whole recording is searched for secrets: credentials of requests, and values with names or
forms of secrets. Then each secret is replaced everywhere. Two steps are needed because a token with
an ordinary name is only recognised when a later request signs in with it.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import contextlib
import html
import json
import re
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from qwicket.testing.values import MIN_SECRET_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MARK: Final = "SCRUBBED-"
KEY_MARK: Final = f"{MARK}KEY"
"""Replaces the user's key, and its placeholder."""
UNKNOWN_MARK: Final = f"{MARK}0"
"""Replaces encoded texts with a secret inside, and other values with names of secrets."""
_JWT_START: Final = (
    # {"alg": "none", "typ": "JWT"}, and claims with an expiry in 2100.
    "eyJhbGciOiAibm9uZSIsICJ0eXAiOiAiSldUIn0.eyJpYXQiOiAxNTc3ODM2ODAwLCAiZXhwIjogNDEwMjQ0NDgwMH0."
)
ANY_MARK: Final = re.compile(
    rf"{MARK}(?:KEY|\d{{1,9}})|{re.escape(_JWT_START)}U0NSVUJCRUQt[\w-]{{1,12}}"
)
"""Any replacement of a secret. That of a JWT is a JWT, whose signature is the mark in base64."""
_NAMES: Final = re.compile(
    r"[\w.-]*(?:token|secret|passw|pwd|api[-_]?key|access[-_]?key|auth|credential|signature|cookie"
    r"|session[-_]?key|private[-_]?key|x-amz-security)[\w.-]*|jwt|bearer",
    re.IGNORECASE,
)
_ALSO_IN_QUERIES: Final = ("key", "sig", "code")
_HARMLESS: Final = re.compile(
    r".*(?:type|ur[il]|endpoint|scheme|method|version|expires?|expiration|expires_in|_at|_ms|_s"
    r"|author|authors|count|limit)|x-amz-algorithm|x-amz-expires|author\w*ed",
    re.IGNORECASE,
)
_SCHEMES: Final = ("bearer", "basic", "apikey", "token", "aws4-hmac-sha256")
# Lookbehinds begin a match only where a run begins, else the time would be quadratic in its length.
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}(?:@|%40)"
    r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_JWT: Final = re.compile(r"(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*")
_PATTERNS: Final = (
    _JWT,
    re.compile(r"\bqw_[\w-]{8,}"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}"),
    # qwicket.programs.openqasm.tokens explains `(?!)`.
    re.compile(
        r"-----BEGIN [A-Z ]{0,40}KEY-----(?:[^-]|-(?!----)|(?!))*+-----END [A-Z ]{0,40}KEY-----"
    ),
    re.compile(r"\barn:aws[\w-]*:(?:iam|sts)::\d{12}:[^\s<\"']+"),
    re.compile(r"<UserId>([^<]+)</UserId>"),
    re.compile(r"(?i:\b(?:bearer|apikey)\s+)([\w.~+/=-]{8,})"),
    re.compile(r"://[^/\s:@\"']+:([^/\s@\"']+)(?=@)"),
)
_IN_QUERY: Final = re.compile(r"(?:^|[?&;\s])([\w.-]+)=([^&;\s\"'<>#]+)")
_CRN: Final = re.compile(r"\bcrn:v1(?::[^:\s]*){4}:a/([^:\s]+):([^:\s]*)")
"""Name of an instance: account and instance are hidden, and clients read the rest."""
_AWS_ACCOUNT: Final = re.compile(
    r"\barn:aws[\w-]*:[\w-]{1,32}:[\w-]{0,32}:([0-9]{12}):|<Account>([0-9]{12})</Account>"
)
"""An AWS account: not a secret, but it identifies a person. Clients need twelve digits there."""
_AFTER_KEYS: Final = re.compile(
    r"/(?:keys?|tokens?|api-?keys?|secrets?)/([\w.~-]{16,})", re.IGNORECASE
)
_COOKIE_ATTRIBUTES: Final = ("domain", "expires", "max-age", "path", "priority", "samesite")
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_WRAPPED: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{40,}\r?\n)+[A-Za-z0-9+/_-]+={0,2}"
)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
_ENCODED: Final = (_WRAPPED, _RUN, _HEX)
"""Texts that may be base64, also in lines, or hexadecimal digits."""
_DEPTH: Final = 3
"""Levels of encodings within each other that are searched."""
_UNPACKED_BYTES: Final = 16 << 20
"""Bytes of one compressed content, when unpacked, that are searched."""
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""Value of `wbits` that accepts headers of gzip and of zlib."""


class Scrubber:
    """Collects secrets and replaces them.

    Args:
        keys: Keys of the user, and their placeholder.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._replacements: dict[str, str] = {each: KEY_MARK for each in keys if each}
        self._emails: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._secrets: re.Pattern[bytes] | None = None

    # --- collecting -------------------------------------------------------------------------------

    def collect_headers(self, headers: Mapping[str, str]) -> None:
        """Collect credentials in headers of a request or response."""
        for name, value in headers.items():
            if "cookie" in name.lower():
                for pair in value.split(";"):
                    cookie, _, content = pair.strip().partition("=")
                    if cookie.lower() not in _COOKIE_ATTRIBUTES:
                        self._collect(content)
            elif _is_secret(name):
                self._collect_credentials(value)
            self.collect_text(value)

    def collect_query(self, query: str) -> None:
        """Collect secrets of a query or a form."""
        for name, value in parse_qsl(query):
            if _is_secret(name) or name.lower() in _ALSO_IN_QUERIES:
                self._collect(value)
            self.collect_text(value)

    def collect_text(self, text: str) -> None:
        """Collect secrets in a text: in JSON, in URLs, or by their form."""
        if text[:1] in ("{", "["):
            with contextlib.suppress(ValueError):
                self.collect_json(json.loads(text))
        for pattern in (*_PATTERNS, _AFTER_KEYS):
            for found in pattern.finditer(text):
                self._collect(found[found.lastindex or 0])
        for found in _CRN.finditer(unquote(text)):
            self._collect(found[1])
            self._collect(found[2])
        for one, other in _AWS_ACCOUNT.findall(unquote(text)):
            self._accounts.setdefault(one or other, f"{len(self._accounts) + 1:012d}")
        for name, value in _IN_QUERY.findall(text):
            if _is_secret(name) or name.lower() in _ALSO_IN_QUERIES:
                self._collect(unquote(value))
        for found in _EMAIL.finditer(text):
            self._collect_person(unquote(found[0]))

    def collect_json(self, value: Any, *, is_secret: bool = False) -> None:
        """Collect secrets in decoded JSON: by the names of values, and by the form of texts."""
        if isinstance(value, dict):
            for name, each in value.items():
                self.collect_json(each, is_secret=_is_secret_below(name, is_secret))
        elif isinstance(value, list):
            for each in value:
                self.collect_json(each, is_secret=is_secret)
        elif isinstance(value, str):
            if is_secret:
                self._collect(value)
            self.collect_text(value)

    def _collect_credentials(self, value: str) -> None:
        scheme, _, rest = value.strip().partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                user, _, password = base64.b64decode(rest).decode().partition(":")
                self._collect(user)
                self._collect(password, is_certain=True)
        words = value.split()
        for word in words[1:] if scheme.lower() in _SCHEMES else words:
            self._collect(word.strip(",").partition("=")[2] if "=" in word.rstrip("=,") else word)
            if word.startswith("Credential="):
                self._collect(word.removeprefix("Credential=").partition("/")[0])

    def _collect(self, secret: str, *, is_certain: bool = False) -> None:
        """Collect a secret, to be replaced wherever it occurs.

        Short texts are not collected, because they occur in many others. Plain words are often
        kinds of tokens, so they are only collected with `is_certain`.
        """
        secret = secret.strip().strip(",")
        is_word = _is_word(secret) and not is_certain
        if (
            len(secret) < MIN_SECRET_CHARS
            or secret in self._replacements
            or ANY_MARK.fullmatch(secret)
            or is_word
        ):
            return
        numbers = {each for each in self._replacements.values() if each != KEY_MARK}
        self._replacements[secret] = _mark(secret, len(numbers) + 1)
        self._secrets = None

    def _collect_person(self, address: str) -> None:
        if not address.endswith(".invalid"):
            self._emails.setdefault(
                address.lower(), f"person-{len(self._emails) + 1}@example.invalid"
            )

    # --- replacing --------------------------------------------------------------------------------

    def scrub_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers without secrets."""
        cleaned = {name: self.scrub_text(value) for name, value in headers.items()}
        return {
            name: UNKNOWN_MARK if _is_secret(name) and not ANY_MARK.search(value) else value
            for name, value in cleaned.items()
        }

    def scrub_json(self, value: Any, *, is_secret: bool = False) -> Any:
        """Return decoded JSON without secrets; below a name of a secret numbers become 0."""
        if isinstance(value, dict):
            return {
                self.scrub_text(name): self.scrub_json(
                    each, is_secret=_is_secret_below(name, is_secret)
                )
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self.scrub_json(each, is_secret=is_secret) for each in value]
        if isinstance(value, str):
            text = self.scrub_text(value)
            return UNKNOWN_MARK if is_secret and text == value and value else text
        return 0 if is_secret and type(value) in (int, float) else value

    def scrub_query(self, query: str) -> str:
        """Return a query or a form without secrets."""
        parts = []
        for part in self.scrub_text(query).split("&"):
            name, is_pair, value = part.partition("=")
            if value and _is_secret(unquote(name)) and not ANY_MARK.search(value):
                value = UNKNOWN_MARK
            parts.append(f"{name}{is_pair}{value}")
        return "&".join(parts)

    def scrub_text(self, text: str) -> str:
        """Return a text without secrets; an encoded part with one becomes `UNKNOWN_MARK`."""
        text = self._replaced(text)
        for pattern in _ENCODED:
            text = pattern.sub(
                lambda run: UNKNOWN_MARK if self._is_hidden_in(run[0]) else run[0], text
            )
        return text

    def scrub_content(self, content: bytes) -> bytes:
        """Return bytes unchanged, or `UNKNOWN_MARK` if a secret is in them."""
        return UNKNOWN_MARK.encode() if self.contains_secret(content) else content

    def contains_secret(self, content: bytes, depth: int = _DEPTH) -> bool:
        """Return whether bytes contain a collected secret: plain, compressed, or encoded."""
        if self._has_known(content):
            return True
        if depth == 0:
            return False
        if any(self.contains_secret(each, depth - 1) for each in _unpacked(content)):
            return True
        text = content.decode("latin-1")
        return any(
            self._is_hidden_in(run[0], depth - 1)
            for pattern in _ENCODED
            for run in pattern.finditer(text)
        )

    def _is_hidden_in(self, run: str, depth: int = _DEPTH - 1) -> bool:
        return any(self.contains_secret(each, depth) for each in _decoded(run))

    def _replaced(self, text: str) -> str:
        marks = sorted(self._replacements.items(), key=lambda item: -len(item[0]))
        for secret, mark in marks:
            variants = "|".join(map(re.escape, _variants(secret)))
            text = re.sub(variants, mark, text, flags=re.IGNORECASE)
        for number, mark in self._accounts.items():
            text = re.sub(rf"(?<!\d){number}(?!\d)", mark, text)
        return _EMAIL.sub(lambda found: self._emails.get(unquote(found[0]).lower(), found[0]), text)

    def _has_known(self, content: bytes) -> bool:
        if self._secrets is None:
            self._compile()
        return self._secrets is not None and self._secrets.search(content) is not None

    def _compile(self) -> None:
        if not self._replacements and not self._emails:
            return
        secrets = [*self._replacements, *self._emails]
        plain = {variant for each in secrets for variant in _variants(each)}
        wide = {each.encode(code) for each in secrets for code in ("utf-16-le", "utf-16-be")}
        texts = [re.escape(each.encode()) for each in plain] + [re.escape(each) for each in wide]
        inner = {each for secret in secrets for each in _in_base64(secret.encode())}
        runs = "|".join(map(re.escape, sorted(inner, key=len, reverse=True)))
        self._secrets = re.compile(
            b"(?i:" + b"|".join(texts) + b")" + (b"|" + runs.encode() if runs else b"")
        )


def _is_secret(name: str) -> bool:
    return _NAMES.fullmatch(name) is not None and _HARMLESS.fullmatch(name) is None


def _is_secret_below(name: str, is_secret: bool) -> bool:
    """Return whether a field's value is secret; `is_secret` is whether its whole object is."""
    return _is_secret(name) or (is_secret and not _HARMLESS.fullmatch(name))


def _is_word(text: str) -> bool:
    """Return whether a text is a plain word, such as a kind of token."""
    return re.fullmatch(r"[A-Z]?[a-z]{1,11}", text) is not None


def _mark(secret: str, number: int) -> str:
    """Return the replacement of a secret; that of a JWT is a JWT, because clients decode it."""
    mark = f"{MARK}{number}"
    if not _JWT.fullmatch(secret):
        return mark
    return _JWT_START + base64.urlsafe_b64encode(mark.encode()).decode().rstrip("=")


def _variants(secret: str) -> Iterator[str]:
    """Yield the forms in which texts may contain a secret, except base64 (`_in_base64`)."""
    quoted = quote(secret, safe="")
    yield from dict.fromkeys(
        [
            *(secret, quoted, quote(secret), quote_plus(secret), quote(quoted, safe="")),
            *(json.dumps(secret)[1:-1], html.escape(secret), secret[::-1]),
            secret.encode().hex(),
        ]
    )


def _in_base64(secret: bytes) -> set[str]:
    """Return a secret in base64, for each of the three alignments."""
    found = set()
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + secret).decode().rstrip("=")
        # The first and the last characters also depend on the neighbours of the secret.
        first = (0, 2, 3)[shift]
        last = len(text) - (1 if (shift + len(secret)) % 3 else 0)
        inner = text[first:last]
        if len(inner) >= MIN_SECRET_CHARS:
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found


def _decoded(run: str) -> Iterator[bytes]:
    if _HEX.fullmatch(run):
        yield bytes.fromhex(run)
    plain = "".join(run.split()).rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):  # the run may have other characters before it
        part = plain[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(part + "=" * (-len(part) % 4))


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield the content of compressed bytes: gzip, zlib, bzip2, members of a ZIP archive."""
    if content[:2] == b"\x1f\x8b" or content[:1] == b"\x78":
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(wbits=_GZIP_OR_ZLIB).decompress(content, _UNPACKED_BYTES)
    if content[:3] == b"BZh":
        with contextlib.suppress(OSError):
            yield bz2.BZ2Decompressor().decompress(content, _UNPACKED_BYTES)
    if content[:4] == b"PK\x03\x04":
        yield from _members(content)


def _members(content: bytes) -> Iterator[bytes]:
    import io
    import zipfile

    wrong = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error, EOFError)
    with contextlib.suppress(*wrong), zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield member.read(_UNPACKED_BYTES)
