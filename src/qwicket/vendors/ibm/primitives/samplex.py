"""Draws the random parameters of a circuit from a samplex, a program of samplomatic.

Of all readers only this one imports samplomatic, and only in parser processes. A samplex is a graph
of nodes in JSON. Its nodes fill registers at random, combine them, and write them to the outputs:
the parameters of the circuit, and bits such as the flips of measurements, which results repeat.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit, quoted
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import circuits

PARAMETERS: Final = "parameter_values"
"""The output with the parameters of the circuit."""
_FLIPS: Final = "measurement_flips"
"""Beginning of the names of outputs that samplomatic fills with zeros first."""
_RANDOMIZATIONS: Final = "num_randomizations"
_GATE_BYTES: Final = {"u2": 64}
"""Bytes of one gate in a register, by the type of the register; gates of other types have one."""
_ROUNDING: Final = 1e-6
"""Samplomatic computes angles as float32, whose rounding errors up to 4π are below this."""


class _Node(msgspec.Struct, frozen=True):
    id: int
    data: dict[str, str]


class _Link(msgspec.Struct, frozen=True):
    source: int
    target: int


class _Attributes(msgspec.Struct, frozen=True):
    param_table: str


class _Graph(msgspec.Struct, frozen=True):
    attrs: _Attributes
    # Raw, so that too many nodes are refused before one of them is decoded.
    nodes: tuple[msgspec.Raw, ...]
    links: tuple[msgspec.Raw, ...]


class _Table(msgspec.Struct, frozen=True):
    circuit_base64: bytes


class Draw(NamedTuple):
    """What was drawn from a samplex.

    Attributes:
        parameters: Parameters of the circuit, `(*shape, n_parameters)`, float64, in radians.
        outputs: All other outputs by their names, `(*shape, …)`, bool.
    """

    parameters: Any
    outputs: dict[str, Any]


_graphs: Final = msgspec.json.Decoder(_Graph)
_nodes: Final = msgspec.json.Decoder(_Node)
_links: Final = msgspec.json.Decoder(_Link)
_tables: Final = msgspec.json.Decoder(_Table)


class Samplex:
    """A samplex that was checked.

    Args:
        text: Its JSON.
        place: Path of its item in the document.
        limits: Limits on the program.

    Raises:
        InvalidProgram: The text is malformed, or samplomatic is not installed.
        LimitExceeded: It has too many nodes.
    """

    def __init__(self, text: str, place: str, limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._own = limits.of(PrimitiveLimits)
        _check_graph(text.encode(), f"{place}.samplex", self._own.samplex_nodes)
        self._samplex = self._load(text)
        with self._refused(), _placed(f"{place}.samplex"):
            self._check_outputs()

    def draw(self, arguments: Mapping[str, Any], own_shape: tuple[int, ...], rng: Any) -> Draw:
        """Draw from the samplex.

        Args:
            arguments: Arrays, numbers and Pauli-Lindblad maps by their names. Arrays broadcast.
            own_shape: Shape that the arguments broadcast to. Along the axes that the arguments do
                not have, each element is an independent randomization.
            rng: Source of randomness.

        Raises:
            InvalidProgram: The arguments do not fit, or the samplex cannot be drawn.
            LimitExceeded: There are too many draws, or they take too much memory.
        """
        import numpy as np

        given = self._bound(arguments)
        shape = self._whole(own_shape, given.shape)
        swept = [length > 1 for length in (1,) * (len(shape) - given.ndim) + given.shape]
        n_randomizations = math.prod(
            [length for length, is_swept in zip(shape, swept, strict=True) if not is_swept]
        )
        outputs = self._empty(shape)
        with self._refused():
            self._check_registers(n_randomizations)
            self._samplex.finalize()
        if not math.prod(shape):
            return Draw(outputs.pop(PARAMETERS), outputs)
        for index in np.ndindex(*[n for n, is_swept in zip(shape, swept, strict=True) if is_swept]):
            with self._refused():
                drawn = self._samplex.sample(
                    given[_at(index, given.shape)], n_randomizations, rng, max_workers=1
                )
            place = _place(index, swept)
            for name, output in outputs.items():
                part = output[place]
                part[...] = drawn[name].reshape(part.shape)
        parameters = outputs.pop(PARAMETERS)
        if not np.isfinite(parameters).all():
            raise InvalidProgram(f"{self._place}.samplex: draws parameters that are not finite")
        return Draw(_unrounded(parameters), outputs)

    def _load(self, text: str) -> Any:
        try:
            from samplomatic.serialization import samplex_from_json
        except ImportError:
            raise InvalidProgram(
                f"{self._place}.samplex: this server draws no random circuits: its administrator"
                " can install qwicket[samplex]",
                field="samplex",
            ) from None
        with self._refused():
            return samplex_from_json(text)

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """Refuse a samplex on which samplomatic fails, with an error of any kind."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, MemoryError, InvalidProgram, LimitExceeded):
            raise
        except BaseException:  # a panic of rustworkx is a BaseException
            import samplomatic

            raise InvalidProgram(
                f"{self._place}.samplex: is not valid for samplomatic {samplomatic.__version__},"
                " which this server has",
                field="samplex",
            ) from None

    def _check_outputs(self) -> None:
        """Check the outputs, and that nodes write all of them.

        Samplomatic does not initialise their memory, which may hold parts of other programs.
        """
        from samplomatic.samplex.nodes import CollectTemplateValues, CollectZ2ToOutputNode

        written: dict[str, set[int]] = {
            PARAMETERS: set(self._samplex.passthrough_params[0].tolist())
        }
        for node in self._samplex.graph.nodes():
            if isinstance(node, CollectTemplateValues):
                (name,) = node.outputs_to()
                written.setdefault(name, set()).update(node.template_idxs.ravel().tolist())
            elif isinstance(node, CollectZ2ToOutputNode):
                for name, (indices, _) in node.outputs_to().items():
                    written.setdefault(name, set()).update(map(int, indices))
        specifications = {each.name: each for each in self._samplex.outputs().specs}
        if PARAMETERS not in specifications:
            raise InvalidProgram(f"has no output {PARAMETERS}")
        for name, specification in specifications.items():
            kind = "f" if name == PARAMETERS else "b"
            first, *inner = specification.shape
            is_known = first == _RANDOMIZATIONS and all(type(n) is int and n >= 0 for n in inner)
            n_axes = (1,) if name == PARAMETERS else (1, 2)
            if not is_known or len(inner) not in n_axes or specification.dtype.kind != kind:
                raise InvalidProgram(f"its output {quoted(name)} is not known here")
            check_limit("parameters", math.prod(inner), self._own.parameters)
            missing = set(range(inner[-1])) - written.get(name, set())
            if missing and not name.startswith(_FLIPS):
                raise InvalidProgram(
                    f"no node writes element {min(missing)} of its output {quoted(name)}"
                )

    def _bound(self, arguments: Mapping[str, Any]) -> Any:
        """Return the inputs of the samplex with their values."""
        place = f"{self._place}.samplex_arguments"
        with self._refused():
            inputs = self._samplex.inputs().make_broadcastable()
            known = {each.name: each for each in inputs.specs}
        for name, value in arguments.items():
            if name not in known:
                raise InvalidProgram(f"{place}: the samplex has no argument {quoted(name)}")
            try:
                inputs[name] = value
            except Exception:  # samplomatic's and NumPy's errors are of many kinds
                wanted = "a Pauli-Lindblad map of its qubits"
                if shape := getattr(known[name], "shape", None):
                    wanted = f"an array of shape {[*shape]}, after axes that broadcast"
                raise InvalidProgram(f"{place}: {quoted(name)} must be {wanted}") from None
        for name, specification in known.items():
            if name not in arguments and not specification.optional:
                raise InvalidProgram(f"{place}: {quoted(name)} is missing")
        return inputs

    def _whole(self, own: tuple[int, ...], inner: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of all draws."""
        import numpy as np

        for shape in (own, inner):
            self._check_sets(shape)
        try:
            whole = np.broadcast_shapes(own, inner)
        except ValueError:
            raise InvalidProgram(
                f"{self._place}: arguments of shape {inner} do not broadcast to {own}"
            ) from None
        self._check_sets(whole)  # again, because (n, 1) and (1, n) broadcast to n² sets
        return whole

    def _check_sets(self, shape: tuple[int, ...]) -> None:
        n_sets = math.prod([max(1, length) for length in shape])
        with _placed(f"{self._place}.shape"):
            check_limit("parameter_sets", n_sets, self._own.parameter_sets)

    def _empty(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return arrays for all outputs, once their sizes are known to be within limits."""
        import numpy as np

        sizes = {each.name: each.shape[1:] for each in self._samplex.outputs().specs}
        n_sets = math.prod(shape)
        n_parameters = n_sets * math.prod(sizes[PARAMETERS])
        n_bits = n_sets * sum(math.prod(size) for name, size in sizes.items() if name != PARAMETERS)
        with _placed(self._place):
            check_limit("parameters", n_parameters, self._own.parameters)
            check_limit("unpacked_bytes", n_bits, self._own.unpacked_bytes)
        return {
            name: np.zeros((*shape, *size), np.float64 if name == PARAMETERS else np.bool_)
            for name, size in sizes.items()
        }

    def _check_registers(self, n_randomizations: int) -> None:
        n_bytes = 0
        for node in self._samplex.graph.nodes():
            for n_gates, kind in node.instantiates().values():
                n_bytes += max(0, int(n_gates)) * _GATE_BYTES.get(kind.value, 1)
        with _placed(f"{self._place}.samplex"):
            check_limit("samplex_bytes", n_bytes * n_randomizations, self._own.samplex_bytes)


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Add a place to the errors of the block."""
    try:
        yield
    except LimitExceeded as refusal:
        raise LimitExceeded(f"{place}: {refusal.detail}", field=refusal.field) from None
    except InvalidProgram as refusal:
        raise InvalidProgram(f"{place}: {refusal.detail}", field=refusal.field) from None


def _check_graph(text: bytes, place: str, max_nodes: int) -> None:
    """Check the graph of a samplex before samplomatic reads it."""
    try:
        graph = _graphs.decode(text)
        with _placed(place):
            check_limit("samplex_nodes", len(graph.nodes), max_nodes)
            check_limit("samplex_nodes", len(graph.links), 4 * max_nodes)
        numbers = {_nodes.decode(node).id for node in graph.nodes}
        ends = {
            end for link in map(_links.decode, graph.links) for end in (link.source, link.target)
        }
        table = _tables.decode(graph.attrs.param_table)
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidProgram(f"{place}: is not the JSON of a samplex", field="samplex") from None
    # rustworkx would add a node for each number that is left out.
    if numbers != set(range(len(graph.nodes))) or not ends <= numbers:
        raise InvalidProgram(f"{place}: its nodes are not numbered in order", field="samplex")
    with _placed(f"{place}.param_table"):
        circuits.check_head(table.circuit_base64, 1, circuits.VERSIONS)


def _at(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the place in the arguments of an index into the axes that they have."""
    rest = iter(index)
    return tuple([next(rest) if length > 1 else 0 for length in shape])


def _place(index: tuple[int, ...], swept: list[bool]) -> tuple[Any, ...]:
    """Return the place in the outputs of an index into the axes of the arguments."""
    rest = iter(index)
    return tuple([next(rest) if is_swept else slice(None) for is_swept in swept])


def _unrounded(angles: Any) -> Any:
    """Put angles that are multiples of π/2 up to rounding back there.

    So Clifford circuits remain Clifford circuits, which wide devices need.
    """
    import numpy as np

    multiples = np.rint(angles / (np.pi / 2)) * (np.pi / 2)
    return np.where(np.abs(angles - multiples) < _ROUNDING, multiples, angles)
