"""Which path of the root does what.

Everything known needs a pass, whatever the method: a 200 on `/healthz` without one would tell a
client with a wrong key that all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from qwicket.dialects.door import Door
from qwicket.dialects.xanadu import wire
from qwicket.model.errors import Unauthenticated

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def door() -> Door:
    """Return the root door. It makes no passes yet, so that nobody can hold one."""
    paths = ("/healthz", "/devices", "/devices/{rest:path}", "/jobs", "/jobs/{rest:path}")
    return Door([Route(path, endpoint=_NeedsPass()) for path in paths], wire.problem)


class _NeedsPass:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise Unauthenticated("A valid access token is needed.")
