"""The mutants that `make mutants` makes of a text."""

from __future__ import annotations

import ast

from tools.mutants import all_mutants, chosen

SOURCE = b'''\
def width(own: int | None, most: int = 8, *, is_strict: bool = True) -> int:
    """Return the width."""
    wanted = own or most
    if is_strict and (wanted) > most:
        raise ValueError(f"{wanted} is above {most}")
    log(wanted, most)
    notify(wanted, most)
    return min(wanted, most)


class Queue:
    def push(self, job: str) -> None:
        if not self.is_open:
            return
        self.jobs.append(job)
        self.count += 1
'''


def test_each_kind_of_mutant() -> None:
    found = {(each.function, each.kind, each.old, each.new) for each in all_mutants(SOURCE)}
    assert found == {
        ("width", "argument", "8", "9"),
        ("width", "argument", "8", "7"),
        ("width", "argument", "True", "False"),
        ("width", "argument", "own or most", "most or own"),
        ("width", "condition", "is_strict and (wanted) > most", "is_strict or (wanted) > most"),
        (
            "width",
            "condition",
            "is_strict and (wanted) > most",
            "not (is_strict and (wanted) > most)",
        ),
        ("width", "comparison", "(wanted) > most", "(wanted) >= most"),
        ("width", "removal", 'raise ValueError(f"{wanted} is above {most}")', "pass"),
        ("width", "removal", "notify(wanted, most)", "pass"),
        ("width", "argument", "notify(wanted, most)", "notify(most, wanted)"),
        ("width", "comparison", "min(wanted, most)", "max(wanted, most)"),
        ("Queue.push", "condition", "not self.is_open", "self.is_open"),
        ("Queue.push", "removal", "return", "pass"),
        ("Queue.push", "removal", "self.jobs.append(job)", "pass"),
        ("Queue.push", "removal", "self.count += 1", "pass"),
        ("Queue.push", "constant", "1", "2"),
    }


def test_a_mutant_is_one_change_of_a_text_that_python_can_read() -> None:
    for mutant in all_mutants(SOURCE):
        changed = mutant.applied(SOURCE)
        ast.parse(changed)
        begin, end = mutant.span
        assert changed == SOURCE[:begin] + mutant.text + SOURCE[end:] != SOURCE


def test_the_choice_is_spread_and_depends_on_the_text_alone() -> None:
    first = chosen(all_mutants(SOURCE), 4)
    assert [each.function for each in first] == ["width", "width", "Queue.push", "Queue.push"]
    assert len({each.kind for each in first}) > 2
    below = b"# a comment\n\n" + SOURCE
    assert chosen(all_mutants(below), 4) == first
