"""Base structs of responses, and types of fields for which OpenAPI has more than a plain type."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec

INT64_MAX: Final = 2**63 - 1

# Clients read text where the server has an enumeration: a newer server may have more members.
# The titles make the aliases different, so that OpenAPI can replace each by its enumeration.
Directive = Annotated[str, msgspec.Meta(title="directive to an agent")]
DeviceState = Annotated[str, msgspec.Meta(title="state of a device")]
Family = Annotated[str, msgspec.Meta(title="family of devices")]
Id = Annotated[str, msgspec.Meta(title="id", pattern=r"^[!-~]{1,40}\Z")]
Role = Annotated[str, msgspec.Meta(title="role of an account")]
Scope = Annotated[str, msgspec.Meta(title="scope of a token")]
PageUrl = Annotated[str, msgspec.Meta(title="address of a page", pattern=r"^https?://[!-~]+\Z")]
Theme = Literal["light", "dark"]
State = Annotated[str, msgspec.Meta(title="state of a job", pattern=r"^[a-z_]{1,32}\Z")]

Fence = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]


class ResponsePart(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a response.

    The server sends every field, unless its type allows `UNSET` or the struct omits defaults.
    The defaults serve clients of an older server, which does not send the field yet.
    """

    always: ClassVar[tuple[str, ...]] = ()
    """Fields that the server sends although the struct omits defaults."""


class ResponseBody(ResponsePart, frozen=True, kw_only=True):
    """An empty response body, and the base of other bodies.

    A body has no other fields than those that its struct describes.
    """


class RedactedRepr(msgspec.Struct, frozen=True, kw_only=True):
    """A struct with a secret. Its `repr` shows only its id, so that no log contains the secret."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'id', '')}>"
