"""Modules that import each other, if only within functions: few, and never across packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import qwicket

SOURCE = Path(qwicket.__file__).parents[1]
MAX_CYCLES = 4


def modules() -> dict[str, Path]:
    found = {}
    for path in (SOURCE / "qwicket").rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the names that code imports when it runs; types alone do not run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (each.name for each in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{each.name}" for each in child.names)
        yield from imported(child)


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for each in graph[ahead.pop()] - found:
            found.add(each)
            ahead.append(each)
    return found


def test_few_modules_import_each_other_and_none_across_packages() -> None:
    paths = modules()
    graph = {}
    for name, path in paths.items():
        names = {*imported(ast.parse(path.read_text()))}
        graph[name] = {
            each if each in paths else each.rpartition(".")[0] for each in names
        } & paths.keys() - {name}
    ahead = {name: reachable(graph, name) for name in graph}
    cycles = {
        frozenset(each for each in ahead[name] if name in ahead[each])
        for name in graph
        if name in ahead[name]
    }
    assert len(cycles) <= MAX_CYCLES, cycles
    for cycle in cycles:
        assert len({".".join(each.split(".")[:2]) for each in cycle}) == 1, cycle
