"""JSON texts that fields of submissions do not expect, and the pairs of them to send."""

from __future__ import annotations

import re
from typing import Any

import msgspec

DEEP = 200_000

NO_JSON = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus Infinity": b"-Infinity",
    "hexadecimal": b"0x10",
    "leading zero": b"01",
    "plus": b"+1",
    "no digits after the point": b"1.",
    "unquoted": b"simulator",
    "single quotes": b"'simulator'",
    "bad escape": b'"\\x41"',
    "cut escape": b'"\\u12"',
    "raw NUL": b'"a\0b"',
    "raw newline": b'"a\nb"',
    "lone high surrogate": b'"\\ud800 and more text"',
    "lone low surrogate": b'"\\udc00 and more text"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "bad UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\x80"',
    "cut UTF-8": b'"\xe2\x98"',
    "bad UTF-8 within": b'{"a":["\xff"]}',
    "bad UTF-8 in a key": b'{"\xff":1}',
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep list, open": b"[" * DEEP,
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep object, open": b'{"a":' * DEEP,
    "comment": b"/* why */ 1",
    "trailing comma": b"[1,]",
    "two values": b"1 2",
    "nothing": b"",
}
ODD = {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "minus zero": b"-0",
    "minus one": b"-1",
    "2^63 - 1": b"%d" % (2**63 - 1),
    "2^63": b"%d" % 2**63,
    "2^64": b"%d" % 2**64,
    "-2^63 - 1": b"%d" % (-(2**63) - 1),
    "5000 digits": b"9" * 5000,
    "1.5": b"1.5",
    "1e3": b"1e3",
    "1e400": b"1e400",
    "1e-400": b"1e-400",
    "empty text": b'""',
    "text": b'"x"',
    "digits as text": b'"10"',
    "other digits as text": '"\u0661\u00b2"'.encode(),
    "escaped NUL": b'"a\\u0000b"',
    "escaped backslash before u0000": b'"a\\\\u0000b"',
    "100 kB of text": b'"' + b"x" * 100_000 + b'"',
    "100 kB of snowmen": ('"' + "☃" * 33_000 + '"').encode(),
    "control characters": b'"\\u0001\\u001f\\u007f\\u2028"',
    "HTML": b'"<script>alert(1)</script>"',
    "path": b'"../../../../etc/passwd"',
    "empty list": b"[]",
    "list of everything": b'[null,true,1,1.5,"x",[],{}]',
    "100 000 nulls": b"[" + b"null," * 99_999 + b"null]",
    "empty object": b"{}",
    "object": b'{"a":1,"__class__":"os.system","":null}',
    "same key twice": b'{"a":1,"a":2}',
    "object with a NUL key": b'{"a\\u0000b":1}',
    "65 lists": b"[" * 65 + b"]" * 65,
}

EVERYWHERE = ("null", "digits as text", "2^64", "object")
"""Sent in every field: one value of each JSON type, one of them over any bound."""
IN_TEXTS = ("empty text", "escaped NUL", "100 kB of snowmen", "control characters")
"""Sent in every field of texts: nothing, what no database stores, too much, and no print."""
LATE = {
    *("surrogate in UTF-8", "bad UTF-8", "overlong UTF-8", "cut UTF-8"),
    *("bad UTF-8 within", "bad UTF-8 in a key"),
}
"""What msgspec takes for JSON where a field takes any, so that who reads the field must refuse."""
_OTHER_TYPE = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`$")


def matters(text: str, of: Any) -> bool:
    """Return whether a value is sent in every field of this type, however many fields there are.

    That is a number or list of the type that the field declares (it may be outside the field's
    bounds), a text of `IN_TEXTS`, foreign digits where the type is a number, every value where a
    field takes any JSON, and `EVERYWHERE`.
    """
    if text in EVERYWHERE or of is msgspec.Raw:
        return True
    if text == "other digits as text":  # `isdigit` holds of "²", which is no number for `int`
        return matters("minus one", of)
    if ODD[text].startswith(b'"') and text not in IN_TEXTS:
        return False
    try:
        msgspec.json.decode(ODD[text], type=of)
    except msgspec.MsgspecError as error:
        other = _OTHER_TYPE.match(str(error))
        return other is None or (other["got"] == "float" and "int" in other["expected"])
    return True
