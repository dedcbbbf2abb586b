"""Instructions of the four cold-atom machines: their wires, parameters and ranges.

Angles are in radians, and their ranges include both ends. The ranges are those of sqooler-example,
the simulators behind qlued, but wider where qiskit-cold-atom can send more than these accept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from types import MappingProxyType
from typing import Final, NamedTuple

from qwicket.circuits.atoms import FERMION_WIRES, AtomGate
from qwicket.model.limits import INT64_MAX
from qwicket.programs.json_text import FieldError, quoted

MAX_ATOMS: Final = 500
"""Largest number of atoms on one wire."""

_TURN: Final = 2 * pi
_TEN_TURNS: Final = 20 * pi
_MAX_FULL: Final = 5e6 * pi
"""Upper bound of the parameters of the gates `*_full`."""

_Wires = tuple[int, ...]


class _Rule(NamedTuple):
    """Wires and parameters of one instruction.

    Attributes:
        wires: Function from the wires that the instruction names and the experiment's number of
            wires to the wires that it acts on. Raises `FieldError` if it cannot act on them.
        params: Name and upper bound of each parameter; the lower bound is 0, for `load` 1.
        is_repeated: Whether its one parameter is given for each bond or site of its wires.
    """

    wires: Callable[[_Wires, int], _Wires]
    params: tuple[tuple[str, float], ...] = ()
    is_repeated: bool = False


class Machine(NamedTuple):
    """One of the four devices.

    Attributes:
        name: Its short name.
        n_wires: Largest number of wires of an experiment.
        rules: Rules of its instructions, by name.
        gate_names: Names of all instructions except `load`, `measure` and `barrier`.
    """

    name: str
    n_wires: int
    rules: Mapping[str, _Rule]

    @property
    def is_fermionic(self) -> bool:
        return self.name == "fermions"

    @property
    def gate_names(self) -> frozenset[str]:
        return frozenset(self.rules) - {"load", "measure", "barrier"}


class Gates:
    """Checks the instructions of one experiment; caches the check of a name with its wires.

    Args:
        machine: The machine that they are for.
        n_wires: Wires of the experiment.
    """

    def __init__(self, machine: Machine, n_wires: int) -> None:
        self._machine = machine
        self._n_wires = n_wires
        self._known: dict[tuple[str, tuple[float, ...]], _Action] = {}

    def checked(self, name: str, wires: tuple[float, ...], params: tuple[float, ...]) -> AtomGate:
        """Return an instruction with the wires that it acts on.

        Raises:
            FieldError: The instruction is invalid; the text says why.
        """
        action = self._known.get((name, wires))
        if action is None:
            action = self._known[name, wires] = _action(name, wires, self._machine, self._n_wires)
        if len(params) != len(action.maxima):
            count = f"{len(params)} parameters are given, it takes {len(action.maxima)}"
            raise FieldError(f"{name}: {count}", "params")
        if name == "load" and params:
            _check_atoms(params[0])
        for param, value, maximum in zip(action.params, params, action.maxima, strict=True):
            if not 0 <= value <= maximum:
                text = f"{name}: {param} must be 0 to {maximum:.10g}, not {value:g}"
                raise FieldError(text, "params")
        return AtomGate(action.name, action.wires, params)


class _Action(NamedTuple):
    """A gate on given wires: its name, the wires that it acts on, and parameters with maxima."""

    name: str
    wires: _Wires
    params: tuple[str, ...]
    maxima: tuple[float, ...]


def _action(name: str, wires: tuple[float, ...], machine: Machine, n_wires: int) -> _Action:
    rule = machine.rules.get(name)
    if rule is None:
        known = ", ".join(machine.rules)
        raise FieldError(f"{quoted(name)} is not known to {machine.name}; known: {known}", "name")
    try:
        named = tuple([whole_number(wire, "wires") for wire in wires])
        _check_wires(named, machine.n_wires)
        meant = rule.wires(named, n_wires)
    except FieldError as fault:
        raise FieldError(f"{name}: {fault}", fault.field) from None
    bounds = rule.params
    if rule.is_repeated:  # a `mu` for each site, a `J` for each bond between two
        n_sites = len(named) // 2
        bounds *= n_sites if bounds[0][0] == "mu" else n_sites - 1
    params, maxima = tuple([param for param, _ in bounds]), tuple([bound for _, bound in bounds])
    return _Action(_ALIASES.get(name, name), meant, params, maxima)


def whole_number(number: float, field: str) -> int:
    """Return a whole number as an integer. Some clients write all numbers as floats.

    Raises:
        FieldError: The number has a fraction or is too large.
    """
    if number != int(number) or abs(number) > INT64_MAX:
        raise FieldError(f"{field}: {number:g} is not a whole number", field)
    return int(number)


def _check_wires(wires: _Wires, n_wires: int) -> None:
    seen: set[int] = set()
    for wire in wires:
        if not 0 <= wire < n_wires:
            raise FieldError(f"wire {wire} is outside 0..{n_wires - 1}", "wires")
        if wire in seen:
            raise FieldError(f"wire {wire} is named twice", "wires")
        seen.add(wire)


def _check_atoms(number: float) -> None:
    if number != int(number):
        raise FieldError(f"load: params: {number:g} is not a whole number", "params")
    if not 1 <= number <= MAX_ATOMS:
        raise FieldError(f"load: N must be 1 to {MAX_ATOMS}, not {number:g}", "params")


# --- wires ----------------------------------------------------------------------------------------


def _inside(wires: _Wires, n_wires: int) -> _Wires:
    for wire in wires:
        if wire >= n_wires:
            raise FieldError(f"wire {wire} is outside 0..{n_wires - 1} (num_wires)", "wires")
    return wires


def _single_wire(wires: _Wires, n_wires: int) -> _Wires:
    if len(wires) != 1:
        raise FieldError(f"acts on one wire, not on {list(wires)}", "wires")
    return _inside(wires, n_wires)


def _single_qudit_wire(wires: _Wires, n_wires: int) -> _Wires:
    """Return the wire of the machine `singlequdit`, which need not be named."""
    return _single_wire(wires or (0,), n_wires)


def _all(wires: _Wires, n_wires: int) -> _Wires:
    if wires != tuple(range(n_wires)):
        text = f"acts on all {n_wires} wires of the experiment in order, not on {list(wires)}"
        raise FieldError(text, "wires")
    return wires


def _pair_or_all(wires: _Wires, n_wires: int) -> _Wires:
    return _inside(wires, n_wires) if len(wires) == 2 else _all(_several(wires), n_wires)


def _rydberg_all(wires: _Wires, n_wires: int) -> _Wires:
    """Return all wires of the experiment, even if all five of the machine are named."""
    if wires == tuple(range(_RYDBERG_WIRES)):
        return tuple(range(n_wires))
    return _all(_several(wires), n_wires)


def _several(wires: _Wires) -> _Wires:
    if len(wires) < 2:
        raise FieldError(f"acts on two wires or more, not on {list(wires)}", "wires")
    return wires


def _any(wires: _Wires, _n_wires: int) -> _Wires:
    return wires


def _mode(wires: _Wires, _n_wires: int) -> _Wires:
    """Return one wire of the machine `fermions`: it has eight, whatever `num_wires` is."""
    return _single_wire(wires, FERMION_WIRES)


def _modes(wires: _Wires, _n_wires: int) -> _Wires:
    return _all(wires, FERMION_WIRES)


def _sites(wires: _Wires, _n_wires: int) -> _Wires:
    first = wires[0] if wires else 0
    if not wires or first % 2 or len(wires) % 2 or wires != tuple(range(first, first + len(wires))):
        text = f"acts on neighbouring sites, up before down on each, not on {list(wires)}"
        raise FieldError(text, "wires")
    return wires


def _bonds(wires: _Wires, n_wires: int) -> _Wires:
    if len(wires) < 4:
        raise FieldError(f"acts on four wires or more, not on {list(wires)}", "wires")
    return _sites(wires, n_wires)


# --- machines -------------------------------------------------------------------------------------

_LOADED: Final = (("N", float(MAX_ATOMS)),)
_RYDBERG_WIRES: Final = 5
_OMEGA: Final = ("omega", _TURN)
_DELTA: Final = ("delta", _TURN)
_CHI: Final = ("chi", _TEN_TURNS)
_J: Final = ("J", _TEN_TURNS)
_ALIASES: Final = {"rydberg_blockade": "rydberg_block"}


def _full(*names: str) -> tuple[tuple[str, float], ...]:
    return tuple([(name, _MAX_FULL) for name in names])


_SINGLE: Final = {
    "rlx": _Rule(_single_wire, (_OMEGA,)),
    "rlz": _Rule(_single_wire, (_DELTA,)),
    "rlz2": _Rule(_single_wire, (_CHI,)),
    "sq_full": _Rule(_single_wire, _full("omega", "delta", "chi")),
    "load": _Rule(_single_qudit_wire, _LOADED),
    "barrier": _Rule(_any),
    "measure": _Rule(_single_qudit_wire),
}
_MULTI: Final = {
    "rlx": _Rule(_single_wire, (_OMEGA,)),
    "rlz": _Rule(_single_wire, (_DELTA,)),
    "rlz2": _Rule(_single_wire, (_CHI,)),
    "rlxly": _Rule(_pair_or_all, (_J,)),
    "rlzlz": _Rule(_pair_or_all, (_J,)),
    "multiqudit_full": _Rule(_all, _full("omega", "delta", "chi", "Jxy", "Jzz")),
    "load": _Rule(_single_wire, _LOADED),
    "barrier": _Rule(_any),
    "measure": _Rule(_single_wire),
}
_RYDBERG: Final = {
    "rlx": _Rule(_single_wire, (_OMEGA,)),
    "rlz": _Rule(_single_wire, (_DELTA,)),
    "rydberg_block": _Rule(_rydberg_all, (("phi", _TURN),)),
    "rydberg_blockade": _Rule(_rydberg_all, (("phi", _TURN),)),
    "rydberg_full": _Rule(_rydberg_all, _full("omega", "delta", "phi")),
    "barrier": _Rule(_any),
    "measure": _Rule(_single_wire),
}
_FERMIONS: Final = {
    "fhop": _Rule(_bonds, (("J", _TURN),), is_repeated=True),
    "fint": _Rule(_modes, (("U", _TURN),)),
    "fphase": _Rule(_sites, (("mu", _TURN),), is_repeated=True),
    "load": _Rule(_mode),
    "barrier": _Rule(_any),
    "measure": _Rule(_mode),
}
_MACHINES: Final = (
    Machine("singlequdit", 1, _SINGLE),
    Machine("multiqudit", 5, _MULTI),
    Machine("rydberg", _RYDBERG_WIRES, _RYDBERG),
    Machine("fermions", FERMION_WIRES, _FERMIONS),
)

MACHINES: Final[Mapping[str, Machine]] = MappingProxyType(
    {machine.name: machine for machine in _MACHINES}
)
"""The four machines by their short names."""
