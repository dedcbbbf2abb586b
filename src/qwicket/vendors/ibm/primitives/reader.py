"""Makes circuits of pubs: one for each set of parameter values, in C order, pub after pub.

A pub without any set has one circuit as well, because results name the registers of each pub.

Values and observables broadcast as in NumPy. An estimator's circuit has all observables that are
paired with its set of values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qwicket.circuits.estimation import (
    Observable,
    estimation,
    n_terms_of,
    without_projectors,
)
from qwicket.circuits.mitigation.runs import n_runs_of
from qwicket.circuits.qubit import Estimation, Measure, Mitigation, QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.json_text import FieldError, check_limit
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import circuits, wire
from qwicket.vendors.ibm.primitives.broadcasting import broadcast
from qwicket.vendors.ibm.primitives.circuits import Template
from qwicket.vendors.ibm.primitives.wire import Pub, Shape

if TYPE_CHECKING:
    from qwicket.vendors.ibm.primitives.text_circuits import TextTemplate


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read a document of Qiskit's primitives.

    Raises:
        InvalidProgram: The text is malformed, or a circuit cannot be run; the detail says which.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    reader = _Reader(limits)
    if wire.is_executor(source):
        return tuple(reader.of_executor(source))
    return tuple([circuit for pub in wire.pubs(source, limits) for circuit in reader.circuits(pub)])


class _Reader:
    """Binds pubs; counts circuits, operations and terms over all pubs of a document."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._max_sets = limits.of(PrimitiveLimits).parameter_sets
        self._max_runs = limits.of(PrimitiveLimits).estimator_runs
        self._n_sets = self._n_runs = 0
        self._n_ops = 0
        self._n_terms = 0

    def circuits(self, pub: Pub) -> Iterator[QubitCircuit]:
        with _placed(pub.place):
            yield from self._circuits(pub)

    def of_executor(self, source: bytes) -> Iterator[QubitCircuit]:
        """Yield the circuits of a program of the executor."""
        from qwicket.vendors.ibm.primitives import executor  # late: few programs are of this kind

        data, found = executor.read(source, self._limits)
        items = list(found)
        for item, template in zip(
            items, circuits.read_all(data, len(items), self._limits), strict=True
        ):
            with _placed(item.place):
                _check_registers(template)
                estimations: list[Estimation | None] = [None] * item.shape.n_parts
                yield from self._bound(template, item.values, item.shape, estimations)

    def _circuits(self, pub: Pub) -> Iterator[QubitCircuit]:
        template = circuits.read(pub.circuit, self._limits, pub.values)
        _check_number(template, pub.values)
        n_parts = pub.shape.n_parts
        estimations: list[Estimation | None] = [None] * n_parts
        n_sets = n_parts
        if pub.shape.observables is not None:
            found = self._estimations(pub, template.n_qubits)
            n_sets = sum([len(each.groups) for each in found])
            self._n_runs += sum(map(n_runs_of, found))
            check_limit("estimator_runs", self._n_runs, self._max_runs, " or more")
            estimations = list(found)
        else:
            _check_registers(template)
        # An estimator of identities needs no run, but each set of its values is still a circuit.
        self._n_sets += max(n_sets, n_parts)
        check_limit("parameter_sets", self._n_sets, self._max_sets, " or more")
        yield from self._bound(template, pub.values, pub.shape, estimations)

    def _bound(
        self,
        template: Template | TextTemplate,
        values: Any,
        shape: Shape,
        estimations: list[Estimation | None],
    ) -> Iterator[QubitCircuit]:
        _check_number(template, values)
        if not shape.n_sets:
            yield _without_values(template, shape, estimations[0])
            return
        rows = values.reshape(shape.n_parts, -1)
        amplified = max(shape.mitigation.noise_factors, default=1) if shape.mitigation else 1
        for row, each in zip(rows, estimations, strict=True):
            ops = template.bound(row.tolist())
            # Counted for each set of values, because one circuit may have thousands of them.
            self._n_ops += math.ceil(len(ops) * amplified)
            check_limit("operations", self._n_ops, self._limits.programs.operations, " or more")
            shots = shape.shots_each or shape.shots
            yield QubitCircuit(template.n_qubits, ops, template.registers, shots, each)

    def _estimations(self, pub: Pub, n_qubits: int) -> list[Estimation]:
        """Return the estimation for each set of values."""
        order = broadcast(pub.shape, self._limits)
        mitigation = pub.shape.mitigation or Mitigation()
        is_split = bool(mitigation.randomizations)
        n_terms = [n_terms_of(each, is_split) for each in pub.observables]
        # Counted after broadcasting, which makes a million places of two arrays of a thousand.
        self._n_terms += sum(n_terms[index] for index in order.observables)
        # Each extrapolated value of an observable takes the memory and time of a term.
        n_fits = len(mitigation.extrapolators) * (1 + len(mitigation.extrapolated_factors))
        self._n_terms += n_fits * len(order.observables)
        maximum = self._limits.of(PrimitiveLimits).pauli_terms
        check_limit("pauli_terms", self._n_terms, maximum)
        for observable in pub.observables:
            # The last qubit is the highest; an identity has none, and () is less than any tuple.
            if any(pauli.qubits[-1:] >= (n_qubits,) for pauli, _ in observable):
                raise InvalidProgram(f"an observable is not on the {n_qubits} qubits there are")
        asked = pub.observables
        if is_split:
            asked = tuple([without_projectors(observable) for observable in asked])
        observables: list[list[Observable]] = [[] for _ in range(pub.shape.n_parts)]
        for part, index in zip(order.parts, order.observables, strict=True):
            observables[part].append(asked[index])
        known: dict[tuple[int, ...], Estimation] = {}
        found = []
        for group in observables:
            # Grouping takes quadratic time, and many sets of values share their observables. Object
            # identities are valid keys while `asked` holds the observables.
            key = tuple(map(id, group))
            if key not in known:
                known[key] = self._estimation(group, pub.shape)
            found.append(known[key])
        return found

    def _estimation(self, observables: list[Observable], shape: Shape) -> Estimation:
        is_exact = shape.shots == 0
        found = estimation(observables, self._max_sets, shape.mitigation, is_exact=is_exact)
        check_limit("parameter_sets", len(found.groups), self._max_sets, " or more")
        return found


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Add the place of a circuit to the errors of the block."""
    try:
        yield
    except LimitExceeded as refusal:
        raise LimitExceeded(f"{place}: {refusal.detail}", field=refusal.field) from None
    except InvalidProgram as refusal:
        raise InvalidProgram(f"{place}: {refusal.detail}", field=place) from None
    except FieldError as fault:
        raise InvalidProgram(f"{place}: {fault}", field=place) from None


def _without_values(
    template: Template | TextTemplate, shape: Shape, estimation: Estimation | None
) -> QubitCircuit:
    """Return the circuit of a pub without sets of values; its result has the pub's registers."""
    if estimation is not None:
        return QubitCircuit(1, (), template.registers, shape.shots, estimation)
    ops = (Measure(0, 0),) if any(register.size for register in template.registers) else ()
    return QubitCircuit(1, ops, template.registers, shots=1)


def _check_registers(template: Template | TextTemplate) -> None:
    if not template.registers:
        raise InvalidProgram("the circuit has no classical register: nothing is measured")


def _check_number(template: Template | TextTemplate, values: Any) -> None:
    n_given, n_wanted = values.shape[-1], len(template.parameters)
    if n_given != n_wanted:
        raise InvalidProgram(f"the circuit has {n_wanted} parameters, not {n_given}")
