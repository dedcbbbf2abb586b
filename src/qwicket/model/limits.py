"""All limits of the server, by group. Each error names its limit by the field's name.

Names are unique over all groups: `--limit` and the settings file name no group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

L = TypeVar("L", bound=msgspec.Struct)

INT64_MAX: Final = (1 << 63) - 1
"""Largest integer that all databases can store, and so the bound of integers in JSON."""


class BodyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies of requests: their sizes, rates and memory."""

    body_bytes: int = 16 << 20
    """Body of a request."""
    upload_bytes: int = 64 << 20
    """An uploaded program."""
    outcome_bytes: int = 64 << 20
    """JSON with which an agent or a worker on another machine reports results; 20 million numbers
    of atoms fit in."""
    body_timeout_s: float = 30.0
    """Time for a body, plus the time that its bytes may take."""
    body_bytes_per_s: int = 32 << 10
    """Minimum rate of a body: arriving bytes extend its time at this rate."""
    bodies_bytes: int = 256 << 20
    """Bytes of all bodies over 64 KiB in memory, as far as they have arrived."""
    bodies_bytes_each: int = 128 << 20
    """The same of one account."""
    bodies_before_sign_in_bytes: int = 64 << 20
    """The same for routes with the token in the body, so that strangers cannot block users."""
    bodies_before_sign_in_bytes_each: int = 32 << 20
    """The same of one address."""


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Connections, and the rates at which clients send requests and read responses."""

    connections: int = 4_096
    """Open connections; fewer if the process may not open so many files. Above it, an idle or
    stalled one of the address with most connections is closed for each new one."""
    connections_each: int = 2_048
    """Open connections of one address, or concurrent requests of one behind a trusted proxy. Above
    it, an idle or stalled one of the same address is closed for each new one."""
    half_closed: int = 512
    """Connections whose clients closed their side before the response, or disconnected, which
    cannot be distinguished. Above it, the longest waiting one is closed."""
    pipelined: int = 1_000
    """Pipelined requests of one connection; one more closes it."""
    head_bytes: int = 128 << 10
    """Request line and headers together, or chunk lines and trailers, or pipelined requests that
    are read before earlier ones are answered."""
    head_timeout_s: float = 20.0
    """Time for a request's headers, for the first byte or handshake of a connection, and for the
    rest of a body whose request was answered before it arrived."""
    keep_alive_s: float = 75.0
    """Pause between two requests of a connection."""
    response_timeout_s: float = 30.0
    """Time in which a client must read some bytes of a response."""
    response_bytes_per_s: int = 4 << 10
    """Minimum rate at which a client reads a response, measured over `response_timeout_s`."""


class ResponseLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Memory for large responses."""

    responses_bytes: int = 256 << 20
    """Bytes of all responses over 64 KiB that clients have not read yet; above it, no other one
    begins. Two are prepared at a time, one per account."""
    responses_bytes_each: int = 64 << 20
    """The same of one account."""
    responses_waiting_each: int = 64
    """Waiting large responses of one account."""
    responses_wait_s: float = 10.0
    """Time for which a large response waits for memory, less than the shortest timeout of vendors'
    clients, 30 s."""


class SignInLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sign-in attempts."""

    password_tries: int = 10
    """Wrong passwords per minute, address and name. Above it, each is compared after 2 s; a right
    one signs in, a wrong one receives 429."""
    wrong_passwords: int = 100
    """Wrong passwords from one address, for all names: a bucket of this size, refilled by one per
    second. Above it, one is compared every 0.25 s; a wrong one then receives 429."""
    passwords_waiting: int = 64
    """Passwords from one address that wait as described above."""
    wrong_tokens: int = 10
    """Unknown tokens from one address in a minute, and likewise sign-ins at the identity provider
    that do not succeed; one more receives 429."""


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
    webhook_url_chars: int = 2_000
    """Characters of a webhook's address."""
    list_page: int = 1_000
    """Entries of one page of a list."""
    wait_s: float = 60.0
    """Longest long poll."""
    polls_each: int = 1_000
    """Concurrent long polls of one account; one more returns the job at once."""
    streams: int = 2_000
    """Open streams of events."""
    streams_each: int = 200
    """Open streams of events of one account."""


class StoredLimit(NamedTuple):
    """Bytes that a project may store, and one of several members for it."""

    project: int = INT64_MAX
    member: int = INT64_MAX


NO_STORED_LIMIT: Final = StoredLimit()


class QuotaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Stored objects of one account or project."""

    waiting_jobs: int = 10_000
    """Waiting jobs of one project."""
    member_waiting_jobs: int = 0
    """Waiting jobs of one of several members of a project; 0 is a tenth of `waiting_jobs`, at least
    100."""
    stored_bytes: int = 10 << 30
    """Bytes of what one project's jobs and groups store. Above it, submissions, new groups, and
    changes that store more are refused; results of accepted jobs are stored all the same."""
    member_stored_bytes: int = 0
    """Bytes of what one of several members of a project stores for it; 0 is a tenth of
    `stored_bytes`, at least 100 MiB."""
    uploads_bytes: int = 1 << 30
    """Bytes of one account's uploads without a job; an unfinished one counts in full."""
    draft_s: float = 3600.0
    """Time in which the program of a job must be uploaded."""
    tokens: int = 1_000
    """Valid tokens of one account; only an administrator may create more."""
    new_tokens: int = 2_000
    """Tokens that one account creates in 24 hours, because revoked ones stay in the database; only
    an administrator may create more."""
    token_devices: int = 64
    """Devices of a token that an account creates itself."""
    groups: int = 10_000
    """Groups of one account in one dialect; above it, the oldest closed group is deleted."""
    group_life_s: float = 30 * 86_400.0
    """Longest time for which a group with a time limit may be open."""
    client_documents: int = 10_000
    """Registered documents of one account in one dialect; above it, the oldest is deleted."""
    webhooks: int = 10
    """Webhooks of one project."""
    webhook_events: int = 100_000
    """Events that wait for one webhook. With more, it is disabled within a minute."""
    job_shares: int = 1_000
    """Shares of one account's jobs, links included."""

    @property
    def waiting_jobs_of_member(self) -> int:
        """Waiting jobs of one member of a project with several."""
        return self.member_waiting_jobs or max(100, self.waiting_jobs // 10)

    @property
    def stored(self) -> StoredLimit:
        """Bytes that a project may store, and one of several members for it."""
        each = self.member_stored_bytes or max(100 << 20, self.stored_bytes // 10)
        return StoredLimit(self.stored_bytes, each)


class AgentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of labs and their agents, and workers on other machines."""

    device_agents: int = 256
    """Agents of one device; a killed one counts until its lease time is over."""
    device_gates: int = 256
    """Gates of a lab's device."""
    device_gate_qubits: int = 1 << 17
    """Gates of a lab's device times its qubits: some clients get figures of each gate on each."""
    device_bytes: int = 128 << 10
    """A lab's device as it announces it, in JSON."""
    held_leases: int = 64
    """Jobs that a lab's agent may report to hold, or report on, in one request."""
    pilots: int = 1_024
    """Pilots (`qwicket worker`); a killed one counts until its lease time is over."""
    pilot_leases: int = 32_768
    """Jobs that a pilot may report to hold: two tasks of 16 jobs for each of 1,024 slots."""
    layout_bytes: int = 64 << 10
    """Layout of a lab's photonic device."""


class ParsingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Parser processes."""

    parse_time_s: float = 15.0
    """Time to parse one program. Any OpenQASM text within the other limits takes under four seconds
    of one core; the rest is a margin for slow and busy machines. An account occupies only one of
    the parser processes at a time."""
    short_parse_s: float = 1.0
    """Time that one program may use the process for short programs; then it is parsed again in an
    ordinary one."""
    parser_queue: int = 64
    """All programs that wait or are parsed; the first one of an account always may wait."""
    parser_queue_each: int = 16
    """Programs of one account that wait or are parsed."""
    parse_memory_bytes: int = 512 << 20
    """Memory for parsing one program."""


class ProgramLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Programs and their circuits, in all formats."""

    program_text_bytes: int = 4 << 20
    """Text of a program."""
    program_json_bytes: int = 10 << 20
    """A program in JSON."""
    circuits: int = 5_000
    """Circuits of one job."""
    operations: int = 1_000_000
    """Operations of all circuits of one job, after expansion."""
    clifford_qubits: int = 5_000
    """Qubits of any program; only Clifford circuits are simulated at that width."""
    clbits: int = 10_000
    """Classical bits of one circuit."""
    matrix_qubits: int = 8
    """Qubits of one gate that is given as a matrix."""


class AtomLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Circuits of cold atoms."""

    hilbert_dimension: int = 8_192
    """Joint levels of all wires of one cold-atom circuit."""
    gate_work: int = 1_000_000_000
    """Largest energy of one gate on all wires of cold atoms, in radians, times the dimension.
    Checked above a dimension of 4,096; a gate at the limit takes half a minute."""
    samples: int = 20_000_000
    """Numbers of one job's shots on cold atoms: shots times measured wires, over all circuits."""


class PhotonicLimits(msgspec.Struct, frozen=True, array_like=True):
    """Photonic circuits; the job passes these limits to the engine."""

    squeezing: float = 2.5
    """Squeezing parameter |r| of one gate."""
    displacement: float = 20.0
    """Magnitude of the amplitude of one displacement or prepared mode; 20 is 400 photons."""
    counted_modes: int = 20
    """Modes whose photons are counted, unless their state is classical."""
    counted_shots: int = 100_000
    """Shots of a circuit whose photons are counted, unless their state is classical."""
    counted_photons: float = 25.0
    """Mean photons of the counted modes, unless their state is classical or of pairs."""
    pair_photons: float = 60.0
    """Mean photons of the counted modes of a pure pair state."""
    amplitudes: int = 1 << 22
    """Amplitudes in memory for one shot of photon counting."""
    modes: int = 100
    """Modes of one photonic circuit, time bins unrolled."""
    time_bins: int = 100
    """Time bins of one photonic circuit."""


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """One job: shots, qubits, time and memory of its run, size of its results."""

    shots: int = 1_000_000
    """Shots of one job."""
    debias_shots: int = 500
    """Minimum shots of a symmetrised run, because each variant needs some."""
    qubits: int = 29
    """Qubits of a state vector; memory may allow fewer."""
    mps_qubits: int = 256
    """Widest circuit for the engine `aer-mps`."""
    memory_bytes: int | None = None
    """Memory one job may use; None means this machine's memory divided among the workers."""
    run_time_s: float = 300.0
    """Time that one job may run; an estimate above it is refused at submission."""
    express_s: float = 2.0
    """Estimate below which a job may use an express slot, and its time limit there."""
    express_bytes: int = 128 << 20
    """Memory estimate up to which a job may use an express slot, and its memory limit there."""
    express_bar_s: float = 60.0
    """Time for which an account is barred from express slots after one of its jobs overran."""
    outcomes: int = 1 << 20
    """Outcomes of one circuit with exact probabilities; beyond it, shots are counted."""
    result_bytes: int = 256 << 20
    """One job's result as JSON, estimated."""
    candidates: int = 50
    """Devices among which the server chooses one for a job."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on requests, programs, jobs and projects.

    Sizes are in bytes, times in seconds.
    """

    bodies: BodyLimits = BodyLimits()
    connections: ConnectionLimits = ConnectionLimits()
    responses: ResponseLimits = ResponseLimits()
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
    """Groups declared by single formats and dialects in their own code."""

    def of(self, group: type[L]) -> L:
        """Return a group declared by a format or dialect."""
        for each in self.own:
            if isinstance(each, group):
                return each
        return group()

    @classmethod
    def from_names(cls, *own: type[msgspec.Struct], **values: float | None) -> Limits:
        """Return limits with some of them set by name.

        Args:
            own: Groups declared by formats and dialects.
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
