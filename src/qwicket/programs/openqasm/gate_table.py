"""Gates of a program: those of the language, of included libraries, and its own.

A definition is checked when it is read, and its number of operations is estimated (its weight), so
that a gate that would expand beyond the limit is refused before it is expanded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final, final

from qwicket.model.errors import LimitExceeded
from qwicket.model.suggestions import did_you_mean
from qwicket.programs.openqasm import modifiers
from qwicket.programs.openqasm.bounds import MAX_ANGLE, MAX_GATE_DEPTH, MAX_POWER
from qwicket.programs.openqasm.gates import (
    BUILT_IN_2,
    BUILT_IN_3,
    LIBRARIES,
    StandardGate,
    Template,
)
from qwicket.programs.openqasm.syntax import (
    Barrier,
    Block,
    Expression,
    For,
    GateCall,
    GateDefinition,
    If,
    Literal,
    Modifier,
    Name,
    Node,
    Statement,
)
from qwicket.programs.openqasm.tokens import Tokens, quoted
from qwicket.programs.openqasm.values import Evaluator

_STEPS_OF_MODIFIER: Final = 10
"""Cost of a modifier in steps (`Evaluator.count_steps`), beside one for each changed gate."""
_MAX_WEIGHT: Final = 1 << 40
"""Largest weight, far above every limit."""


@final
class UserGate(Node, frozen=True):
    """A gate that the program defines.

    Attributes:
        definition: Its parsed definition.
        callees: Gates that the names in its body meant when it was defined: a later definition or
            `include` does not change them.
        weight: Estimate of the operations that it expands to, at least 1. The body of a loop counts
            once, also if the loop never runs; the branches of a condition do not count.
        depth: Nesting depth of user gates, itself included.
        templates: Cached expansions, by angles.
    """

    definition: GateDefinition
    callees: dict[str, StandardGate | UserGate]
    weight: int
    depth: int
    templates: dict[tuple[float, ...], Template]

    @property
    def n_parameters(self) -> int:
        return len(self.definition.parameters)

    @property
    def n_qubits(self) -> int:
        return len(self.definition.qubits)


@functools.cache
def _single_op_gates(version: int, library: str) -> Mapping[str, StandardGate]:
    """Return the gates of a library that are one flat gate."""
    gates = LIBRARIES[version][library].items()
    return {name: gate for name, gate in gates if gate.compose is None}


class GateTable:
    """Finds gates by name, adds definitions and applies modifiers.

    Args:
        tokens: Tokens of the program, for the positions of errors.
        version: 2 or 3.
        evaluator: Computes the arguments of modifiers, and counts steps.
        max_operations: Limit on the operations of the program.
        extra_gates: Gates that are known without a library, in addition to the language's.

    Attributes:
        single_op_gates: Gates that are one flat gate, except those that the program redefines. The
            fast path of `reader` reads only these.
    """

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        evaluator: Evaluator,
        max_operations: int,
        extra_gates: Mapping[str, StandardGate],
    ) -> None:
        self._tokens = tokens
        self._version = version
        self._libraries = LIBRARIES[version]
        self._evaluator = evaluator
        self._max_operations = max_operations
        self._gates: dict[str, StandardGate | UserGate] = {}
        self._opaque: set[str] = set()
        self._has_user_gates = False
        self.single_op_gates: dict[str, StandardGate] = {}
        built_in = BUILT_IN_2 if version == 2 else BUILT_IN_3
        for name, gate in {**built_in, **extra_gates}.items():
            self._add_standard(name, gate)

    def include(self, at: int) -> None:
        """Add the gates of the library that the token at `at` names."""
        file = self._tokens.texts[at][1:-1]
        library = self._libraries.get(file)
        if library is None:
            known = " and ".join(f"'{name}'" for name in self._libraries)
            reason = f"only {known} can be included, not {self._tokens.quote(at)}"
            raise self._tokens.error(at, reason)
        if not self._has_user_gates:
            self._gates.update(library)
            self.single_op_gates.update(_single_op_gates(self._version, file))
            return
        for name, gate in library.items():
            # A gate of the program wins, whether its definition or the `include` comes first.
            if not self.is_user_gate(name):
                self._add_standard(name, gate)

    def is_user_gate(self, name: str) -> bool:
        """Return whether the program itself defines or declares a gate of this name."""
        return name in self._opaque or isinstance(self._gates.get(name), UserGate)

    def declare_opaque(self, name: str, at: int) -> None:
        """Declare a gate without a definition. A call of it is refused."""
        self._check_new(name, at)
        self._has_user_gates = True
        self._opaque.add(name)
        self.single_op_gates.pop(name, None)

    def define(self, definition: GateDefinition) -> None:
        """Add a definition, which replaces a gate of a library."""
        name = definition.name
        self._check_new(name, definition.at)
        # The gate itself is added last, so a body can call only gates that are known already:
        # definitions cannot be recursive.
        callees: dict[str, StandardGate | UserGate] = {}
        weight = self._weigh(definition, definition.body, callees)
        user_gates = [gate for gate in callees.values() if isinstance(gate, UserGate)]
        depth = 1 + max((gate.depth for gate in user_gates), default=0)
        if depth > MAX_GATE_DEPTH:
            reason = f"gate definitions are nested deeper than {MAX_GATE_DEPTH} levels"
            raise self._tokens.limit_error(definition.at, reason)
        self._has_user_gates = True
        self._gates[name] = UserGate(definition, callees, max(1, weight), depth, {})
        self.single_op_gates.pop(name, None)

    def find(self, name: str, at: int) -> StandardGate | UserGate:
        """Return the gate of a name; one that is unknown or opaque raises an error."""
        gate = self._gates.get(name)
        if gate is not None and name not in self._opaque:
            return gate
        reason = f"gate {quoted(name)} is not known"
        if name in self._opaque:
            reason = f"gate {quoted(name)} is opaque, so it cannot be called: it has no definition"
        for file, library in self._libraries.items():
            if gate is None and name in library:
                reason += f'; include "{file}" first'
                break
        else:
            if name not in self._opaque:
                reason = f"{reason}.{did_you_mean(name, self._gates)}".rstrip(".")
        raise self._tokens.error(at, reason)

    def check(self, call: GateCall, gate: StandardGate | UserGate) -> None:
        """Refuse a wrong number of angles or operands."""
        self._check_parameters(call, gate)
        if call.modifiers or len(call.operands) != gate.n_qubits:
            self._check_operands(call, gate)

    def _check_parameters(self, call: GateCall, gate: StandardGate | UserGate) -> None:
        if len(call.arguments) != gate.n_parameters:
            reason = (
                f"gate {quoted(call.name)} takes {_count(gate.n_parameters, 'parameter')}, "
                f"not {len(call.arguments)}"
            )
            raise self._tokens.error(call.at, reason)

    def _check_operands(self, call: GateCall, gate: StandardGate | UserGate) -> None:
        n_controls = sum([self._n_controls(modifier) for modifier in call.modifiers])
        wanted = gate.n_qubits + n_controls
        if len(call.operands) == wanted:
            return
        reason = (
            f"gate {quoted(call.name)} acts on {_count(wanted, 'qubit')}, not {len(call.operands)}"
        )
        if n_controls:
            reason += f" ({n_controls} of them for its controls)"
        raise self._tokens.error(call.at, reason)

    def modified(self, template: Template, call: GateCall) -> Template:
        """Return a template with the modifiers of a call applied, from right to left."""
        for modifier in reversed(call.modifiers):
            self._evaluator.count_steps(_STEPS_OF_MODIFIER + len(template.ops), modifier.at)
            if modifier.kind == "inv":
                template = modifiers.invert(template)
            elif modifier.kind == "pow":
                template = self._power(template, modifier, call.name)
            else:
                is_negative = modifier.kind == "negctrl"
                n_controls = self._n_controls(modifier)
                template = modifiers.control(template, n_controls, negative=is_negative)
        return template

    def _add_standard(self, name: str, gate: StandardGate) -> None:
        self._gates[name] = gate
        if gate.compose is None:  # it is one flat gate
            self.single_op_gates[name] = gate

    def _check_new(self, name: str, at: int) -> None:
        if self.is_user_gate(name):
            raise self._tokens.error(at, f"gate {quoted(name)} is defined twice")

    def _n_controls(self, modifier: Modifier) -> int:
        if modifier.kind not in ("ctrl", "negctrl"):
            return 0
        if modifier.argument is None:
            return 1
        n_controls = self._evaluator.integer(modifier.argument, modifier.at)
        if n_controls < 1:
            reason = f"'{modifier.kind}' needs at least 1 control, not {n_controls}"
            raise self._tokens.error(modifier.at, reason)
        return n_controls

    def _power(self, template: Template, modifier: Modifier, name: str) -> Template:
        assert modifier.argument is not None
        exponent = self._evaluator.real(modifier.argument, modifier.at)
        if abs(exponent) > MAX_POWER:
            reason = f"the exponent of 'pow' is larger than {MAX_POWER:,}"
            raise self._tokens.limit_error(modifier.at, reason)
        # Before the gates are made, because a short text such as `pow(1000)` can ask for many.
        if len(template.ops) * abs(exponent) > self._max_operations:
            raise self.operations_limit_error(modifier.at)
        try:
            template = modifiers.power(template, exponent)
        except modifiers.NoSimplePower:
            reason = f"'pow' of {quoted(name)}, which consists of several gates, needs an integer"
            raise self._tokens.error(modifier.at, reason) from None
        # Only a power of a single gate multiplies angles; powers of several repeat their gates.
        first = template.ops[0].params if template.ops else ()
        if any(abs(angle) > MAX_ANGLE for angle in (template.phase, *first)):
            reason = f"'pow' gives an angle larger than {MAX_ANGLE:g}"
            raise self._tokens.error(modifier.at, reason)
        return template

    def operations_limit_error(self, at: int) -> LimitExceeded:
        """Return the error for a program that expands to too many operations."""
        reason = f"the program expands to more than {self._max_operations:,} operations"
        return self._tokens.limit_error(at, f"{reason} (limit 'operations')")

    # --- definitions ------------------------------------------------------------------------------

    def _weigh(
        self,
        definition: GateDefinition,
        body: Sequence[Statement],
        callees: dict[str, StandardGate | UserGate],
    ) -> int:
        """Check a body, add the gates that it calls to `callees`, and return its weight."""
        weight = 0
        for statement in body:
            match statement:
                case GateCall():
                    weight += self._weigh_call(definition, statement, callees)
                case Barrier():
                    self._check_qubits(definition, statement.operands, statement.at)
                case Block() | For():
                    weight += self._weigh(definition, statement.body, callees)
                case If():
                    bodies = [*(body for _, body in statement.branches), statement.otherwise]
                    # Which branch runs is unknown, and a gate must not be refused for operations
                    # that it does not have: branches are checked but add nothing.
                    for branch in bodies:
                        self._weigh(definition, branch, callees)
                case _:
                    pass
            # Clipped, because a weight that doubles at each level of nesting has no bound.
            weight = min(weight, _MAX_WEIGHT)
        return weight

    def _weigh_call(
        self,
        definition: GateDefinition,
        call: GateCall,
        callees: dict[str, StandardGate | UserGate],
    ) -> int:
        if call.name == definition.name:
            raise self._tokens.error(call.at, f"gate {quoted(call.name)} calls itself")
        gate = callees[call.name] = self.find(call.name, call.at)
        self._check_parameters(call, gate)
        self._check_qubits(definition, call.operands, call.at)
        weight = gate.weight if isinstance(gate, UserGate) else 1
        if gate.n_qubits == 0 and not call.modifiers:
            return 0  # a template keeps its phase apart from its gates
        # Controls add few gates and `inv` none. A power of one gate is often one gate again.
        for modifier in call.modifiers:
            exponent = modifier.argument
            if modifier.kind == "pow" and isinstance(exponent, Literal) and weight > 1:
                times = exponent.value
                weight *= min(abs(times), MAX_POWER) if isinstance(times, int) else 1
        return weight

    def _check_qubits(
        self, definition: GateDefinition, operands: tuple[Expression, ...], at: int
    ) -> None:
        names = [operand.name for operand in operands if isinstance(operand, Name)]
        for operand in operands:
            if not isinstance(operand, Name) or operand.name not in definition.qubits:
                reason = (
                    f"only the qubits of gate {quoted(definition.name)} can be used in its body"
                )
                raise self._tokens.error(at, reason)
        if len(set(names)) < len(names):
            raise self._tokens.error(at, "a gate is applied to the same qubit twice")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
