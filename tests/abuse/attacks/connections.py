"""Attacks with the bytes of a connection besides its requests, and with held connections."""

from __future__ import annotations

import time
from contextlib import ExitStack

from abuse.attacks import Outcome, Target
from abuse.attacks.bystander import Bystander
from abuse.test_connections import HELD, TWO
from abuse.test_floods import Peak
from abuse.test_framing import CHUNKED, ENDLESS, MAX_RISE, MAX_TAKEN, MB, flood
from abuse.test_sockets import FRAMES, send_frames
from support import raw

EACH = 2_048
"""Connections of one address (limit `connections_each`); two have all."""
FRAMES_MAX_S = 0.5
OPENING_MAX_S = 3.0
"""Others wait while the server accepts 4,096 connections that come at once, which takes 0.5 s."""


def endless_framing(target: Target) -> Outcome:
    """Send chunk extensions and trailers without an end, and without a token."""
    peak = Peak(target.live)
    sent = []
    for kind in ENDLESS.values():
        with raw.connect(target.live.url) as connection:
            connection.sendall(raw.head("POST /v1/jobs", CHUNKED) + kind.first)
            sent.append(flood(connection, kind.piece, target.size(48, 1_024) * MB))
    rise = peak.rise_bytes()
    assert max(sent) < MAX_TAKEN, f"{max(sent) >> 20} MiB were taken"
    assert rise < MAX_RISE, f"memory rose by {rise >> 20} MiB"
    return Outcome(
        f"{len(sent)} chunked bodies whose chunk lines or trailers never end",
        f"at most {max(sent) >> 20} MiB taken, kernels' buffers included;"
        f" memory rose by {rise >> 20} MiB",
    )


def endless_frames(target: Target) -> Outcome:
    """Send small frames without an end on websockets without a token."""
    peak, bystander = Peak(target.live), Bystander(target.live.url)
    with bystander.watching():
        for kind in FRAMES:
            send_frames(target.live, kind, target.size(20, 200) * MB)
    rise, seen = peak.rise_bytes(), bystander.latencies
    assert rise < MAX_RISE, f"memory rose by {rise >> 20} MiB"
    assert not seen.n_failed
    name = "A14 frames without an end: longest /livez"
    target.note(name, max(seen.seconds), at_most=FRAMES_MAX_S, unit="s")
    return Outcome(
        f"{len(FRAMES)} websockets with frames without an end",
        f"others: {seen}; memory rose by {rise >> 20} MiB",
    )


def two_addresses(target: Target) -> Outcome:
    """Take every connection from two addresses, with requests whose bodies do not come."""
    asks, submits = Bystander(target.live.url), Bystander(target.live.url, target.bystander)
    with asks.watching(), submits.watching(), ExitStack() as stack:
        for _ in range(EACH):
            for source in TWO:
                opened = stack.enter_context(raw.connect(target.live.url, source=source))
                opened.sendall(HELD["answered"])
        time.sleep(target.size(1, 30))
    seen = asks.latencies, submits.latencies
    assert not any(each.n_failed for each in seen), [each.n_failed for each in seen]
    longest_s = max(max(each.seconds) for each in seen)
    name = "A14 every connection of two addresses: longest request"
    target.note(name, longest_s, at_most=OPENING_MAX_S, unit="s")
    return Outcome(
        f"{EACH} connections from each of two addresses, with requests whose bodies do not come",
        f"a third one's /livez {seen[0]}; its submits {seen[1]}",
    )
