"""Reads LLVM's bitstream container: nested blocks of records of numbers.

LLVM, "LLVM Bitcode File Format". Memory and time are bounded by the input's size and `MAX_NUMBERS`;
blocks whose items are not requested are skipped by their length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from qwicket.model.errors import InvalidProgram, LimitExceeded

MAX_NUMBERS: Final = 2_000_000
"""Limit on the numbers in all records that are read. A program of a megabyte has fewer."""

_END, _ENTER, _DEFINE, _UNABBREVIATED = range(4)
_LITERAL, _FIXED, _VBR, _ARRAY, _CHAR6, _BLOB = range(6)
_CHARS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
_MAX_WIDTH: Final = 64
_BLOCK_INFO: Final = 0
_SET_BLOCK: Final = 1

Abbreviation = list[tuple[int, int]]
"""Kind of each operand, and its width in bits or its value; the record's code comes first."""


class Block(NamedTuple):
    """A block: its kind, its content as a range of bits, and the width of its abbreviation ids."""

    number: int
    start: int
    end: int
    width: int


class Record(NamedTuple):
    """A record: the code of its kind, and its numbers, none of them negative."""

    code: int
    numbers: list[int]


class Bitstream:
    """Reads blocks.

    Args:
        data: The container without its magic number, which is the first four bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._n_numbers = 0
        self._known: dict[int, list[Abbreviation]] = {}

    @property
    def byte(self) -> int:
        """Position of the reader, in bytes."""
        return self._at // 8

    def top(self) -> Iterator[Block | Record]:
        """Yield the outermost blocks."""
        # The magic number has four bytes, so words of 32 bits stay aligned without it.
        return self.items(Block(-1, 0, 8 * len(self._data), 2))

    def items(self, block: Block) -> Iterator[Block | Record]:
        """Yield the records of a block, and the blocks in it, which are not entered.

        Raises:
            InvalidProgram: The container is damaged.
            LimitExceeded: There are too many numbers.
        """
        known = self._known.get(block.number, ())
        self._counted(len(known))  # because each block copies them
        at, abbreviations = block.start, list(known)
        # The caller may read inner blocks between two steps, so the position is kept here.
        while at + block.width <= block.end:
            self._at = at
            abbreviation_id = self._fixed(block.width)
            if abbreviation_id == _END:
                return
            if abbreviation_id == _ENTER:
                inner = self._enter(block.end)
                at = inner.end
                if inner.number == _BLOCK_INFO:
                    self._read_block_info(inner)
                else:
                    yield inner
                continue
            if abbreviation_id == _DEFINE:
                abbreviations.append(self._definition())
                at = self._at
                continue
            record = self._record(abbreviation_id, abbreviations)
            at = self._at
            yield record
        if block.number >= 0:  # only the outermost level has no end mark
            raise self._damaged()

    def _enter(self, end: int) -> Block:
        number, width = self._vbr(8), self._vbr(4)
        self._align()
        n_words = self._fixed(32)
        block = Block(number, self._at, self._at + 32 * n_words, width)
        if block.end > end or not 2 <= width <= 32:
            raise self._damaged()
        return block

    def _read_block_info(self, block: Block) -> None:
        """Read the abbreviations that this block defines for other kinds of blocks."""
        at, number = block.start, -1
        while at + block.width <= block.end:
            self._at = at
            abbreviation_id = self._fixed(block.width)
            if abbreviation_id == _END:
                return
            if abbreviation_id == _DEFINE:
                self._known.setdefault(number, []).append(self._definition())
            elif abbreviation_id == _UNABBREVIATED:
                record = self._record(abbreviation_id, [])
                if record.code == _SET_BLOCK and record.numbers:
                    number = record.numbers[0]
            else:
                raise self._damaged()
            at = self._at
        raise self._damaged()

    def _definition(self) -> Abbreviation:
        found: Abbreviation = []
        for _ in range(self._counted(self._vbr(5))):
            if self._fixed(1):
                found.append((_LITERAL, self._vbr(8)))
                continue
            kind = self._fixed(3)
            value = self._vbr(5) if kind in (_FIXED, _VBR) else 0
            if not _FIXED <= kind <= _BLOB or value > _MAX_WIDTH or (kind, value) == (_VBR, 1):
                raise self._damaged()
            found.append((kind, value))
        kinds = [kind for kind, _ in found]
        is_scalar = not any(kind in (_ARRAY, _BLOB) for kind in kinds[-1:])
        if not found or _ARRAY in kinds[:-2] or (_ARRAY in kinds and not is_scalar):
            raise self._damaged()
        if _BLOB in kinds[:-1]:
            raise self._damaged()
        return found

    def _record(self, abbreviation_id: int, abbreviations: list[Abbreviation]) -> Record:
        numbers: list[int] = []
        if abbreviation_id == _UNABBREVIATED:
            code = self._vbr(6)
            numbers = [self._vbr(6) for _ in range(self._counted(self._vbr(6)))]
            return Record(code, numbers)
        if abbreviation_id - _UNABBREVIATED > len(abbreviations):
            raise self._damaged()
        operands = abbreviations[abbreviation_id - _UNABBREVIATED - 1]
        self._counted(len(operands))
        for index, (kind, value) in enumerate(operands):
            if kind == _ARRAY:
                length, element = self._counted(self._vbr(6)), operands[index + 1]
                numbers += [self._scalar(*element) for _ in range(length)]
                break
            if kind == _BLOB:
                numbers += self._blob()
                break
            numbers.append(self._scalar(kind, value))
        if not numbers:
            raise self._damaged()
        return Record(numbers[0], numbers[1:])

    def _blob(self) -> bytes:
        length = self._counted(self._vbr(6))
        self._align()
        first = self._at // 8
        if first + length > len(self._data):
            raise self._damaged()
        self._at += 8 * length
        self._align()
        return self._data[first : first + length]

    def _scalar(self, kind: int, value: int) -> int:
        if kind == _LITERAL:
            return value
        if kind == _FIXED:
            return self._fixed(value)
        return _CHARS[self._fixed(6)] if kind == _CHAR6 else self._vbr(value)

    def _fixed(self, width: int) -> int:
        first, shift = divmod(self._at, 8)
        self._at += width
        if self._at > 8 * len(self._data):
            raise self._damaged()
        word = int.from_bytes(self._data[first : first + 9], "little")
        return word >> shift & (1 << width) - 1

    def _vbr(self, width: int) -> int:
        """Read a number in groups of bits; the highest bit of a group says that another follows."""
        if width == 0:
            return 0
        more, value, shift = 1 << width - 1, 0, 0
        while shift < _MAX_WIDTH:
            group = self._fixed(width)
            value |= (group & more - 1) << shift
            if not group & more:
                return value
            shift += width - 1
        raise self._damaged()

    def _align(self) -> None:
        self._at = (self._at + 31) // 32 * 32

    def _counted(self, number: int) -> int:
        """Count numbers before they are read, because some take no bits; return `number`."""
        self._n_numbers += number
        if self._n_numbers > MAX_NUMBERS:
            raise LimitExceeded(f"the bitcode has more than {MAX_NUMBERS:,} numbers")
        return number

    def _damaged(self) -> InvalidProgram:
        return InvalidProgram(f"the bitcode is damaged near byte {self.byte}")
