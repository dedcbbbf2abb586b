"""The abuse list as a table: a number, what it is, and the attack that tries it."""

from __future__ import annotations

from typing import Final, NamedTuple

from abuse.attacks import Attack, access, connections, load, members, payloads, text, webhooks

ALWAYS: Final = ("--limit", "waiting_jobs=200000", "--limit", f"memory_bytes={1 << 30}")
"""The flood is of more jobs than one project may have by default. A job has as much memory on each
machine, so that the widest programs are of 25 qubits everywhere."""
SHORT: Final = (
    *("--limit", "head_timeout_s=2"),
    *("--limit", "body_timeout_s=2"),
    *("--limit", "keep_alive_s=6"),
)
"""The short form does not wait for the deadlines that users have."""


class Entry(NamedTuple):
    """A row of the list.

    Attributes:
        number: Its name, such as `A14`.
        title: What it tries.
        attack: The attack.
    """

    number: str
    title: str
    attack: Attack


LIST: Final = (
    Entry("A1", "wrong tokens", access.wrong_tokens),
    Entry("A2", "revoked token", access.revoked_token),
    Entry("A3", "ids of others", access.others_ids),
    Entry("A4", "scope escape", access.scope_escape),
    Entry("A5", "huge bodies", payloads.huge_bodies),
    Entry("A5", "framing without an end", connections.endless_framing),
    Entry("A6", "decompression bombs", payloads.bombs),
    Entry("A7", "deep and wide JSON", payloads.odd_json),
    Entry("A8/A9", "odd numbers, shots and widths", payloads.odd_numbers),
    Entry("A10", "hostile programs", payloads.hostile_programs),
    Entry("A11", "path traversal", payloads.path_traversal),
    Entry("A12", "pickles and object arrays", payloads.foreign_serialisations),
    Entry("A13", "jobs that take all workers", load.heavy_jobs),
    Entry("A13", "jobs beyond memory and time", load.heavy_memory),
    Entry("A14", "one byte a second", load.slow_senders),
    Entry("A14", "every connection of one address", load.all_connections),
    Entry("A14", "every connection of two addresses", connections.two_addresses),
    Entry("A14", "frames without an end", connections.endless_frames),
    Entry("A14", "streams and uploads of a member", members.streams_and_uploads),
    Entry("A15", "requests to inner addresses", webhooks.inner_addresses),
    Entry("A16", "SQL in every text", payloads.sql_injection),
    Entry("A17", "markup in names", text.markup),
    Entry("A18", "log injection", text.log_injection),
    Entry("A19", "cookies and foreign origins", text.cookies),
    Entry("A20", "tokens in URLs", access.token_in_url),
    Entry("A20", "forged access tokens", access.forged_access_tokens),
    Entry("A21", "malformed and forged headers", text.odd_headers),
    Entry("A22", "a flood of jobs", load.many_jobs),
    Entry("A23", "hostile webhook receivers", webhooks.hostile_receivers),
    Entry("A24", "false results of an agent", access.false_agent),
    Entry("A26", "random requests", payloads.fuzz),
    Entry("A25", "leaks in errors", text.leaks),  # last: it searches what all others saw
)
