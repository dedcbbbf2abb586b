"""No test outside `tests/measured` fails because the machine is slow.

In each function by itself, this finds the following, unless the bound is a number from 30 s, which
only says that something ends:

- an assertion that a difference of two times of the wall clock is less than something; also if the
  difference has a name, or is an item of a list
- `until(…, timeout_s=…)` and `asyncio.timeout(…)` with a number or with a constant of the module,
  unless a block around it expects that the time passes, such as `pytest.raises(TimeoutError)`

It cannot find times that come from elsewhere: from another function, an object, the log of a server
or a database. It does not look at other limits, such as those of `Thread.join` and of sockets, nor
at processor time (`time.process_time`, `time.thread_time`), which a busy machine hardly changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MEASURED = TESTS / "measured"
WAITING = TESTS / "support" / "waiting.py"
ENDS_S = 30.0
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"}


def bounds(source: str) -> list[int]:
    """Return the lines that bound wall-clock time from above."""
    has_clock = any(f"time.{name}()" in source for name in CLOCKS)
    has_limit = "timeout_s=" in source or "asyncio.timeout(" in source
    if not has_clock and not has_limit:
        return []
    tree = ast.parse(source)
    compared, limited = _compared(tree) if has_clock else (), _limited(tree) if has_limit else ()
    return sorted({*compared, *limited})


def _compared(tree: ast.Module) -> Iterator[int]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    for scope in (*functions, *([] if functions else [tree])):
        times, differences = _names(scope)
        for node in ast.walk(scope):
            if isinstance(node, ast.Assert):
                yield from (
                    compare.lineno
                    for compare in ast.walk(node.test)
                    if isinstance(compare, ast.Compare)
                    for lesser, bound in _lesser(compare)
                    if _is_difference(lesser, times, differences)
                    and (_number(bound, {}) or 0) < ENDS_S
                )


def _lesser(compare: ast.Compare) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the lesser and the greater operand of each comparison."""
    operands = [compare.left, *compare.comparators]
    for op, left, right in zip(compare.ops, operands, operands[1:], strict=False):
        if isinstance(op, ast.Lt | ast.LtE):
            yield left, right
        elif isinstance(op, ast.Gt | ast.GtE):
            yield right, left


def _names(scope: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names of times of the clock, and those of differences and of lists of them."""
    named = [
        (node.targets[0].id, node.value)
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    named += [
        (node.func.value.id, node.args[0])
        for node in ast.walk(scope)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.attr == "append"
    ]
    times: set[str] = set()
    differences: set[str] = set()
    for _ in range(3):  # a value may be made of a name that comes later in the text
        for name, value in named:
            if _is_difference(value, times, differences):
                differences.add(name)
            elif _has_time(value, times):
                times.add(name)
    return times, differences


def _is_difference(node: ast.expr, times: set[str], differences: set[str]) -> bool:
    return any(
        (isinstance(each, ast.Name) and each.id in differences)
        or (isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub) and _has_time(each, times))
        for each in ast.walk(node)
    )


def _has_time(node: ast.AST, times: set[str]) -> bool:
    return any(
        _is_clock(each) or (isinstance(each, ast.Name) and each.id in times)
        for each in ast.walk(node)
    )


def _is_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "time"
        and node.func.attr in CLOCKS
    )


def _limited(tree: ast.Module) -> Iterator[int]:
    numbers = {
        node.targets[0].id: number
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and (number := _number(node.value, {})) is not None
    }
    expected = {id(inner) for node in ast.walk(tree) if _expects(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in expected:
            continue
        limits: list[ast.expr] = []
        if isinstance(node.func, ast.Name) and node.func.id == "until":
            limits = [each.value for each in node.keywords if each.arg == "timeout_s"]
        elif ast.unparse(node.func) == "asyncio.timeout":
            limits = node.args
        for limit in limits:
            number = _number(limit, numbers)
            if number is not None and number < ENDS_S:
                yield node.lineno


def _expects(node: ast.AST) -> bool:
    """Return whether a block expects that its time passes."""
    return isinstance(node, ast.With | ast.AsyncWith) and any(
        "(TimeoutError" in ast.unparse(each.context_expr) for each in node.items
    )


def _number(node: ast.expr, numbers: dict[str, float]) -> float | None:
    if isinstance(node, ast.Name):
        return numbers.get(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    return None


@pytest.mark.parametrize(
    "found",
    [
        "assert time.monotonic() - began < 1.8",
        "assert 0.3 <= time.monotonic() - began < 3.0",
        "assert 5 > time.perf_counter() - began, 'too slow'",
        "elapsed_s = time.monotonic() - began\nassert elapsed_s < TIMEOUT_S + SLACK_S",
        "took = time.monotonic() - began\nassert GRACE_S < took < GRACE_S + 10, log",
        "times = []\ntimes.append(time.monotonic() - began)\nassert median(times) < 1, times",
        "killed = 1000 * time.time()\nassert noticed - killed < 1000 * (1.5 * LEASE_S + 1)",
        "async def f():\n    async with asyncio.timeout(1):\n        await waiting",
        "until(lambda: is_refused(), 'a refusal', timeout_s=1)",
        "PROMPT_S = 5\nuntil(lambda: is_refused(), 'a refusal', timeout_s=PROMPT_S)",
    ],
)
def test_each_kind_of_bound_is_found(found: str) -> None:
    assert bounds(found)


@pytest.mark.parametrize(
    "allowed",
    [
        "assert time.monotonic() - began >= 0.3",
        "assert 0.3 <= time.monotonic() - began",
        "assert time.monotonic() - began < 30",
        "assert time.thread_time() - began < 1",
        "assert clock.passed_s == 1.2",
        "until(lambda: is_refused(), 'a refusal')",
        "until(lambda: is_refused(), 'a refusal', timeout_s=60)",
        "async def f():\n    async with asyncio.timeout(30):\n        await waiting",
        "async def f():\n    with pytest.raises(TimeoutError):\n"
        "        async with asyncio.timeout(0.1):\n            await waiting",
    ],
)
def test_what_no_slow_machine_changes_is_allowed(allowed: str) -> None:
    assert not bounds(allowed)


def test_no_test_fails_because_the_machine_is_slow() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if MEASURED not in path.parents and path != WAITING
        for line in bounds(path.read_text())
    ]
    assert not found, "a bound on wall-clock time: give a clock, wait 30 s, or measure it there"
