"""The words of the project: one table, from which `docs/glossary.md` is made.

    python docs/_site/glossary.py > docs/glossary.md

A test compares the page with this table, and keeps the names and idioms that are listed as gone out of the
repository. Add the old name to `GONE` when you rename something.
"""

# ruff: noqa: E501 — one term is one line

from __future__ import annotations

import sys
from typing import NamedTuple


class Term(NamedTuple):
    """One word of the project."""

    name: str
    meaning: str
    page: str = ""
    """Where to read more, as a link from `docs/`."""


TERMS = [
    Term("access token", "A signed, short-lived token for which a client exchanges its token. It is refused once the original token is no longer valid.", "decisions/0016-sign-in.md"),
    Term("account", "A user of a server. It has tokens, a project of its own, and a role: `member` or `admin`.", "cli.md"),
    Term("adopted job", "A job that one server may have sent to another cloud, and that a later server follows there. It cannot be queued again.", "howto/remote-devices.md#never-sent-twice"),
    Term("agent", "The program on a lab's computer that fetches jobs for the lab's device and reports their outcomes.", "agents.md"),
    Term("archive", "One file with an ended job, its program, options, calibration and result.", "howto/archive.md"),
    Term("attempt", "A run of a job that ended in a way that the job may have caused: its process died, or a pilot sent an invalid result for it. The third attempt fails the job. Also, in clients, each time that a request is sent.", "states.md"),
    Term("batch", "Several programs in one job, each with its own result. Also, in the database, operations that are committed together; in IBM's API, a group of jobs.", "formats.md#batches"),
    Term("budget", "What the jobs of a project may use in a period: jobs, shots, seconds, or credits, in which devices state their costs.", "howto/budgets.md"),
    Term("calibration", "Measured values of a device at a time: lifetimes, gate errors, durations, readout errors.", "devices.md#a-calibration-in-a-file"),
    Term("cassette", "A file with requests to a vendor and the vendor's responses, which a replay gives again.", "howto/cassettes.md"),
    Term("circuit", "A program after parsing: a flat list of operations that an engine runs.", "decisions/0006-programs.md"),
    Term("claim", "The change of a job from queued to running, together with a new lease. Also, in OpenID Connect, a field of an ID token.", "states.md"),
    Term("delayed read", "A read of a job's status through a vendor's dialect, which the server answers when the job ends, but at most 250 ms later (by default).", "queue.md#the-first-poll"),
    Term("device", "Something that jobs can be submitted to: a simulator, a twin, a lab's machine, or a device at another cloud.", "devices.md"),
    Term("dialect", "One cloud's REST API in front of the queue. It only translates requests and responses.", "howto/dialect.md"),
    Term("directive", "A server's instruction to an agent or pilot about a job that it holds: `stop` (the job was cancelled) or `lost` (its lease is no longer valid).", "agents.md"),
    Term("dispatcher", "The part of a server that claims jobs and gives them to a driver."),
    Term("draft", "A job whose program is still being uploaded.", "states.md"),
    Term("drift", "A difference between a vendor's recorded response and Qwicket's.", "howto/cassettes.md#compare-qwicket-with-the-vendor"),
    Term("driver", "The part of a server that runs the jobs that the dispatcher gives it: on this machine's workers, in a Dask cluster, or at another cloud."),
    Term("engine", "A simulator that runs circuits: state vector, Clifford, cold atoms, photons.", "engines.md"),
    Term("express slot", "A process that runs short jobs while all workers are busy.", "queue.md#short-jobs"),
    Term("extra", "A set of optional dependencies: `pip install './qwicket[server]'`.", "cli.md#what-is-installed"),
    Term("fair share", "The rule that the project that has used a device least, relative to its share, goes next. Use decays, so recent use counts most.", "queue.md"),
    Term("family", "The kind of programs that a device runs: `qubit`, `photonic` or `atoms`.", "agents.md#the-devices-description"),
    Term("fencing token", "A number in each lease, higher than in the job's earlier leases. A result with an old number is refused.", "states.md"),
    Term("format", "The language of a program, such as OpenQASM 3 or Blackbird.", "formats.md"),
    Term("gateway", "The services between dialects and database: they check rights and limits, and know nothing of HTTP."),
    Term("group", "Jobs that belong together; it can be closed or cancelled as a whole.", "queue.md#groups"),
    Term("held job", "A waiting job that does not start until its owner or an administrator releases it.", "howto/hold.md"),
    Term("idempotency key", "A client's name for one submission. Two submissions by one account with the same key and content within a day are one job.", "api.md"),
    Term("identity provider", "Where the people of an organisation sign in.", "howto/single-sign-on.md"),
    Term("intent", "The stored record that a server is about to send a job to another cloud. From then on the job may be there.", "howto/remote-devices.md#never-sent-twice"),
    Term("invitation", "A code with which people create accounts. It has a number of uses and an end.", "howto/single-sign-on.md#invitations"),
    Term("job", "One submission: a program, a device, a number of shots, and later a result.", "states.md"),
    Term("lease", "A runner's temporary right to a job. It must be renewed, and ends with its runner.", "states.md"),
    Term("limit", "A bound that requests, jobs and accounts must respect, such as `shots`. Errors name it; `qwicket serve --limit` and `[limits]` in `qwicket.toml` set it. Where a limit is a size, 1 kB is 1,024 bytes."),
    Term("long poll", "A request that the server answers when something has changed, or after a time.", "api.md#polling-and-retries"),
    Term("maintenance window", "A time in which a device is off, once or every week.", "howto/reservations.md#maintenance-windows"),
    Term("marker", "A text, `qwicket-` and the id of a job, that is sent with the job to another cloud, so that it can be found there.", "howto/remote-devices.md#never-sent-twice"),
    Term("noise model", "Errors with which an ideal device runs a job on request.", "devices.md#twins"),
    Term("operation", "In a circuit, a gate, a measurement or another step. In the database, a function that reads or writes in a transaction.", "decisions/0003-commits.md"),
    Term("outcome", "The measured data of one circuit, before they are stored as a part of the result. Also, in tables of results, one bit string or list of numbers that a shot can give.", "agents.md#the-function"),
    Term("parser process", "A process that parses programs, with limits on time and memory.", "formats.md"),
    Term("part", "The result of one circuit of a job.", "api.md#parts"),
    Term("pass-through", "Submissions of a vendor's clients go through Qwicket's queue to the device's own server, unchanged except for the token, and its responses back.", "howto/own-machine.md"),
    Term("pilot", "A program on another machine that pulls jobs over HTTP: a lab's agent, or `qwicket worker`, which runs the jobs of simulated devices.", "howto/workers.md"),
    Term("profile", "A named address and token in a client's configuration file.", "clients/python.md#address-and-token"),
    Term("project", "A group of accounts whose jobs are charged together. Each job belongs to one project.", "queue.md"),
    Term("provider", "The owner of devices; it can be switched off as a whole. Also, in sign-in, the identity provider.", "devices.md#providers"),
    Term("pub", "One circuit of a Qiskit primitive, with its parameter values and shots.", "ibm-runtime.md"),
    Term("reservation", "A time in which a device runs only the jobs of some projects. In an exam, their results are withheld until its end.", "howto/reservations.md"),
    Term("runner", "A process that holds leases of jobs: a server, a pilot, or a lab's agent."),
    Term("scope", "A right of a token, such as `jobs:read`.", "security/secrets.md#scopes"),
    Term("session", "A sign-in at the pages under `/ui`, until its person signs out or it expires. Also, in IonQ's and IBM's APIs, a group of jobs.", "decisions/0038-pages.md"),
    Term("share", "A project's weight in the queue. Also the permission to read one job, for an account or for all who have a link.", "queue.md"),
    Term("shot", "One run of a circuit, with one bit or number for each measured qubit, mode or wire."),
    Term("signed URL", "An address that carries its own permission for a limited time.", "decisions/0016-sign-in.md"),
    Term("slot", "A place for one running task: a worker process, and a thread in the server.", "decisions/0004-own-worker-pool.md"),
    Term("target", "A path of a server that records, and the vendor's address to which it forwards. Also, in Qiskit, a description of a device.", "howto/cassettes.md#in-tests"),
    Term("task", "What a worker process gets at once: one job, or up to 16 tiny jobs (estimate of 5 ms or less). Amazon Braket calls each job a task.", "decisions/0025-express-slot.md"),
    Term("test bed", "A server for tests. Tests can inject faults, choose the end of each job, and read what their code has sent.", "howto/testing.md"),
    Term("token", "A secret with which programs sign in. The server stores only its hash.", "security/secrets.md#how-secrets-are-stored"),
    Term("twin", "A simulated device whose noise follows from a calibration.", "devices.md#twins"),
    Term("webhook", "An address that the server sends a request to when a job changes.", "howto/webhooks.md"),
    Term("worker", "A process that runs engines. Cancelling a job ends its process. Also the program `qwicket worker` on another machine: a pilot.", "decisions/0004-own-worker-pool.md"),
]  # fmt: skip

GONE = {
    "GatewaySession": "JobsSession",
    "product_bytes": "mps_bytes",
    "unsigned_bodies_bytes": "bodies_before_sign_in_bytes",
    "unsigned_bodies_bytes_each": "bodies_before_sign_in_bytes_each",
    "read_memory_bytes": "parse_memory_bytes",
    "read_time_s": "parse_time_s",
    "reads_waiting": "parser_queue",
    "reads_waiting_each": "parser_queue_each",
    "short_read_s": "short_parse_s",
    "qwicket_reader_refusals_total": "qwicket_parser_refusals_total",
    "qwicket_first_polls_held_total": "qwicket_first_polls_delayed_total",
    "qwicket_first_polls_full_total": "qwicket_first_polls_over_limit_total",
    "webhook-private": "allow-private-webhooks",
    "webhook_private": "allow_private_webhooks",
    "AnswerLimits": "ResponseLimits",
    "answer_timeout_s": "response_timeout_s",
    "answer_bytes_per_s": "response_bytes_per_s",
    "answers_bytes": "responses_bytes",
    "answers_bytes_each": "responses_bytes_each",
    "answers_waiting_each": "responses_waiting_each",
    "answers_wait_s": "responses_wait_s",
    "qwicket_answers_held_bytes": "qwicket_responses_held_bytes",
    "AsyncLine": "AsyncHTTPClient",
    "NoAnswer": "NoResponse",
    "WrongAnswer": "InvalidResponse",
    "Patience": "RetryPolicy",
    "keep_from_strangers": "refuse_qwicket_token",
    "choose_target": "choose_destination",
    "refuse_our_token": "refuse_qwicket_token",
    "stand_in": "placeholder",
    "Outlet": "WriteBuffer",
    "speaks_websocket": "supports_websocket",
    "tell_failure": "log_startup_failure",
    "for_people": "with_browser_redirect",
    "share_one_heap": "use_one_malloc_arena",
    "shorten_collections": "tune_garbage_collector",
    "why_not_listening": "listen_failure",
    "give_up_untaken": "abort_if_stalled",
    "in_pieces": "encode_in_chunks",
    "Awaited": "WaitResult",
    "Lookout": "LivenessMonitor",
    "Nursery": "WorkerSpawner",
    "NotBegun": "JobNotStarted",
    "Outlook": "Forecast",
    "RECENT_S": "CACHE_TTL_S",
    "RunApart": "RetrySeparately",
    "SMALL_ANSWER_BYTES": "SMALL_RESPONSE_BYTES",
    "StoppedThere": "StoppedRemotely",
    "Upkeep": "Maintenance",
    "is_hopeful": "optimistic",
    "patiently": "wait_for_capacity",
    "BadAnswer": "InvalidResponse",
    "GroupAnswer": "GroupBody",
    "HeldBody": "HeldLeaseBody",
    "JobEnd": "JobStateBody",
    "KeptSession": "SessionFields",
    "Misfit": "InvalidOutcome",
    "Misread": "ReadoutFlip",
    "NotTaken": "JobRejected",
    "OutOfMemory": "MemoryLimitExceeded",
    "OutOfTime": "TimeLimitExceeded",
    "PartAnswer": "PartResultBody",
    "Secretive": "RedactedRepr",
    "Strike": "SampledError",
    "Undelivered": "RequestNotDelivered",
    "by_shots": "divide_shots",
    "end_tokens": "revoke_expired_tokens",
    "forget_keys": "delete_expired_keys",
    "give_pass": "issue_access_token",
    "is_passing": "is_transient",
    "mend_shares": "repair_shares",
    "visible_kept": "visible_with_vendor_fields",
    "void_orphans": "void_orphaned_leases",
    "NothingSent": "NotAccepted",
    "without_leading_slashes": "with_one_leading_slash",
}
"""Names of code that were replaced, and by what."""

IDIOMS = {
    "doors?": "dialect",
    "whoever": "the user, the client, anyone who",
    "blotted": "redacted",
    "foresaw": "unexpected",
    "bulletin": "notification",
    "lookout": "liveness monitor",
    "nursery": "worker spawner",
    "chores": "maintenance",
    "in the making": "in progress",
    "hears of": "learns of, receives",
    "who asks": "the caller",
}
"""Words that the documents no longer use, and what to write instead."""

HEAD = """\
# Glossary

The words of this project, in alphabetical order. This page is generated from `docs/_site/glossary.py`.

| word | meaning |
|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    rows = []
    for term in TERMS:
        name = f"[{term.name}]({term.page})" if term.page else term.name
        rows.append(f"| {name} | {term.meaning} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
