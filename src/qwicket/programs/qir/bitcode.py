"""Reader of QIR as LLVM's bitcode: the same programs as in text, without LLVM.

Reads the few records that the base profile can contain (LLVM, "LLVM Bitcode File Format", and
`LLVMBitCodes.h` for their numbers), and refuses every instruction that is not one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.qir.bitstream import Bitstream, Block, Record
from qwicket.programs.qir.calls import CircuitBuilder, Value, shown

_MODULE, _ATTRIBUTES, _GROUPS, _CONSTANTS, _FUNCTION = 8, 9, 10, 11, 12
_TYPES, _STRINGS = 17, 23
"""Numbers of blocks."""
_WRAPPER: Final = b"\xde\xc0\x17\x0b"
# Codes of records: module, types, constants, function.
_VERSION, _GLOBAL, _FUNCTION_RECORD, _OLD_ALIAS, _ALIAS, _IFUNC = 1, 7, 8, 9, 14, 15
_SUPPORTED: Final = 2
"""Version of modules since LLVM 5 of 2017: names are in a table of strings."""
_NUMBER_OF_TYPES, _VOID, _FLOAT, _DOUBLE, _INTEGER_TYPE = 1, 2, 3, 4, 7
_STRUCT_NAME, _FUNCTION_TYPE = 19, 21
_SET_TYPE, _NULL, _INTEGER, _FLOAT_BITS, _CAST = 1, 2, 4, 6, 11
_INT_TO_POINTER: Final = 10
_DECLARE_BLOCKS, _RETURN, _BRANCH, _CALL, _LOCATION_AGAIN, _LOCATION = 1, 10, 11, 34, 33, 35
_EXPLICIT_TYPE, _FAST_MATH = 1 << 15, 1 << 17
"""Bits of a call's flags."""
_OF_FUNCTION: Final = 0xFFFFFFFF
"""Place of attributes that are those of the function itself."""
_INSTRUCTIONS: Final = {
    2: "binary operation",
    3: "cast",
    5: "select",
    12: "switch",
    15: "unreachable",
    16: "phi",
    19: "alloca",
    20: "load",
    28: "compare",
    43: "getelementptr",
    44: "store",
}
_STRAIGHT: Final = "only straight calls of the base profile are read"


class _Function(NamedTuple):
    """A function: its type, its list of attributes, and where its name is in the strings."""

    type_: int
    attributes: int
    is_declaration: bool
    name: slice


class _Expression(NamedTuple):
    """A constant expression: a cast of a value; any other kind keeps -1."""

    operation: int = -1
    value: int = -1


_Entry = Value | _Function | _Expression


class _Type(NamedTuple):
    code: int
    numbers: list[int]


class BitcodeReader:
    """Reads one module.

    Args:
        data: The bitcode, with its mark, or in a wrapper.
        limits: Bounds on what the program may ask for.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        if data.startswith(_WRAPPER):
            # Five words: mark, version, offset, size, processor.
            offset = int.from_bytes(data[8:12], "little")
            data = data[offset : offset + int.from_bytes(data[12:16], "little")]
        self._bits = Bitstream(data[4:])
        self._limits = limits
        self._types: list[_Type] = []
        self._values: list[_Entry] = []
        self._groups: dict[int, dict[str, str]] = {}
        self._lists: list[list[int]] = []
        self._strings = b""
        self._body: Block | None = None
        self._n_instructions = 0

    def circuit(self) -> QubitCircuit:
        """Return the circuit of the entry point.

        Raises:
            InvalidProgram: The module is refused; the detail says where and why.
            LimitExceeded: A limit is exceeded.
        """
        try:
            self._read_top()
            function = self._entry_point()
            builder = CircuitBuilder(self._limits, self._attributes(function))
            self._run(function, builder)
            return builder.circuit()
        except (IndexError, ValueError):  # a record is too short, or names what does not exist
            raise InvalidProgram(f"the bitcode is damaged near byte {self._bits.byte}") from None
        except InvalidProgram as error:
            raise InvalidProgram(f"{self._place()}{error.detail}") from None
        except LimitExceeded as error:
            raise LimitExceeded(f"{self._place()}{error.detail}", field=error.field) from None

    def _place(self) -> str:
        return f"instruction {self._n_instructions}: " if self._n_instructions else ""

    # --- the module -------------------------------------------------------------------------------

    def _read_top(self) -> None:
        has_module = False
        for item in self._bits.top():
            if not isinstance(item, Block):
                continue
            if item.number == _MODULE:
                if has_module:
                    raise InvalidProgram("the bitcode has several modules: send one")
                has_module = True
                self._read_module(item)
            elif item.number == _STRINGS:
                for record in self._bits.items(item):
                    if isinstance(record, Record) and record.code == 1:
                        self._strings = bytes(number & 0xFF for number in record.numbers)
        if not has_module:
            raise InvalidProgram("the bitcode has no module")

    def _read_module(self, module: Block) -> None:
        for item in self._bits.items(module):
            if isinstance(item, Record):
                self._read_module_record(item)
            elif item.number == _TYPES:
                self._read_types(item)
            elif item.number == _CONSTANTS:
                self._read_constants(item)
            elif item.number == _GROUPS:
                self._read_groups(item)
            elif item.number == _ATTRIBUTES:
                records = [each for each in self._bits.items(item) if isinstance(each, Record)]
                self._lists += [each.numbers for each in records if each.code == 2]
            elif item.number == _FUNCTION:
                if self._body is not None:
                    text = "the module has a second function: programs of one function are read"
                    raise InvalidProgram(text)
                self._body = item

    def _read_module_record(self, record: Record) -> None:
        numbers = record.numbers
        if record.code == _VERSION and numbers[0] != _SUPPORTED:
            raise InvalidProgram("bitcode of LLVM 4 and older is not read")
        if record.code == _FUNCTION_RECORD:
            name = slice(numbers[0], numbers[0] + numbers[1])
            self._values.append(_Function(numbers[2], numbers[6], bool(numbers[4]), name))
        elif record.code in (_GLOBAL, _ALIAS, _OLD_ALIAS, _IFUNC):
            self._values.append("a global value")

    def _read_types(self, block: Block) -> None:
        for record in self._bits.items(block):
            if isinstance(record, Record) and record.code not in (_NUMBER_OF_TYPES, _STRUCT_NAME):
                self._types.append(_Type(record.code, record.numbers))

    def _read_constants(self, block: Block) -> None:
        code = _INTEGER_TYPE
        for record in self._bits.items(block):
            if not isinstance(record, Record):
                continue
            if record.code == _SET_TYPE:
                code = self._types[record.numbers[0]].code
            else:
                self._values.append(_constant(code, record))

    def _read_groups(self, block: Block) -> None:
        """Read attributes that are texts, such as the number of qubits of the entry point."""
        for record in self._bits.items(block):
            if isinstance(record, Record) and record.code == 3:
                number, place, *parts = record.numbers
                if place == _OF_FUNCTION:
                    self._groups[number] = _texts(parts)

    def _entry_point(self) -> _Function:
        defined = [
            value
            for value in self._values
            if isinstance(value, _Function) and not value.is_declaration
        ]
        if len(defined) != 1 or self._body is None:
            text = f"the module defines {len(defined)} functions: programs of one function are read"
            raise InvalidProgram(text)
        return defined[0]

    def _attributes(self, function: _Function) -> Mapping[str, str]:
        found: dict[str, str] = {}
        if function.attributes:  # they are counted from 1
            for group in dict.fromkeys(self._lists[function.attributes - 1]):
                found |= self._groups.get(group, {})
        return found

    # --- the body ---------------------------------------------------------------------------------

    def _run(self, function: _Function, builder: CircuitBuilder) -> None:
        assert self._body is not None  # `_entry_point` has checked it
        self._values += ["an argument"] * (len(self._types[function.type_].numbers) - 2)
        block, has_ended = 0, False
        for item in self._bits.items(self._body):
            if isinstance(item, Block):
                if item.number == _CONSTANTS:
                    self._read_constants(item)
                continue
            if item.code in (_DECLARE_BLOCKS, _LOCATION, _LOCATION_AGAIN):
                continue
            self._n_instructions += 1
            if has_ended:
                raise InvalidProgram(f"a block after the end: {_STRAIGHT}")
            if item.code == _CALL:
                self._call(item.numbers, builder)
            elif item.code == _RETURN:
                has_ended = True
            elif item.code == _BRANCH:
                block += 1
                if item.numbers != [block]:
                    raise InvalidProgram(f"a branch to another block than the next: {_STRAIGHT}")
            else:
                name = _INSTRUCTIONS.get(item.code, f"number {item.code}")
                raise InvalidProgram(f"instruction {shown(name)} is not read: {_STRAIGHT}")
        if not has_ended:
            raise InvalidProgram("the function has no end")

    def _call(self, numbers: Sequence[int], builder: CircuitBuilder) -> None:
        flags, at = numbers[1], 2
        if flags & _FAST_MATH:
            at += 1
        if not flags & _EXPLICIT_TYPE:
            raise InvalidProgram("a call without the type of its function is not read")
        type_ = self._types[numbers[at]]
        callee = self._value(numbers[at + 1])
        if type_.code != _FUNCTION_TYPE or not isinstance(callee, _Function):
            raise InvalidProgram("expected a call of a function by its name")
        # The numbers of a function's type: is it variadic, type of its result, of each operand.
        return_type, n_operands = type_.numbers[1], len(type_.numbers) - 2
        values = [self._operand(number) for number in numbers[at + 2 : at + 2 + n_operands]]
        name = self._strings[callee.name].decode("utf-8", "replace")
        returned = ""
        if self._types[return_type].code != _VOID:
            returned = f"%{len(self._values)}"
        builder.add(name, values, returned)
        if returned:
            self._values.append(returned)

    def _value(self, distance: int) -> _Entry:
        """Return a value by its distance from the next new one."""
        number = len(self._values) - distance
        if not 0 <= number < len(self._values):
            raise InvalidProgram("an operand is neither a constant nor an earlier result")
        return self._values[number]

    def _operand(self, distance: int) -> Value:
        value = self._value(distance)
        if isinstance(value, _Expression):
            number = self._values[value.value] if value.operation == _INT_TO_POINTER else ""
            if isinstance(number, str) and number.isdigit():
                return int(number)
            return "a constant expression"
        return "a function" if isinstance(value, _Function) else value


def _constant(type_: int, record: Record) -> _Entry:
    """Return a constant, as the builder of circuits expects it."""
    numbers = record.numbers
    is_float = type_ in (_FLOAT, _DOUBLE)
    if record.code == _NULL:
        if is_float:
            return 0.0
        return "0" if type_ == _INTEGER_TYPE else 0
    if record.code == _INTEGER:
        magnitude = numbers[0] >> 1  # the lowest bit is the sign
        return str(-magnitude if numbers[0] & 1 else magnitude)
    if record.code == _FLOAT_BITS and is_float:
        form, size = (">d", 8) if type_ == _DOUBLE else (">f", 4)
        return float(struct.unpack(form, (numbers[0] & (1 << 8 * size) - 1).to_bytes(size))[0])
    if record.code == _CAST:
        return _Expression(numbers[0], numbers[2])
    return _Expression()


def _texts(parts: list[int]) -> dict[str, str]:
    """Return the attributes of a group that are texts; stop at a kind of unknown length."""
    found: dict[str, str] = {}
    at = 0
    # Kinds: 0 flag, 1 number, 3 text, 4 text with a value, 5 and 6 types.
    while at < len(parts):
        kind, at = parts[at], at + 1
        if kind in (0, 5):
            at += 1
        elif kind in (1, 6):
            at += 2
        elif kind in (3, 4):
            key, at = _text(parts, at)
            found[key] = ""
            if kind == 4:
                found[key], at = _text(parts, at)
        else:
            break
    return found


def _text(parts: list[int], at: int) -> tuple[str, int]:
    """Return a text that ends with 0, and where the next part begins."""
    try:
        end = parts.index(0, at)
    except ValueError:
        end = len(parts)
    return bytes(number & 0xFF for number in parts[at:end]).decode("utf-8", "replace"), end + 1
