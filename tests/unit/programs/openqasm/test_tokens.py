"""Tokens, places and what surrounds them: comments, line breaks, annotations."""

from __future__ import annotations

import functools

import pytest

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
from qwicket.programs.openqasm.bounds import OpenQASMLimits
from qwicket.programs.openqasm.tokens import Tokens
from unit.programs.openqasm.corpus import HEAD_2, HEAD_3
from unit.programs.openqasm.reading import listing, read3, why3, with2, with3


def texts(text: str) -> list[str]:
    return [token for token in Tokens(text).texts if token]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cx q[0], q[1];", ["cx", "q[0]", ",", "q[1]", ";"]),
        ("q [0]", ["q", "[", "0", "]"]),
        ("q[i]", ["q", "[", "i", "]"]),
        ("q[0:2]", ["q", "[", "0", ":", "2", "]"]),
        ("1 1.5 .5 1. 1e3 1.5E-3 1_000", ["1", "1.5", ".5", "1.", "1e3", "1.5E-3", "1_000"]),
        ("0xfF 0b01 0o17", ["0xfF", "0b01", "0o17"]),
        ("a<=b>>=2**3", ["a", "<=", "b", ">>=", "2", "**", "3"]),
        ("a->b++c&&d||!e", ["a", "->", "b", "++", "c", "&&", "d", "||", "!", "e"]),
        ("\"01\" 'x.inc' $12", ['"01"', "'x.inc'", "$12"]),
        ("θ_1 π", ["θ_1", "π"]),
        ("pragma a b; c\nx", ["pragma a b; c", "x"]),
        ("pragmatic", ["pragmatic"]),
        ("x// y\nz/* a\n * b */w", ["x", "z", "w"]),
        ("x /*/ y */ z", ["x", "z"]),
        ("\n  @note any ; thing\nx", ["\n  @note any ; thing", "x"]),
        ("ctrl @ x", ["ctrl", "@", "x"]),
    ],
)
def test_text_falls_into_these_tokens(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "at", "place"),
    [
        ("x q;", 0, "line 1, column 1"),
        ("x q;", 1, "line 1, column 3"),
        ("// a\n\n  x q;", 1, "line 3, column 5"),
        ("/* a\n b */ x q;", 0, "line 2, column 7"),
        ("x q;", 3, "line 1, column 5"),
        ("x\n @note", 1, "line 2, column 2"),
    ],
)
def test_a_token_knows_its_place(text: str, at: int, place: str) -> None:
    assert Tokens(text).place(at) == place


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_all_three_line_breaks_count_lines_alike(line_break: str) -> None:
    text = line_break.join(["OPENQASM 3.0;", "// comment", "qubit q;", "foo q;"])
    with pytest.raises(InvalidProgram, match=r"^line 4, column 1: gate 'foo' is not known"):
        read3(text)


def test_a_byte_order_mark_is_passed_over() -> None:
    text = f"\ufeff{HEAD_3}qubit q; x q;"
    assert listing(read3(text)) == ["x 0"]


def test_comments_of_both_kinds_mean_nothing_in_both_versions() -> None:
    body = "x q[0]; // y q[0];\n/* z q[0]; \n */ h /* inside */ q[0];"
    assert listing(with2(body)) == listing(with3(body)) == ["x 0", "h 0"]


def test_annotations_mean_nothing_in_version_3() -> None:
    body = "@a.b {[( \"\nx q[0];\n  @c\n@d don't\nh q[0];"
    assert listing(with3(body)) == ["x 0", "h 0"]


def test_an_annotation_on_the_first_line_means_nothing() -> None:
    assert listing(read3("@note\nqubit q;\nU(0, 0, 0) q;")) == ["u(0,0,0) 0"]


def test_version_2_has_no_annotations() -> None:
    with pytest.raises(InvalidProgram, match="line 4, column 2: expected a statement, found '@a'"):
        read_openqasm2(f"{HEAD_2}qreg q[1];\n @a\nx q[0];".encode(), Limits())


def test_an_error_quotes_a_long_token_in_part() -> None:
    expected = f"line 4, column 3: '{'a' * 40}…' is not declared"
    assert why3(f"x {'a' * 500};") == expected


def test_an_error_shows_unprintable_letters_by_number() -> None:
    assert why3("x q[0] \x00;") == r"line 4, column 8: expected ';' after the gate, found '\x00'"


def test_the_end_of_the_text_is_named() -> None:
    expected = "line 4, column 7: expected ';' after the gate, found the end of the program"
    assert why3("x q[0]") == expected


def test_a_comment_without_an_end_is_named() -> None:
    expected = "line 4, column 8: expected ';' after the gate, found a comment without an end"
    assert why3("x q[0] /* and so on") == expected


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidProgram, match="the text is not UTF-8 at byte 9"):
        read_openqasm3(b"qubit q; \xff", Limits())


def test_a_text_above_the_limit_is_refused_by_its_size() -> None:
    limits = Limits.from_names(program_text_bytes=10)
    with pytest.raises(LimitExceeded, match="11 bytes; the limit 'program_text_bytes' is 10"):
        read_openqasm3(b"qubit q;   ", limits)


def test_a_text_of_more_tokens_than_the_limit_is_refused() -> None:
    text = b"qubit q;U(0,0,pi/2)q;"  # 3 tokens and 12
    own = functools.partial(Limits.from_names, OpenQASMLimits)
    assert len(read_openqasm3(text, own(openqasm_tokens=15))[0].ops) == 1
    with pytest.raises(LimitExceeded, match="openqasm_tokens: 15 is above the limit of 14"):
        read_openqasm3(text, own(openqasm_tokens=14))


def test_a_character_that_cannot_be_seen_is_named() -> None:
    named = {
        "\u00a0": "U+00A0 (no-break space)",
        "\u200b": "U+200B (zero width space)",
        "\ufeff": "U+FEFF (zero width no-break space)",
        "\u2028": "U+2028 (line separator)",
    }
    for character, name in named.items():
        for text, column in ((f"x{character}q[0];", 2), (f"bit{character}a;", 4)):
            said = why3(text)
            assert said.startswith(f"line 4, column {column}: "), said
            assert f"found the invisible character {name}" in said, said


def test_digits_of_other_scripts_are_no_numbers() -> None:
    assert why3("rx(٣) q[0];") == "line 4, column 4: expected a value, found '٣'"
