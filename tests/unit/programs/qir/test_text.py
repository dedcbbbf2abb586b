"""QIR's base profile as LLVM's text."""

from __future__ import annotations

import base64
import contextlib
import time
from math import pi

import pytest

from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import qir
from support.for_each import for_each

LIMITS = Limits()
HEAD = "define void @main() #0 {\nentry:\n"
TAIL = '  ret void\n}\nattributes #0 = { "entry_point" }\n'


def read(text: str, limits: Limits = LIMITS) -> QubitCircuit:
    (circuit,) = qir.read(text.encode(), limits)
    return circuit


def pointer(number: int, kind: str = "") -> str:
    type_ = f"%{kind}*" if kind else "ptr"
    return f"{type_} null" if number == 0 else f"{type_} inttoptr (i64 {number} to {type_})"


def call(name: str, *operands: str) -> str:
    return f"  call void @__quantum__{name}({', '.join(operands)})\n"


def body(*calls: str) -> str:
    return HEAD + "".join(calls) + TAIL


def gates(*calls: str) -> list[Op]:
    ops = read(body(*calls)).ops
    return [op for op in ops if not isinstance(op, Measure)]


def refusal(text: str, limits: Limits = LIMITS) -> str:
    with pytest.raises((InvalidProgram, LimitExceeded)) as caught:
        read(text, limits)
    return caught.value.detail


TYPED = """; ModuleID = 'bell'
source_filename = "bell"
target triple = "x86_64-unknown-linux-gnu"

%Qubit = type opaque
%Result = type opaque

@0 = internal constant [3 x i8] c"r0\\00"
@1 = internal constant [3 x i8] c"r1\\00"

define i64 @"bell pair"() local_unnamed_addr #0 {
entry:
  call void @__quantum__rt__initialize(i8* null)
  br label %body

body:                                             ; preds = %entry
  tail call void @__quantum__qis__h__body(%Qubit* null), !dbg !7
  call void @__quantum__qis__cnot__body(%Qubit* null, %Qubit* nonnull inttoptr (i64 1 to %Qubit*))
  br label %measurements

measurements:
  call void @__quantum__qis__mz__body(%Qubit* null, %Result* writeonly null) #1
  call void @__quantum__qis__mz__body(%Qubit* inttoptr (i64 1 to %Qubit*), %Result* writeonly inttoptr (i64 1 to %Result*))
  br label %output

output:
  call void @__quantum__rt__tuple_record_output(i64 2, i8* null)
  call void @__quantum__rt__result_record_output(%Result* null, i8* getelementptr inbounds ([3 x i8], [3 x i8]* @0, i32 0, i32 0))
  call void @__quantum__rt__result_record_output(%Result* inttoptr (i64 1 to %Result*), i8* getelementptr inbounds ([3 x i8], [3 x i8]* @1, i32 0, i32 0))
  ret i64 0
}

declare void @__quantum__qis__h__body(%Qubit*)
declare void @__quantum__qis__mz__body(%Qubit*, %Result* writeonly) #1

attributes #0 = { "entry_point" "qir_profiles"="base_profile" "required_num_qubits"="2" "required_num_results"="2" }
attributes #1 = { "irreversible" }

!llvm.module.flags = !{!0, !1}
!0 = !{i32 1, !"qir_major_version", i32 1}
!1 = !{i32 1, !"dynamic_qubit_management", i1 false}
"""  # noqa: E501  # as compilers write it

BELL = QubitCircuit(
    2,
    (Gate("h", (0,)), Gate("x", (1,), (), (0,)), Measure(0, 0), Measure(1, 1)),
    (Register("c", 2),),
)


def test_four_blocks_with_typed_pointers_are_read() -> None:
    assert read(TYPED) == BELL


def test_opaque_pointers_are_read() -> None:
    text = body(
        call("qis__h__body", "ptr null"),
        call("qis__cnot__body", "ptr null", pointer(1)),
        call("qis__mz__body", "ptr null", "ptr null"),
        call("qis__mz__body", pointer(1), pointer(1)),
    )
    assert read(text) == BELL


@pytest.mark.parametrize("wrap", [1_000, 76])
def test_base64_of_the_text_is_read(wrap: int) -> None:
    text = base64.b64encode(TYPED.encode()).decode()
    lines = [text[at : at + wrap] for at in range(0, len(text), wrap)]
    assert read("\n".join(lines) + "\n") == BELL


@pytest.mark.parametrize(
    ("name", "flat"),
    [
        *((f"{name}__body", name) for name in ("x", "y", "z", "h", "s", "t", "sdg", "tdg")),
        ("s__adj", "sdg"),
        ("t__adj", "tdg"),
        ("i__body", "id"),
    ],
)
def test_gates_without_angles(name: str, flat: str) -> None:
    assert gates(call(f"qis__{name}", pointer(3))) == [Gate(flat, (3,))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnot__body", Gate("x", (5,), (), (2,))),
        ("cx__body", Gate("x", (5,), (), (2,))),
        ("cy__body", Gate("y", (5,), (), (2,))),
        ("cz__body", Gate("z", (5,), (), (2,))),
        ("swap__body", Gate("swap", (2, 5))),
    ],
)
def test_gates_on_two_qubits(name: str, expected: Gate) -> None:
    assert gates(call(f"qis__{name}", pointer(2), pointer(5))) == [expected]


def test_the_last_operand_of_ccx_is_its_target() -> None:
    found = gates(call("qis__ccx__body", pointer(0), pointer(1), pointer(2)))
    assert found == [Gate("x", (2,), (), (0, 1))]


@for_each("name", ["rx", "ry", "rz", "rxx", "ryy", "rzz"])
def test_angles_come_before_qubits(name: str) -> None:
    targets = (0, 1) if len(name) == 3 else (0,)
    found = gates(call(f"qis__{name}__body", "double 5.000000e-01", *map(pointer, targets)))
    assert found == [Gate(name, targets, (0.5,))]


def test_gates_of_cuda_q_have_its_matrices() -> None:
    # phased_rx(pi/2, phi) is gpi2 in this server's table, with the angle in radians.
    half = f"double {pi / 2!r}"
    found = gates(
        call("qis__r1__body", "double 0.25", pointer(0)),
        call("qis__u3__body", "double 0.1", "double 0.2", "double 0.3", pointer(0)),
        call("qis__phased_rx__body", half, "double 0.7", pointer(0)),
    )
    assert found[:2] == [Gate("p", (0,), (0.25,)), Gate("u", (0,), (0.1, 0.2, 0.3))]
    assert found[2] == Gate("u", (0,), (pi / 2, 0.7 - pi / 2, pi / 2 - 0.7))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x3FE0000000000000", 0.5),
        ("0x400921FB54442D18", pi),  # IEEE 754 of the nearest double
        ("0xBFF0000000000000", -1.0),
        ("f0x3FE0000000000000", 0.5),
        ("-1.500000e+00", -1.5),
        ("2.0", 2.0),
    ],
)
def test_doubles_are_decimal_or_hexadecimal(text: str, value: float) -> None:
    found = gates(call("qis__rx__body", f"double {text}", pointer(0)))
    assert found == [Gate("rx", (0,), (value,))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0x7FF8000000000000", "an angle must be within ±1e+100, not nan"),
        ("0x7FF0000000000000", "an angle must be within ±1e+100, not inf"),
        ("1.0e300", "an angle must be within ±1e+100, not 1e+300"),
        ("0xK3FFF8000000000000000", "an angle must be a constant double, not '0xK3FFF"),
        ("%theta", "an angle must be a constant double, not '%theta'"),
        ("undef", "an angle must be a constant double, not 'undef'"),
    ],
)
def test_other_angles_are_refused(text: str, reason: str) -> None:
    found = refusal(body(call("qis__rx__body", f"double {text}", pointer(0))))
    assert found.startswith("line 3, column ")
    assert reason in found


def test_measurements_in_the_middle_and_resets() -> None:
    circuit = read(
        body(
            call("qis__mz__body", pointer(0), pointer(1)),
            call("qis__reset__body", pointer(0)),
            call("qis__mresetz__body", pointer(1), pointer(0)),
        )
    )
    ops = (Measure(0, 1), Reset(0), Measure(1, 0), Reset(1))
    assert circuit == QubitCircuit(2, ops, (Register("c", 2),))


def test_a_measurement_that_returns_its_result() -> None:
    circuit = read(
        body(
            "  %r = call %Result* @__quantum__qis__m__body(%Qubit* null)\n",
            call("rt__result_record_output", "%Result* %r", "i8* null"),
        )
    )
    assert circuit == QubitCircuit(1, (Measure(0, 0),), (Register("c", 1),))


def test_bits_are_the_recorded_results_in_the_order_of_recording() -> None:
    measured = [call("qis__mz__body", pointer(k), pointer(k)) for k in range(3)]
    records = [call("rt__result_record_output", pointer(k), "ptr null") for k in (2, 0)]
    circuit = read(body(*measured, *records))
    assert circuit == QubitCircuit(3, (Measure(0, 1), Measure(2, 0)), (Register("c", 2),))


def test_a_result_that_is_recorded_twice_has_two_bits() -> None:
    records = [call("rt__result_record_output", pointer(0), "ptr null")] * 2
    circuit = read(body(call("qis__mz__body", pointer(0), pointer(0)), *records))
    assert circuit.ops == (Measure(0, 0), Measure(0, 1))


def test_a_qubit_with_an_unrecorded_result_cannot_be_used_again() -> None:
    calls = [call("qis__mz__body", pointer(k), pointer(k)) for k in range(2)]
    calls.append(call("rt__result_record_output", pointer(1), "ptr null"))
    calls.insert(1, call("qis__h__body", pointer(0)))
    text = "qubit 0 is used again after it was measured, but its result 0 is not recorded"
    assert text in refusal(body(*calls))
    calls.insert(1, call("qis__reset__body", pointer(0)))
    assert read(body(*calls)).ops == (Reset(0), Gate("h", (0,)), Measure(1, 0))


def test_a_program_without_measurements_measures_every_qubit() -> None:
    circuit = read(body(call("qis__h__body", pointer(1))))
    assert circuit.ops == (Gate("h", (1,)), Measure(0, 0), Measure(1, 1))


@pytest.mark.parametrize("name", ["required_num_qubits", "requiredQubits", "num_required_qubits"])
def test_the_entry_point_says_how_many_qubits_it_has(name: str) -> None:
    text = body(call("qis__h__body", pointer(0)))
    known = f'"entry_point" "{name}"="3"'
    assert read(text.replace('"entry_point"', known)).n_qubits == 3
    assert read(text.replace("#0 {", known + " {")).n_qubits == 3  # without a group
    text = text.replace("null", "inttoptr (i64 3 to ptr)").replace('"entry_point"', known)
    reason = "qubit 3 is outside the 3 that the entry point requires"
    assert refusal(text) == f"line 3, column 3: {reason}"


REFUSED = {
    "a branch": (
        HEAD + "  br i1 %0, label %a, label %b\n}\n",
        "line 3, column 3: 'br' with a condition: only straight calls of the base profile are read",
    ),
    "a loop": (
        HEAD + "  br label %entry\nentry:\n  br label %entry\nmore:\n  ret void\n}\n",
        "line 6, column 1: block 'more' is not the next one",
    ),
    "an instruction": (
        body("  %a = alloca i64\n"),
        "line 3, column 8: instruction 'alloca' is not read",
    ),
    "a function of its own": (
        body("  call void @other()\n"),
        "line 3, column 3: 'other' is a function of the program's own",
    ),
    "two functions": (
        body() + HEAD + TAIL,
        "line 6, column 1: a second function: programs of one function are read",
    ),
    "a controlled gate": (
        body(call("qis__x__ctl", "ptr %c", pointer(0))),
        "is for controls in an array, which the base profile does not have",
    ),
    "an allocation": (
        body("  %q = call ptr @__quantum__rt__qubit_allocate()\n"),
        "is for qubits that are allocated while the program runs",
    ),
    "a result that is read": (
        body("  %b = call i1 @__quantum__qis__read_result__body(ptr null)\n"),
        "is for results that are read while the program runs",
    ),
    "a gate that is not known": (
        body(call("qis__hh__body", pointer(0))),
        "'__quantum__qis__hh__body' is not known. Did you mean '__quantum__qis__h__body'?",
    ),
    "a variable for a qubit": (
        body(call("qis__h__body", "ptr %q")),
        "a qubit must be a constant pointer, not '%q'",
    ),
    "a number for a qubit": (
        body(call("qis__h__body", "i64 1")),
        "a qubit must be a constant pointer, not '1'",
    ),
    "the same qubit twice": (
        body(call("qis__cnot__body", pointer(1), pointer(1))),
        "acts on the same qubit twice",
    ),
    "too few operands": (
        body(call("qis__cnot__body", pointer(1))),
        "__quantum__qis__cnot__body takes 2 operands, not 1",
    ),
    "a negative pointer": (
        body(call("qis__h__body", "ptr inttoptr (i64 -1 to ptr)")),
        "a pointer must be a whole number below 10⁹, not '-1'",
    ),
    "no function": ('source_filename = "a"\n', "the program defines no function"),
    "other text": ("hello there", "line 1, column 1: expected a section of LLVM's text"),
    "an end in the body": (HEAD + call("qis__h__body", pointer(0)), "the end of the program"),
    "an end in a call": (HEAD + "  call void @__quantum__qis__h__body(", "the end of the program"),
    "a wrong attribute": (
        body().replace('"entry_point"', '"required_num_qubits"="two"'),
        "required_num_qubits must be a whole number below 10⁹, not 'two'",
    ),
}


@for_each("case", REFUSED)
def test_what_is_refused_is_named_with_its_place(case: str) -> None:
    text, reason = REFUSED[case]
    found = refusal(text)
    assert reason in found
    assert found.startswith("line ")


@pytest.mark.parametrize(
    ("name", "maximum", "calls"),
    [
        ("clifford_qubits", 3, [call("qis__h__body", pointer(3))]),
        ("clbits", 3, [call("qis__mz__body", pointer(0), pointer(3))]),
        ("operations", 3, [call("qis__h__body", pointer(0))] * 4),
    ],
)
def test_limits_are_named(name: str, maximum: int, calls: list[str]) -> None:
    limits = Limits.from_names(**{name: maximum})
    found = refusal(body(*calls), limits)
    assert name in found
    assert str(maximum) in found
    assert found.startswith("line ")


def test_a_result_that_is_measured_and_recorded_often_is_counted_before_it_is_written() -> None:
    calls = [call("qis__mz__body", "ptr null", "ptr null")] * 1_000
    calls += [call("rt__result_record_output", "ptr null", "ptr null")] * 2_000
    assert "operations: 2000000 or more is above the limit of 1000000" in refusal(body(*calls))


def test_the_size_of_the_text_is_bounded() -> None:
    limits = Limits.from_names(program_text_bytes=100)
    assert refusal(TYPED, limits).startswith("program_text_bytes: ")


@pytest.mark.parametrize("bitcode", [b"BC\xc0\xde5\x14\0\0", b"\xde\xc0\x17\x0b\0\0\0\0"])
def test_bytes_that_are_not_text_are_refused(bitcode: bytes) -> None:
    for source in (bitcode, base64.b64encode(bitcode), b"\xff\xfe;"):
        with pytest.raises(InvalidProgram):
            qir.read(source, LIMITS)


MEGABYTE = 1 << 20
HOSTILE = {
    "calls": body(*[call("qis__h__body", pointer(1))] * 15_000),
    "brackets": HEAD + "  call void @f(" + "[" * (MEGABYTE // 2),
    "signs": "=" * MEGABYTE,
    "quotes": '"' * MEGABYTE,
    "names": HEAD + "  call void " + "%a=" * (MEGABYTE // 4),
    "blocks": HEAD + "".join(f"br label %b{k}\nb{k}:\n" for k in range(40_000)) + TAIL,
    "attributes": body() + 'attributes #1 = { "a"="b" }\n' * 35_000,
    "numbers": body(call("qis__rx__body", "double 1." + "1" * 900_000, pointer(0))),
    "blanks": " " * MEGABYTE,
    "comments": ";\n" * (MEGABYTE // 2),
    "base64": "A" * MEGABYTE,
    "names of metadata": "!a = " * (MEGABYTE // 5),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_megabyte_is_read_or_refused_in_two_seconds(case: str) -> None:
    began = time.thread_time()
    with contextlib.suppress(InvalidProgram, LimitExceeded):
        qir.read(HOSTILE[case].encode()[:MEGABYTE], LIMITS)
    assert time.thread_time() - began < 2.0
