"""Limits on open streams hold for the API and the pages together."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from qwicket.dialects.native.streams import Streams
from qwicket.gateway import Gateway
from qwicket.model.accounts import Actor
from qwicket.model.errors import TooManyRequests
from qwicket.store import Store
from support.stores import make_token

pytestmark = pytest.mark.anyio


async def test_streams_of_the_api_and_of_the_pages_share_their_limit(
    gateway: Gateway, store: Store
) -> None:
    token = await make_token(store)
    actor = Actor(
        account=token.account,
        account_name="ada",
        role="member",
        project=token.project,
        token=token.id,
        scopes=frozenset(),
        devices=frozenset(),
    )
    both = (Streams(gateway), Streams(gateway))
    limit = gateway.limits.requests.streams_each
    with ExitStack() as stack:
        for number in range(limit):
            stack.enter_context(both[number % 2].counted(actor))
        for streams in both:
            with pytest.raises(TooManyRequests, match="streams_each"), streams.counted(actor):
                pass
    with both[0].counted(actor):
        assert gateway.open_streams[actor.account] == 1
