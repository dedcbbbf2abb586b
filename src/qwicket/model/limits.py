"""Every limit of the server, by group. Each refusal names its limit by the field's name.

Names are unique over all groups: `--limit` and the settings file name no group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec.structs import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

L = TypeVar("L", bound=msgspec.Struct)


class BodyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies of requests: their sizes, rates and memory."""

    body_bytes: int = 16 << 20
    """Body of a request."""
    upload_bytes: int = 64 << 20
    """A program that is uploaded."""
    outcome_bytes: int = 64 << 20
    """JSON in which a lab's agent brings what a job gave: 20 million numbers of atoms fit in."""
    body_timeout_s: float = 30.0
    """Time for a body, beside what its bytes may take."""
    body_bytes_per_s: int = 32 << 10
    """Least rate of a body: its time grows by what has arrived at this rate."""
    bodies_bytes: int = 256 << 20
    """Bodies over 64 KiB that are held at the same time, of everyone together: as much of them as
    has arrived."""
    bodies_bytes_each: int = 128 << 20
    """The same of one account."""
    unsigned_bodies_bytes: int = 64 << 20
    """The same where the token may be in the body: nobody takes room from who has signed in."""
    unsigned_bodies_bytes_each: int = 32 << 20
    """The same of one address."""


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Connections, and how fast clients send requests and take answers."""

    connections: int = 4_096
    """Open connections; fewer where the process may not open so many files. Above, an idle one is
    closed for each new one: of the address that has most."""
    connections_each: int = 2_048
    """Open connections of one address, or requests that are served for one behind a trusted proxy.
    Above, an idle one of the same address is closed for each new one."""
    half_closed: int = 512
    """Connections whose clients closed their side before their answer was there, or are gone, which
    looks the same; above, the one that waited longest is ended. None takes a place from others."""
    pipelined: int = 1_000
    """Requests of one connection that wait for the answers to earlier ones; one more ends it."""
    head_bytes: int = 128 << 10
    """Request line and headers together."""
    head_timeout_s: float = 20.0
    """Time for a request's head, and for a new connection's silence or handshake."""
    keep_alive_s: float = 75.0
    """Pause between two requests of a connection."""
    answer_timeout_s: float = 30.0
    """Time in which a client must take some of an answer."""
    answer_bytes_per_s: int = 4 << 10
    """Least rate at which a client takes an answer, measured over `answer_timeout_s`."""


class AnswerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Memory for large answers."""

    answers_bytes: int = 256 << 20
    """Answers over 64 KiB that their clients have not taken yet, of everyone together: while there
    are more, no other one is made. Two are made at a time, one of each account."""
    answers_bytes_each: int = 64 << 20
    """The same of one account."""
    answers_waiting_each: int = 64
    """Large answers of one account that wait to be made."""
    answers_wait_s: float = 10.0
    """Time for which a large answer waits for room: less than the 30 s after which the least
    patient of clients give up."""


class SignInLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts to sign in."""

    password_tries: int = 10
    """Wrong passwords per minute, address and name. Beyond, each is compared after 2 s; a right one
    signs in, a wrong one gets a 429."""
    wrong_passwords: int = 100
    """Wrong passwords at once from one address, whatever the names; each second one more. Beyond,
    one is compared every 0.25 s; a right one signs in, a wrong one gets a 429."""
    passwords_waiting: int = 64
    """Passwords from one address that wait to be compared, which is slow on purpose."""
    wrong_tokens: int = 10
    """Unknown tokens from one address in a minute; one more gets a 429."""


class RequestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Fields, lists, long polls and streams of events."""

    document_bytes: int = 1 << 20
    """One free-form object, such as a vendor's metadata."""
    json_depth: int = 64
    """How deeply JSON may be nested."""
    json_keys: int = 10_000
    """Keys of one free-form object, such as a vendor's metadata."""
    name_chars: int = 255
    """Characters of a name or tag."""
    tags: int = 32
    """Tags of one job."""
    list_page: int = 1_000
    """Entries of one page of a list."""
    wait_s: float = 60.0
    """Longest long poll."""
    polls_each: int = 1_000
    """Long polls of one account at the same time; one more is answered at once with the job as it
    is."""
    streams: int = 2_000
    """Open streams of events."""
    streams_each: int = 200
    """Open streams of events of one account."""


class QuotaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Stored things of one account or project."""

    waiting_jobs: int = 10_000
    """Waiting jobs of one project."""
    stored_bytes: int = 10 << 30
    """Programs, as sent and as read, and results of one project's jobs. Above, its submissions are
    refused; results of jobs that were taken are kept all the same."""
    uploads_bytes: int = 1 << 30
    """Uploads of one account that no job was made of yet; one under way counts as a full one."""
    draft_s: float = 3600.0
    """Time in which the program of a job must be uploaded."""
    tokens: int = 1_000
    """Tokens of one account that are neither revoked nor expired, where the account makes one."""
    token_devices: int = 64
    """Devices that a token names, where an account makes one."""
    groups: int = 10_000
    """Groups of one account at one door; above, the oldest that takes no more jobs is forgotten."""
    group_life_s: float = 30 * 86_400.0
    """Longest time for which a group may be opened, where it is limited at all."""
    records: int = 10_000
    """Registered documents of one account at one door; above, the oldest is forgotten."""


class AgentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of labs and their agents."""

    device_agents: int = 256
    """Agents of one device; one that was killed counts until its lease time is over."""
    device_gates: int = 256
    """Gates that a lab names of its device."""
    held_leases: int = 64
    """Jobs that a lab's agent may say to hold at once."""
    layout_bytes: int = 64 << 10
    """Layout of a lab's photonic device."""


class ParsingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Processes that read programs."""

    read_time_s: float = 15.0
    """Time to read one program. Every text that the other limits allow is read in a second on one
    core; the rest is for slow and busy machines, and delays nobody but the text's own account."""
    short_read_s: float = 1.0
    """Time that one program may hold the process for short ones, used while others are taken."""
    reads_waiting: int = 64
    """Programs that wait to be read, of everyone together; an account's first always may."""
    reads_waiting_each: int = 16
    """Programs of one account that wait to be read."""
    read_memory_bytes: int = 512 << 20
    """Memory that reading one program may take."""


class ProgramLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Programs and their circuits, whatever their format."""

    program_text_bytes: int = 1 << 20
    """Text of a program."""
    program_json_bytes: int = 10 << 20
    """A program in JSON."""
    circuits: int = 5_000
    """Circuits of one job."""
    operations: int = 1_000_000
    """Operations of all circuits of one job, after expansion."""
    clifford_qubits: int = 5_000
    """Widest register of any program: only Clifford circuits are simulated at that width."""
    clbits: int = 10_000
    """Classical bits of one circuit."""
    matrix_qubits: int = 8
    """Qubits of one gate that is given as a matrix."""


class AtomLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Circuits of cold atoms."""

    hilbert_dimension: int = 8_192
    """Joint levels of all wires of one cold-atom circuit."""
    gate_work: int = 1_000_000_000
    """Energies of one gate on all wires of cold atoms, in radians, times the dimension, where that
    is above 4,096: half a minute."""
    samples: int = 20_000_000
    """Numbers of one job's shots on cold atoms: shots times measured wires, over all circuits."""


class PhotonicLimits(msgspec.Struct, frozen=True, array_like=True):
    """Photonic circuits; these limits travel with the job to the engine."""

    squeezing: float = 2.5
    """Squeezing parameter |r| of one gate."""
    displacement: float = 20.0
    """Amplitude of one displacement in size: 400 photons."""
    counted_modes: int = 20
    """Modes whose photons are counted, unless their state is classical."""
    counted_shots: int = 100_000
    """Shots of a circuit whose photons are counted, unless their state is classical."""
    counted_photons: float = 25.0
    """Mean photons of the counted modes, unless their state is classical or of pairs."""
    pair_photons: float = 60.0
    """Mean photons of the counted modes of a pure pair state."""
    amplitudes: int = 1 << 22
    """Amplitudes that are held at once for one shot of photon counting."""
    modes: int = 100
    """Modes of one photonic circuit, time bins unrolled."""
    time_bins: int = 100
    """Time bins of one photonic circuit."""


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """One job: shots, qubits, time and memory of its run, size of its results."""

    shots: int = 1_000_000
    """Shots of one job."""
    debias_shots: int = 500
    """Fewest shots of a symmetrised run: each variant needs some."""
    qubits: int = 29
    """Qubits of a state vector; memory may allow fewer."""
    mps_qubits: int = 256
    """Widest circuit for the engine `aer-mps`."""
    memory_bytes: int | None = None
    """Memory one job may use; None means this machine's memory divided among the workers."""
    run_time_s: float = 300.0
    """Time that one job may run; an estimate above it is refused at submission."""
    express_s: float = 2.0
    """Estimate below which a job may run in the express slot, and the time that it has there."""
    express_bytes: int = 128 << 20
    """Memory up to which a job may run in the express slot, and the memory that it has there."""
    express_pause_s: float = 60.0
    """Time for which an account has no express slot after a job of its own took too long there."""
    outcomes: int = 1 << 20
    """Distinct outcomes kept for one circuit."""
    result_bytes: int = 256 << 20
    """One job's result as JSON, estimated."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what one request, program, job or project may ask for.

    Sizes are in bytes, times in seconds.
    """

    bodies: BodyLimits = BodyLimits()
    connections: ConnectionLimits = ConnectionLimits()
    answers: AnswerLimits = AnswerLimits()
    sign_in: SignInLimits = SignInLimits()
    requests: RequestLimits = RequestLimits()
    quotas: QuotaLimits = QuotaLimits()
    agents: AgentLimits = AgentLimits()
    parsing: ParsingLimits = ParsingLimits()
    programs: ProgramLimits = ProgramLimits()
    atoms: AtomLimits = AtomLimits()
    photonic: PhotonicLimits = PhotonicLimits()
    jobs: JobLimits = JobLimits()
    own: tuple[msgspec.Struct, ...] = ()
    """Groups that single formats and dialects declare beside their code, where they are set."""

    def of(self, group: type[L]) -> L:
        """Return a group that a format or dialect declares."""
        return next((each for each in self.own if isinstance(each, group)), None) or group()

    @classmethod
    def from_names(cls, *own: type[msgspec.Struct], **values: float | None) -> Limits:
        """Return limits of which some are set by name.

        Args:
            own: Groups that formats and dialects declare.
            values: Limits by name; all others have their default.

        Raises:
            TypeError: No group has a limit of this name.
        """

        def filled(group: type[L]) -> L:
            known = set(group.__struct_fields__) & set(values)
            return group(**{name: values.pop(name) for name in known})

        shared: dict[str, Any] = {name: filled(group) for name, group in SHARED.items()}
        made = cls(**shared, own=tuple(map(filled, own)))
        if values:
            raise TypeError(f"there is no limit {', '.join(values)}")
        return made


SHARED: Final[Mapping[str, type[msgspec.Struct]]] = {
    field.name: type(field.default) for field in fields(Limits) if field.name != "own"
}
"""Types of the groups that `Limits` has itself, by field."""

INT64_MAX = (1 << 63) - 1
"""Largest integer that every store can keep; wire structs bound their integers by it."""
