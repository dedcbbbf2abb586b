"""Interpreter of parsed statements, which collects the flat operations of the circuit.

Constants are evaluated while the program is read: loops are unrolled, gates expanded, conditions on
constants decided. Conditions on measured bits become forward branches. Global phases are summed and
written as the first operation; inside a branch a phase stays in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from math import remainder, tau
from typing import Any, Final, NamedTuple

from qwicket.circuits.qubit import DELAY, Gate, Measure, Op, QubitCircuit, Reset
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import conditions, syntax
from qwicket.programs.openqasm.arithmetic import kind, number
from qwicket.programs.openqasm.bounds import MAX_ANGLE
from qwicket.programs.openqasm.conditions import Label
from qwicket.programs.openqasm.declarations import Declarations
from qwicket.programs.openqasm.frames import ControlFlowExit, Frame, Loop
from qwicket.programs.openqasm.gate_table import UserGate
from qwicket.programs.openqasm.gates import StandardGate, Template
from qwicket.programs.openqasm.measured import Bits, Measured, Qubits
from qwicket.programs.openqasm.syntax import Angle, BitString, Constant, Expression, Statement
from qwicket.programs.openqasm.tokens import Tokens, quoted
from qwicket.programs.openqasm.values import Scopes, Variable

_MAX_TEMPLATES: Final = 1_000
"""Maximum number of cached expansions of one gate, one for each set of angles."""

_MAX_CACHED_CALLS: Final = 1_000
"""Maximum number of cached calls of flat gates. They are cached because loops repeat them."""

_STEPS_OF_GATE: Final = 50
_STEPS_OF_OP: Final = 4
"""Cost in steps of expanding a user gate, beside its tokens, and of each operation that a call
adds to a gate body. With these values any program is read within about a second."""

_ROUNDING: Final = 1 + 1e-9
"""Factor by which the delays in a box may exceed its duration, because both are rounded."""
_SMALLEST_PHASE: Final = 1e-12
"""Global phases up to this, in radians, are not written."""


class Extension(NamedTuple):
    """What another language adds to OpenQASM 3.

    Attributes:
        gates: Gates that are known without a library.
        pragma: Carries out a pragma, given the interpreter, the text of its line, and the index of
            its token for errors.
    """

    gates: Mapping[str, StandardGate]
    pragma: Callable[[Interpreter, str, int], None]


class Interpreter:
    """Runs statements.

    Args:
        tokens: Tokens of the program, for the positions of errors.
        version: 2 or 3.
        limits: Bounds on what the program may ask for.
        inputs: Values of the program's inputs, by name.
        extension: What another language adds to this one.

    Attributes:
        ops: The operations so far.
        elements: Index of each declared or physical qubit by its spelling: `q`, `q[3]` or `$3`.
        single_op_gates: Gates that are one flat gate, by name.
        dropped: Qubits measured without a target and not reset since: no gate may follow.
    """

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        limits: Limits,
        inputs: Mapping[str, float],
        extension: Extension | None = None,
    ) -> None:
        gates = extension.gates if extension is not None else {}
        self._extension = extension
        self._declarations = Declarations(tokens, version, limits, inputs, gates)
        self._evaluator = self._declarations.evaluator
        self._gate_table = self._declarations.gate_table
        self.ops: list[Op] = []
        self.elements = self._declarations.elements
        self.single_op_gates = self._gate_table.single_op_gates
        self._tokens = tokens
        self._max_operations = limits.programs.operations
        self._main = self._frame = Frame(self.ops, None)
        self._end = Label()
        self.dropped: set[int] = set()
        self._cached_calls: dict[tuple[object, ...], list[Gate]] = {}
        # A dictionary by type instead of `match`: unrolled loops run a million statements.
        self._runners: Mapping[type, Callable[[Any], None]] = {
            syntax.GateCall: self._gate_call,
            syntax.Measurement: self._measurement,
            syntax.MeasuredDeclaration: self._measured_declaration,
            syntax.Reset: self._reset,
            syntax.Barrier: self._barrier,
            syntax.Delay: self._delay,
            syntax.Box: self._box,
            syntax.If: self._if,
            syntax.For: self._for,
            syntax.Switch: self._switch,
            syntax.Block: self._block,
            syntax.Exit: self._exit,
            syntax.Assignment: self._assign,
            syntax.Pragma: self._pragma,
        }

    @property
    def steps(self) -> int:
        """Tokens of the program, and the work that was counted so far."""
        return self._evaluator.steps

    def count_steps(self, steps: int, at: int) -> None:
        """Count work, so that a short text cannot take long to read."""
        self._evaluator.count_steps(steps, at)

    def circuit(self, at: int) -> QubitCircuit:
        """Return the circuit after the last statement; `at` is the index of the end."""
        self._declarations.check_complete(at)
        self._main.flow.place(self._end)
        phase = remainder(self._main.phase, tau)
        if abs(phase) > _SMALLEST_PHASE:
            self._check_operations(1, at)
            # Skips are relative, so an operation before all jumps changes no target of a jump.
            self.ops.insert(0, Gate("gphase", (), (phase,)))
        registers = tuple(self._declarations.registers)
        return QubitCircuit(self._declarations.n_qubits, tuple(self.ops), registers)

    def run(self, statement: Statement) -> None:
        """Carry out one statement.

        Raises:
            ControlFlowExit: The program, the loop or its iteration ends here, whatever is measured.
        """
        run = self._runners.get(type(statement))
        if run is not None:
            run(statement)
        else:
            self._declarations.declare(statement, self._frame.branch_depth)

    def qubits(self, spelling: str, at: int) -> tuple[int, ...]:
        """Return the qubits of a register, of one element such as `q[3]`, or of `$3`."""
        return self._declarations.indices(spelling, at)

    def error(self, at: int, reason: str) -> InvalidProgram:
        """Return an error at token `at`."""
        return self._tokens.error(at, reason)

    def add_gate(self, gate: Gate, at: int) -> None:
        """Append a flat gate."""
        self._check_operations(1, at)
        self._frame.ops.append(gate)

    def _pragma(self, statement: syntax.Pragma) -> None:
        assert self._extension is not None  # without one the parser refuses pragmas
        if self._frame.branch_depth:
            raise self.error(statement.at, "a pragma cannot depend on a measurement")
        # A pragma is one token, but a loop reads all of its text again each time.
        if self._frame.loops:
            self._evaluator.count_steps(len(statement.text), statement.at)
        self._extension.pragma(self, statement.text, statement.at)

    def add_phase(self, phase: float, at: int) -> None:
        """Multiply the circuit or gate by e^{i·phase}."""
        # Inside a branch the phase is relative to the other branch, so it cannot move to the start.
        if self._frame.branch_depth and phase:
            self._check_operations(1, at)
            self._frame.ops.append(Gate("gphase", (), (phase,)))
        else:
            self._frame.phase += phase

    # --- gates and measurements -------------------------------------------------------------------

    def _gate_call(self, call: syntax.GateCall) -> None:
        frame = self._frame
        if frame.callees is None:
            gate = self._gate_table.find(call.name, call.at)
        else:
            gate = frame.callees[call.name]
        self._gate_table.check(call, gate)
        parameters = tuple([self._evaluator.angle(value, call.at) for value in call.arguments])
        operands = [self._qubits(operand, call.at) for operand in call.operands]
        # A gate body numbers its qubits from 0, so there `dropped` means nothing.
        if self.dropped and frame is self._main:
            self._check_dropped(operands, call.at)
        n_copies = self._n_copies(operands, call.at)
        if type(gate) is StandardGate and gate.flat and not call.modifiers:
            self._place_flat(gate, parameters, operands, n_copies, call)
            return
        if type(gate) is UserGate:
            template = self._expand(gate, parameters, n_copies, call)
        else:
            template = gate.template(parameters)
        if call.modifiers:
            template = self._gate_table.modified(template, call)
        self._check_operations(len(template.ops) * n_copies, call.at)
        if frame is not self._main:
            # The limit on operations holds for each body alone, not for the work of all.
            self._evaluator.count_steps(len(template.ops) * _STEPS_OF_OP, call.at)
        self.add_phase(template.phase * n_copies, call.at)
        self._place(template, operands, n_copies, call)

    def _check_dropped(self, operands: Sequence[Qubits], at: int) -> None:
        """Refuse a gate after a measurement without a target, which the flat form does not have."""
        if any(not self.dropped.isdisjoint(operand.indices) for operand in operands):
            reason = (
                "the qubit was measured before and the result dropped; give that 'measure' a bit,"
                " as in 'c = measure q;', or reset the qubit"
            )
            raise self._tokens.error(at, reason)

    def _expand(
        self,
        gate: UserGate,
        parameters: tuple[float, ...],
        n_copies: int,
        call: syntax.GateCall,
    ) -> Template:
        """Return a user gate as flat gates on its own qubits."""
        # An exponent of 0 or a fraction may shrink the gate, so then only its result is checked.
        if not any(modifier.kind == "pow" for modifier in call.modifiers):
            self._check_operations(gate.weight * n_copies, call.at)
        template = gate.templates.get(parameters)
        if template is not None:
            return template
        definition = gate.definition
        self._evaluator.count_steps(definition.n_tokens + _STEPS_OF_GATE, call.at)
        outer, outer_scopes = self._frame, self._evaluator.scopes
        # A gate body sees the global constants, even if it is expanded inside another gate body.
        outside = outer_scopes.stack[0] if outer_scopes.outside is None else outer_scopes.outside
        scopes = self._evaluator.scopes = Scopes(outside)
        frame = self._frame = Frame([], gate.callees)
        for name, value in zip(definition.parameters, parameters, strict=True):
            scopes.stack[0][name] = Variable(value)
        for index, name in enumerate(definition.qubits):
            scopes.stack[0][name] = Variable(Qubits((index,), True))
        for statement in definition.body:
            self.run(statement)
        self._frame, self._evaluator.scopes = outer, outer_scopes
        # Each level of nested gates may multiply the phase, so without a bound it becomes infinite.
        if abs(frame.phase) > MAX_ANGLE:
            raise self._tokens.error(call.at, "the global phase of the gate is too large")
        # For the type checker: a gate body holds nothing but gates.
        ops = tuple([op for op in frame.ops if type(op) is Gate])
        # Cached with its angles: generated programs call one gate thousands of times.
        template = Template(gate.n_qubits, ops, frame.phase)
        if len(gate.templates) < _MAX_TEMPLATES:
            gate.templates[parameters] = template
        return template

    def _n_copies(self, operands: Sequence[Qubits], at: int) -> int:
        """Return the number of applications of a gate: one for each element of its registers."""
        sizes = {len(operand.indices) for operand in operands if not operand.is_scalar}
        if len(sizes) > 1:
            listed = " and ".join(map(str, sorted(sizes)))
            raise self._tokens.error(at, f"registers of different sizes, {listed}, in one gate")
        return sizes.pop() if sizes else 1

    def _place_flat(
        self,
        gate: StandardGate,
        params: tuple[float, ...],
        operands: Sequence[Qubits],
        n_copies: int,
        call: syntax.GateCall,
    ) -> None:
        """Append one flat gate for each element of the operands."""
        self._check_operations(n_copies, call.at)
        key = (gate.flat, params, *operands)
        gates = self._cached_calls.get(key)
        if gates is None:
            qubits, n_controls = range(gate.n_qubits), gate.n_controls
            op = Gate(gate.flat, tuple(qubits[n_controls:]), params, tuple(qubits[:n_controls]))
            gates = _copies(op, self._columns(operands, n_copies, call), n_copies)
            if len(self._cached_calls) < _MAX_CACHED_CALLS:
                self._cached_calls[key] = gates
        self._frame.ops += gates
        if gate.phase is not None:
            self.add_phase(gate.phase(*params) * n_copies, call.at)

    def _columns(
        self, operands: Sequence[Qubits], n_copies: int, call: syntax.GateCall
    ) -> list[tuple[int, ...]]:
        """Return each operand's qubits, one for each application of a gate; refuse repeats."""
        if n_copies == 1:
            columns = [operand.indices for operand in operands]
            narrowest = len({indices[0] for indices in columns})
        else:
            columns = [
                operand.indices * n_copies if operand.is_scalar else operand.indices
                for operand in operands
            ]
            rows = zip(*columns, strict=True)
            narrowest = min(map(len, map(set, rows)), default=len(columns))
        if narrowest < len(columns):
            reason = f"gate {quoted(call.name)} is applied to the same qubit twice"
            raise self._tokens.error(call.at, reason)
        return columns

    def _place(
        self, template: Template, operands: Sequence[Qubits], n_copies: int, call: syntax.GateCall
    ) -> None:
        """Append a template for each element of the operands."""
        columns = self._columns(operands, n_copies, call)
        if n_copies == 1:
            pick = [column[0] for column in columns].__getitem__
            self._frame.ops += [
                Gate(
                    op.name,
                    tuple(map(pick, op.targets)),
                    op.params,
                    tuple(map(pick, op.controls)) if op.controls else (),
                )
                for op in template.ops
            ]
            return
        # Copies may share an operand that is one qubit, so each must end before the next begins.
        copies = [_copies(op, columns, n_copies) for op in template.ops]
        self._frame.ops += chain.from_iterable(zip(*copies, strict=True))

    def _measurement(self, statement: syntax.Measurement) -> None:
        if statement.target is None:
            # Not written: if no gate follows, it changes no outcome.
            self.dropped.update(self._qubits(statement.source, statement.at).indices)
        else:
            self._measure(statement.source, statement.target, statement.at)

    def _measured_declaration(self, statement: syntax.MeasuredDeclaration) -> None:
        bits = statement.declaration
        self._declarations.declare(bits, self._frame.branch_depth)
        self._measure(statement.source, syntax.Name(bits.name, bits.at), bits.at)

    def _reset(self, statement: syntax.Reset) -> None:
        qubits = self._qubits(statement.operand, statement.at)
        self._check_operations(len(qubits.indices), statement.at)
        # A reset inside a branch may not happen, so it does not free the qubit.
        if not self._frame.branch_depth:
            self.dropped.difference_update(qubits.indices)
        self._frame.ops += map(Reset, qubits.indices)

    def _barrier(self, statement: syntax.Barrier) -> None:
        # Checked, not written: circuits have no barriers.
        for operand in statement.operands:
            self._qubits(operand, statement.at)

    def _delay(self, statement: syntax.Delay) -> None:
        seconds = self._evaluator.seconds(statement.duration, statement.at)
        indices: Sequence[int] = range(self._declarations.n_qubits)  # of a delay without operands
        if statement.operands:
            registers = [self._qubits(operand, statement.at) for operand in statement.operands]
            indices = [index for register in registers for index in register.indices]
        if seconds:
            self._check_operations(len(indices), statement.at)
            self._frame.ops += [Gate(DELAY, (index,), (seconds,)) for index in indices]

    def _box(self, statement: syntax.Box) -> None:
        seconds = self._evaluator.seconds(statement.duration, statement.at)
        ops = self._frame.ops
        start = len(ops)
        self._run_block(statement.body)
        self._evaluator.count_steps(len(ops) - start, statement.at)
        waits: dict[int, float] = {}
        for op in ops[start:]:
            if type(op) is not Gate and type(op) is not Measure and type(op) is not Reset:
                return  # of several paths one is taken
            if type(op) is Gate and op.name == DELAY:
                waits[op.targets[0]] = waits.get(op.targets[0], 0.0) + op.params[0]
        longest = max(waits.values(), default=0.0)
        if longest > seconds * _ROUNDING:
            reason = f"a box of {seconds:g} s has delays of {longest:g} s on a qubit"
            raise self._tokens.error(statement.at, reason)

    def _assign(self, statement: syntax.Assignment) -> None:
        self._declarations.assign(statement, self._frame.branch_depth)

    def _measure(self, source: Expression, target: Expression, at: int) -> None:
        qubits = self._qubits(source, at)
        bits = self._evaluator.value(target)
        if not isinstance(bits, Bits):
            raise self._tokens.error(at, "a measurement goes to bits")
        n_qubits, n_bits = len(qubits.indices), len(bits.indices)
        if n_qubits != n_bits:
            reason = f"a measurement of {n_qubits} qubits does not fit {n_bits} bits"
            raise self._tokens.error(at, reason)
        self._check_operations(n_qubits, at)
        # Variables read these bits when they are used, so they would see the new results.
        self._evaluator.invalidate_readings(bits.indices)
        self._frame.ops += map(Measure, qubits.indices, bits.indices)

    def _qubits(self, node: Expression, at: int) -> Qubits:
        value = self._evaluator.value(node)
        if not isinstance(value, Qubits):
            raise self._tokens.error(getattr(node, "at", at), "qubits are needed here")
        return value

    def _check_operations(self, n_ops: int, at: int) -> None:
        """Refuse more operations than the limit, before they are made."""
        if len(self._frame.ops) + n_ops > self._max_operations:
            raise self._gate_table.operations_limit_error(at)

    # --- control flow -----------------------------------------------------------------------------

    def _block(self, statement: syntax.Block) -> None:
        self._run_block(statement.body)

    def _run_block(self, body: Iterable[Statement]) -> None:
        """Run statements in a scope of their own."""
        stack = self._evaluator.scopes.stack
        depth, n_tentative = len(stack), len(self._evaluator.tentative)
        stack.append({})
        try:
            for statement in body:
                self.run(statement)
        finally:  # also after `break`, which ends the block with an exception
            del stack[depth:]
            self._evaluator.invalidate_tentative(n_tentative)

    def _if(self, statement: syntax.If) -> None:
        frame, end = self._frame, Label()
        n_left = len(statement.branches)
        is_open = False
        for condition, body in statement.branches:
            n_left -= 1
            holds = self._evaluator.truth(condition, statement.at)
            if holds is False:
                continue
            if holds is True:
                self._run_block(body)
                break
            if not is_open:
                is_open = True
                frame.branch_depth += 1
            self._evaluator.count_steps(conditions.cost_of_bits(holds), statement.at)
            self._branch(holds, body, end, is_last=not (n_left or statement.otherwise))
        else:
            self._run_block(statement.otherwise)
        frame.flow.place(end)
        frame.branch_depth -= is_open
        # Jumps are added unchecked.
        self._check_operations(0, statement.at)

    def _branch(
        self,
        condition: conditions.Condition,
        body: Iterable[Statement],
        end: Label,
        *,
        is_last: bool,
    ) -> None:
        """Run statements where a condition holds, then go to `end` unless it comes next."""
        otherwise, flow = Label(), self._frame.flow
        flow.jump_if(condition, False, otherwise)
        self._run_block(body)
        if not is_last:
            flow.jump(end)
        flow.place(otherwise)

    def _switch(self, statement: syntax.Switch) -> None:
        frame, end, at = self._frame, Label(), statement.at
        subject = self._evaluator.value(statement.subject)
        if not isinstance(subject, int | Bits | Measured | BitString):
            raise self._tokens.error(at, "'switch' needs an integer or a register of bits")
        cases = self._case_values(statement)
        if isinstance(subject, int | BitString):
            known = int(number(subject))
            bodies = (body for values, body in cases if known in values)
            self._run_block(next(bodies, statement.otherwise))
            return
        frame.branch_depth += 1
        for place, (values, body) in enumerate(cases):
            tests = [self._evaluator.equals(subject, value, at) for value in values]
            condition = conditions.any_of(tests)
            is_last = place == len(cases) - 1 and not statement.otherwise
            # A bool is False here: the bits cannot have any of these values.
            if not isinstance(condition, bool):
                self._evaluator.count_steps(conditions.cost_of_bits(condition), at)
                self._branch(condition, body, end, is_last=is_last)
        self._run_block(statement.otherwise)
        frame.flow.place(end)
        frame.branch_depth -= 1
        self._check_operations(0, at)

    def _case_values(
        self, statement: syntax.Switch
    ) -> list[tuple[list[int], tuple[Statement, ...]]]:
        """Return the integers of each case, all different, and its statements."""
        seen: set[int] = set()
        cases = []
        for case in statement.cases:
            values = []
            for node, at in case.values:
                constant = self._evaluator.constant(node, at)
                if isinstance(constant, float | Angle):
                    raise self._tokens.error(at, f"a case is an integer, not {kind(constant)}")
                value = int(number(constant))
                if value in seen:
                    raise self._tokens.error(at, f"case {quoted(str(value))} is there twice")
                seen.add(value)
                values.append(value)
            cases.append((values, case.body))
        return cases

    def _for(self, statement: syntax.For) -> None:
        frame, stack, at = self._frame, self._evaluator.scopes.stack, statement.at
        values, n_values = self._loop_values(statement)
        # Counted before the loop is unrolled, so that a short text cannot take long.
        self._evaluator.count_steps(n_values * (statement.n_tokens + 1), at)
        size = self._evaluator.size(statement.type)
        depth = len(stack)
        loop = Loop(frame.branch_depth)
        frame.loops.append(loop)
        exit_kind = ""
        n_tentative = len(self._evaluator.tentative)
        for value in values:
            variable = Variable(value, statement.type.name, size, branch_depth=frame.branch_depth)
            stack.append({statement.name: variable})
            try:
                for inner in statement.body:
                    self.run(inner)
            except ControlFlowExit as leave:
                exit_kind = leave.kind
            del stack[depth:]
            # A `continue` inside a run-time branch jumps here.
            if loop.next.sources:
                frame.flow.place(loop.next)
                loop.next = Label()
                self._evaluator.invalidate_tentative(n_tentative)
            if exit_kind in ("break", "end"):
                break
        frame.loops.pop()
        frame.flow.place(loop.end)
        self._evaluator.invalidate_tentative(n_tentative)
        frame.branch_depth -= loop.n_raised
        if exit_kind == "end":
            raise ControlFlowExit(exit_kind)

    def _loop_values(self, statement: syntax.For) -> tuple[Iterable[Constant | Bits], int]:
        """Return the values of a loop, and their number."""
        nodes, at = statement.values, statement.at
        if isinstance(nodes, syntax.Range):
            numbers = self._evaluator.integers(nodes)
            # `len` raises for 2^63 numbers and more, which the bound on integers allows.
            n_values = max(0, -((numbers.start - numbers.stop) // numbers.step))
            if statement.type.name not in ("int", "uint"):
                raise self._tokens.error(at, "a loop over a range has a variable of type int")
            # A range is monotonic: if both ends fit the type of the variable, all numbers do.
            for end in (numbers[0], numbers[-1]) if n_values else ():
                self._evaluator.convert(statement.type, end)
            return numbers, n_values
        if isinstance(nodes, syntax.IndexSet):
            values = [self._evaluator.constant(node, at) for node in nodes.items]
            return [self._evaluator.convert(statement.type, value) for value in values], len(values)
        register = self._evaluator.value(nodes)
        if statement.type.name == "bit" and statement.type.size is None:
            if isinstance(register, Bits) and not register.is_scalar:
                bits = [Bits((index,), True) for index in register.indices]
                return bits, len(bits)
            if isinstance(register, BitString):
                digits = range(register.width)
                return [bool(register.value >> digit & 1) for digit in digits], register.width
        reason = "a loop runs over '[start:stop]', '{a, b, c}' or, as 'for bit', a register of bits"
        raise self._tokens.error(at, reason)

    def _exit(self, statement: syntax.Exit) -> None:
        """End the program, a loop or an iteration: by a jump if a measurement decides it."""
        frame, kind = self._frame, statement.kind
        if kind != "end" and not frame.loops:
            raise self._tokens.error(statement.at, f"'{kind}' is outside of a loop")
        if kind == "end":
            if not frame.branch_depth:
                raise ControlFlowExit(kind)
            frame.flow.jump(self._end)
            frame.branch_depth += 1
            return
        loop = frame.loops[-1]
        if frame.branch_depth == loop.branch_depth:
            raise ControlFlowExit(kind)
        frame.flow.jump(loop.end if kind == "break" else loop.next)
        # The rest of the body runs only if the jump is not taken, as in a branch.
        frame.branch_depth += 1
        loop.n_raised += 1


def _copies(op: Gate, columns: Sequence[tuple[int, ...]], n_copies: int) -> list[Gate]:
    """Return a copy of a gate for each row of columns; the gate's qubits number the columns."""
    targets = _rows(columns, op.targets)
    return [
        *map(
            Gate, repeat(op.name, n_copies), targets, repeat(op.params), _rows(columns, op.controls)
        )
    ]


def _rows(columns: Sequence[tuple[int, ...]], chosen: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return zip(*[columns[place] for place in chosen], strict=True) if chosen else repeat(())
