"""Mutants of a module: small changes that a test should notice.

`make mutants FILE=src/qwicket/…py` makes ten mutants of a module and says which tests fail with
each. The choice depends on the text of the module alone, so it is the same before and after a
change of the tests. `--table` does so for several modules and writes docs/reports/mutants.md from
docs/reports/mutants.csv, where a later run fills the column "after" for the same mutants.

Mutants run in a copy of `src`, so the tree stays as it is.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import csv
import difflib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import IO, Final

import msgspec
from tools import contexts
from tools.tests_of import (
    PACKAGE,
    RECORDS,
    ROOT,
    exists,
    further_tests,
    is_outdated,
    mirrored,
    module_path,
    tests_that_run,
)

COUNT: Final = 10
KINDS: Final = ("comparison", "condition", "constant", "removal", "argument")
REPORT: Final = ROOT / "docs" / "reports" / "mutants.csv"
_GONE: Final = "gone"
"""In place of tests, where the module has the text of a mutant no more."""
_SHOWN_CHARS: Final = 100
_MOST_FAILURES: Final = 5
_MOST_TESTS: Final = 30
"""Functions and files that run for one mutant, the nearest first. What more tests than these reach
is set-up, such as a constructor, where those further away notice no more."""
_TEST_S: Final = 60
"""Time limit of one test, which ends the run: some mutants never end."""
_RUN_S: Final = 1800
_TOO_LONG: Final = "time-limit"

_OPPOSITE: Final = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is not": "is", "is": "is not", "not in": "in", "in": "not in", "and": "or", "or": "and",
}  # fmt: skip
_SIGNS: Final = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


# --- mutants of a text ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One replaced piece of a module's text.

    Attributes:
        function: Qualified name of the function.
        kind: One of `KINDS`.
        old: Text of the changed expression or statement, on one line.
        new: The same after the change.
        nth: Number among the function's mutants with the same texts, from 0.
        lines: Lines of the statement; a test that runs one of them may notice the mutant.
        span: Where the replaced bytes begin and end.
        text: What replaces them.
    """

    function: str
    kind: str
    old: str
    new: str
    nth: int = 0
    lines: range = field(default=range(0), compare=False)
    span: tuple[int, int] = field(default=(0, 0), compare=False)
    text: bytes = field(default=b"", compare=False)

    @property
    def rank(self) -> bytes:
        name = f"{self.function}\0{self.kind}\0{self.old}\0{self.new}\0{self.nth}"
        return hashlib.sha256(name.encode()).digest()

    def applied(self, source: bytes) -> bytes:
        begin, end = self.span
        return source[:begin] + self.text + source[end:]


def all_mutants(source: bytes) -> list[Mutant]:
    """Return all mutants of a module's functions, in the order of the text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    seen = Counter[Mutant]()
    numbered = []
    for mutant in finder.found:
        numbered.append(replace(mutant, nth=seen[mutant]))
        seen[mutant] += 1
    return numbered


def chosen(mutants: Iterable[Mutant], count: int = COUNT) -> list[Mutant]:
    """Return some mutants, spread over functions first and kinds second.

    A hash of each mutant's texts breaks ties, so that an edit elsewhere rarely changes the choice.
    """
    left = {*mutants}
    functions, kinds = Counter[str](), Counter[str]()
    taken: list[Mutant] = []
    while left and len(taken) < count:
        best = min(left, key=lambda each: (functions[each.function], kinds[each.kind], each.rank))
        left.remove(best)
        functions[best.function] += 1
        kinds[best.kind] += 1
        taken.append(best)
    return sorted(taken, key=lambda each: each.span)


class _Finder(ast.NodeVisitor):
    """Finds the mutants of a syntax tree."""

    def __init__(self, source: bytes) -> None:
        self.found: list[Mutant] = []
        self._source = source
        self._starts = [0, *(at.end() for at in re.finditer(rb"\n", source))]
        self._names: list[str] = []
        self._is_function = False
        self._returns_bool = False
        self._last: ast.stmt | None = None
        self._lines = range(0)

    # -- scopes and statements

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef):
            body = getattr(node, "body", None)  # of a compound statement, only its head
            end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
            self._lines = range(node.lineno, max(end, node.lineno + 1))
        super().visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        self._visit_all(node.body)
        self._names.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self._is_function, self._returns_bool, self._last
        self._names.append(node.name)
        self._is_function = True
        self._last = node.body[-1]
        self._returns_bool = ast.unparse(node.returns) == "bool" if node.returns else False
        if not _is_declaration(node):
            # Defaults are evaluated at import, but what runs the function notices them.
            self._lines = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    self._visit_value(default, "argument")
            self._visit_all(node.body)
        self._names.pop()
        self._is_function, self._returns_bool, self._last = before

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._negate(node.test)
            self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call) and not _is_log(value):
            self._remove(node)
            self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node is not self._last:  # without its last return, a function is of no use at all
            self._remove(node)
        if node.value is not None:
            self._visit_value(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._remove(node)  # what it raises is mostly text

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._remove(node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        is_attribute = isinstance(node.targets[0], ast.Attribute | ast.Subscript)
        if is_attribute and self._names[-1:] != ["__init__"]:
            self._remove(node)
        self._visit_value(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._visit_value(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._remove(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._remove(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave assertions as they are: most state types for mypy."""

    # -- expressions

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave messages as they are; Python 3.11 has wrong positions within them, too."""

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for sign, (left, right) in zip(
            node.ops, pairwise([node.left, *node.comparators]), strict=True
        ):
            if not (isinstance(right, ast.Constant) and right.value is None):  # raises at once
                self._change_sign("comparison", node, left, right, _SIGNS[type(sign)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        sign = "and" if isinstance(node.op, ast.And) else "or"
        for left, right in pairwise(node.values):
            self._change_sign("condition", node, left, right, sign)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_log(node):
            return
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("min", "max"):
            self._add("comparison", node, node.func, "max" if name == "min" else "min")
        elif len(node.args) > 1 and not hasattr(builtins, name):  # these raise at once
            self._swap("argument", node, node.args[0], node.args[1])
        self.visit(node.func)
        for argument in node.args:
            self._visit_value(argument)
        for keyword in node.keywords:
            self._visit_value(keyword.value, "argument")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if not isinstance(node.slice, ast.Constant):  # another index mostly raises at once
            self.visit(node.slice)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._change_constant(node, "constant")

    def _visit_value(self, node: ast.expr, kind: str = "constant") -> None:
        """Visit an expression whose value is used, so that the order of `or` matters."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and not self._returns_bool:
            first, second, *_ = node.values
            if not isinstance(first, ast.Compare | ast.UnaryOp):
                self._swap("argument", node, first, second)
                self.generic_visit(node)
                return
        if isinstance(node, ast.Constant):
            self._change_constant(node, kind)
        else:
            self.visit(node)

    def _change_constant(self, node: ast.Constant, kind: str) -> None:
        if isinstance(node.value, bool):
            self._add(kind, node, node, str(not node.value))
        elif isinstance(node.value, float):
            self._add(kind, node, node, repr(node.value * 2 or 1.0))
        elif isinstance(node.value, int):
            self._add(kind, node, node, repr(node.value + 1))
            if node.value > 1:
                self._add(kind, node, node, repr(node.value - 1))

    def _negate(self, test: ast.expr) -> None:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._add("condition", test, test, self._text(test.operand))
        elif not isinstance(test, ast.Compare):
            self._add("condition", test, test, f"not ({self._text(test)})")

    def _remove(self, node: ast.stmt) -> None:
        self._add("removal", node, node, "pass")

    def _change_sign(
        self, kind: str, node: ast.expr, left: ast.expr, right: ast.expr, sign: str
    ) -> None:
        # There may be parentheses between the operands and the sign.
        begin, end = self._span(left)[1], self._span(right)[0]
        at = re.search(
            rb"(?<!\w)" + sign.replace(" ", r"\s+").encode() + rb"(?!\w)", self._source[begin:end]
        )
        if at is not None:
            self._add(kind, node, (begin + at.start(), begin + at.end()), _OPPOSITE[sign])

    def _swap(self, kind: str, node: ast.expr, first: ast.expr, second: ast.expr) -> None:
        texts = self._text(first), self._text(second)
        (begin, inner), (outer, end) = self._span(first), self._span(second)
        between = self._source[inner:outer].decode()
        is_plain = not {*"()*"} & {*between}  # parentheses are not in the spans that they enclose
        if texts[0] != texts[1] and is_plain and not isinstance(first, ast.Starred):
            self._add(kind, node, (begin, end), texts[1] + between + texts[0])

    def _add(
        self, kind: str, node: ast.AST, replaced: ast.AST | tuple[int, int], text: str
    ) -> None:
        if not self._is_function:
            return
        span = replaced if isinstance(replaced, tuple) else self._span(replaced)
        begin, end = self._span(node)
        new = self._source[begin : span[0]] + text.encode() + self._source[span[1] : end]
        self.found.append(
            Mutant(
                ".".join(self._names),
                kind,
                _shown(self._source[begin:end]),
                _shown(new),
                lines=self._lines,
                span=span,
                text=text.encode(),
            )
        )

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = self._starts[node.lineno - 1] + node.col_offset
        return begin, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.AST) -> str:
        begin, end = self._span(node)
        return self._source[begin:end].decode()


def _is_declaration(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function only declares a signature."""
    *_, last = node.body
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)


def _is_log(call: ast.Call) -> bool:
    return ast.unparse(call.func).split(".")[0] in ("_log", "logging", "log")


def _shown(text: bytes) -> str:
    line = " ".join(text.decode().split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"


# --- which tests fail -----------------------------------------------------------------------------


class Trial:
    """A copy of the sources in which one module is changed again and again.

    Args:
        module: Path of the module, absolute.
        folder: Empty folder for the copy.
    """

    def __init__(self, module: Path, folder: Path) -> None:
        self._folder = folder
        self._copy = folder / module.relative_to(ROOT)
        self._source = module.read_bytes()
        self._package = module.parent.relative_to(PACKAGE).as_posix()
        shutil.copytree(ROOT / "src", folder / "src")
        self._own = mirrored(module)
        self._tests_by_line = self._recorded(module)
        self._fails_anyway: dict[str, bool] = {}

    def _recorded(self, module: Path) -> dict[int, set[str]]:
        """Return the tests of each line; those at the module's place may be new, so they run."""
        tests = [self._own] if self._own else []
        lines = contexts.tests_by_line(RECORDS, module)
        if is_outdated(module):
            tests += [test for test in tests_that_run(module) if test.split("::")[0] != self._own]
            lines = {}
        if tests:
            fresh = self._folder / "contexts"
            fresh.mkdir()
            self._failures(tests, "-p", "tools.contexts", "--contexts", str(fresh))
            contexts.combine(fresh)
            for line, found in contexts.tests_by_line(fresh, self._copy).items():
                lines.setdefault(line, set()).update(found)
        return lines

    def failures(self, mutant: Mutant, wider: Sequence[str] = ()) -> list[str]:
        """Return the tests that fail with a mutant: those of its lines, or else `wider`."""
        found = set[str]().union(*(self._tests_by_line.get(line, ()) for line in mutant.lines))
        # A file is taken as a whole, because its tests share a fixture that runs the lines.
        found = {test for test in found if "::" not in test or test.split("::")[0] not in found}
        tests = sorted(filter(exists, found), key=self._distance)[:_MOST_TESTS]
        self._write(mutant.applied(self._source))
        failed = self._failures(tests, f"--maxfail={_MOST_FAILURES}")
        self._write(self._source)
        noticed = self._without_those_that_fail_anyway(failed)
        if noticed or not wider:
            return noticed
        self._write(mutant.applied(self._source))
        failed = self._failures(wider, "--exitfirst")
        self._write(self._source)
        return self._without_those_that_fail_anyway(failed)

    def _distance(self, test: str) -> tuple[bool, bool, str]:
        is_near = test.startswith(f"tests/unit/{self._package}/")
        return test.split("::")[0] != self._own, not is_near, test

    def _without_those_that_fail_anyway(self, failed: Sequence[str]) -> list[str]:
        unknown = [test for test in failed if test not in self._fails_anyway]
        if unknown:
            failing = self._failures([test for test in unknown if exists(test.split("[")[0])])
            self._fails_anyway |= {test: test in failing for test in unknown}
        noticed = (test for test in failed if not self._fails_anyway[test])
        return list(dict.fromkeys(test.split("[")[0] for test in noticed))

    def _write(self, source: bytes) -> None:
        for cached in self._copy.parent.glob(f"__pycache__/{self._copy.stem}.*"):
            cached.unlink()  # it is known by its second and size alone
        self._copy.write_bytes(source)

    def _failures(self, tests: Sequence[str], *options: str) -> list[str]:
        """Run some tests; return the cases that fail, or what else went wrong."""
        if not tests:
            return []
        listed = self._folder / "tests"
        listed.write_text("\n".join(tests))
        cache = self._folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        command = [
            *(sys.executable, "-m", "pytest", "-q", f"@{listed}", *options),
            *("-o", f"cache_dir={cache}", "-o", f"timeout={_TEST_S}"),
            # An exception would end a test only if no task of its event loop caught it.
            *("-o", "timeout_method=thread", "--hypothesis-seed=0"),
        ]
        log = self._folder / "log"
        with log.open("wb") as output, _process(command, self._folder / "src", output) as process:
            try:
                status = process.wait(_RUN_S)
            except subprocess.TimeoutExpired:
                return [_TOO_LONG]
        failed = cache / "v" / "cache" / "lastfailed"
        if failed.exists():
            return list(json.loads(failed.read_text()))
        return [] if status in (0, 5) else [_TOO_LONG if status == 1 else f"status-{status}"]


@contextmanager
def _process(
    command: Sequence[str], path: Path, output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on other sources; end it with all that it started."""
    # The order of sets decides whether some tests notice a mutant.
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- the report -----------------------------------------------------------------------------------


@dataclass
class Row:
    """A line of the record: a mutant, and the tests that failed with it at two times.

    A column is empty if the mutant was not run, and "none" if no test failed. `line` is the changed
    line, for readers; the other fields before it identify the mutant.
    """

    module: str
    function: str
    kind: str
    old: str
    new: str
    nth: int
    line: str
    before: str = ""
    after: str = ""
    note: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        return self.module, self.function, self.kind, self.old, self.new, self.nth


def rows_of(module: Path, recorded: Sequence[Row]) -> list[tuple[Row, Mutant | None]]:
    """Return the rows of a module, each with its mutant; None if the text has it no more.

    A module without rows gets ten.
    """
    name = module.relative_to(PACKAGE).as_posix()
    source = module.read_bytes()
    found = all_mutants(source)
    rows = {each: Row(name, *_texts(each), _line(source, each)) for each in found}
    known = {row.key: mutant for mutant, row in rows.items()}
    old = [row for row in recorded if row.module == name]
    return [(row, known.get(row.key)) for row in old or (rows[each] for each in chosen(found))]


def _texts(mutant: Mutant) -> tuple[str, str, str, str, int]:
    return mutant.function, mutant.kind, mutant.old, mutant.new, mutant.nth


def _line(source: bytes, mutant: Mutant) -> str:
    changed = mutant.applied(source)
    begin = changed.rfind(b"\n", 0, mutant.span[0]) + 1
    return _shown(changed[begin : changed.find(b"\n", begin)])


def recorded() -> list[Row]:
    if not REPORT.exists():
        return []
    with REPORT.open(newline="") as file:
        return [msgspec.convert(row, Row, strict=False) for row in csv.DictReader(file)]


def write(rows: Sequence[Row]) -> None:
    """Write the record, and the page that is made of it."""
    with REPORT.open("w", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    REPORT.with_suffix(".md").write_text(page(rows))


_HEAD: Final = """\
# Mutants

Ten mutants of each module, made by `python -m tools.mutants --table before MODULES…` on
{date:%d %B %Y} with Python {python}. The choice depends on a module's text alone.
[mutants.csv](mutants.csv) names each mutant and the tests that fail with it. `--table after` fills
the last two columns for the same mutants.

"Tests" is how many test functions fail with one mutant: the fewest, the median and the most. Of the
unit tests that run a line, at most 30 functions are tried, the nearest first, until five cases
fail. A mutant is also caught if a test exceeds its time limit. One whose text the module no longer
has is left out.

| module | caught before | tests | caught after | tests |
|---|---|---|---|---|"""
_UNNOTICED: Final = """
## Mutants that no test noticed

| function | text and changed line | before | after | note |
|---|---|---|---|---|"""


def page(rows: Sequence[Row]) -> str:
    """Return the report: a line for each module, and the mutants that no test noticed."""
    modules = list(dict.fromkeys(row.module for row in rows))
    lines = [_HEAD.format(date=datetime.now(UTC), python=platform.python_version())]
    for module in modules:
        own = [row for row in rows if row.module == module]
        cells = [*_summary([row.before for row in own]), *_summary([row.after for row in own])]
        lines.append(f"| `{module}` | {' | '.join(cells)} |")
    lines += [
        "",
        "## Mutants that no test noticed",
        "",
        "| function | text and changed line | before | after | note |",
    ]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        if "none" in (row.before, row.after):
            old, line = (text.replace("|", "\\|") for text in (row.old, row.line))
            before, after = (_verdict(text) for text in (row.before, row.after))
            place = f"`{row.module}` {row.function}"
            lines.append(f"| {place} | `{old}` → `{line}` | {before} | {after} | {row.note} |")
    return "\n".join(lines) + "\n"


def _summary(column: Sequence[str]) -> tuple[str, str]:
    run = [text for text in column if text not in ("", _GONE)]
    counts = [len(text.split()) for text in run if text != "none"]
    if not run:
        return "", ""
    if not counts:
        return f"0 of {len(run)}", ""
    return f"{len(counts)} of {len(run)}", f"{min(counts)}, {median(counts):g}, {max(counts)}"


def _verdict(text: str) -> str:
    return {"": "", "none": "no test", _GONE: "gone"}.get(text, "caught")


# --- the command ----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make mutants of modules, and say which tests fail"
    )
    parser.add_argument("files", nargs="+", type=module_path)
    parser.add_argument(
        "--line", type=int, help="all mutants of a line, instead of ten of the module"
    )
    parser.add_argument("--list", action="store_true", help="run no tests")
    parser.add_argument(
        "--further", action="store_true", help="if no unit test fails, run tests of servers"
    )
    parser.add_argument("--table", choices=("before", "after"), help="fill a column of the report")
    arguments = parser.parse_args()
    rows = recorded()
    for module in arguments.files:
        if arguments.table:
            of_module = rows_of(module, rows)
            verdicts = run(
                module, [each for _, each in of_module if each], further=arguments.further
            )
            for row, mutant in of_module:
                setattr(
                    row, arguments.table, " ".join(verdicts[mutant]) or "none" if mutant else _GONE
                )
            others = [row for row in rows if row.module != of_module[0][0].module]
            rows = sorted([*others, *(row for row, _ in of_module)], key=lambda row: row.module)
            write(rows)
            continue
        mutants = all_mutants(module.read_bytes())
        if arguments.line:
            mutants = [each for each in mutants if arguments.line in each.lines]
        else:
            mutants = chosen(mutants)
        if arguments.list:
            for each in mutants:
                print(diff(module, each))
        else:
            run(module, mutants, further=arguments.further)


def run(module: Path, mutants: Sequence[Mutant], *, further: bool) -> dict[Mutant, list[str]]:
    """Run the tests of some mutants; print each mutant and what fails with it."""
    wider = [each for each in further_tests(module) if further and _is_telling(each, module)]
    failures = {}
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(module, Path(folder))
        for mutant in mutants:
            failed = failures[mutant] = trial.failures(mutant, wider)
            if os.geteuid() == 0:  # some mutants of what sets modes close it to others
                Path(os.devnull).chmod(0o666)
            print(diff(module, mutant), *(failed or ["no test fails"]), "", sep="\n", flush=True)
    print(f"{sum(map(bool, failures.values()))} of {len(mutants)} mutants were noticed.")
    return failures


def _is_telling(test: str, module: Path) -> bool:
    """Return whether a file states the rules of a dialect, or has the module's name."""
    return test.endswith("_rules.py") or test == f"tests/integration/test_{module.stem}.py"


def diff(module: Path, mutant: Mutant) -> str:
    """Return a mutant as a unified diff."""
    source = module.read_bytes()
    before, after = (
        text.decode().splitlines(keepends=True) for text in (source, mutant.applied(source))
    )
    path = module.relative_to(ROOT).as_posix()
    title = f"{mutant.function}: {mutant.kind}"
    return "".join(difflib.unified_diff(before, after, path, title, n=1))


if __name__ == "__main__":
    main()
