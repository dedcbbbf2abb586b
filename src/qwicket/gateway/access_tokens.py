"""Access tokens and signed URLs: short-lived credentials of an actor, stored nowhere.

An access token signs in at one dialect; a signed URL allows one kind of upload or download for one
job. Both are JSON Web Tokens signed with a key that all servers of one database share. Each use
reads the token that the actor signed in with (without one, the account), and is refused if that is
no longer valid.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from qwicket.gateway.signin import subject
from qwicket.gateway.ttl_cache import TTLCache
from qwicket.model.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import jwt.types

    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Actor
    from qwicket.store import Store

_ALGORITHM: Final = "HS256"
_KEY_NAME: Final = "access_tokens"
_FORMER_KEY_NAME: Final = "access_tokens_former"
"""The key before the last rotation, by which clients that have not renewed yet are recognised."""
_KEY_BYTES: Final = 32
_CACHED: Final = 64
"""Verified texts that are remembered. With 1,000, a flood of them kept 6 MB of memory in use."""
_MAX_CHARS: Final = 600
"""Ours have about 400. The bound limits what is parsed before a forged signature is detected."""
_OPTIONS: Final[jwt.types.Options] = {
    "require": ["sub", "aud", "exp"],
    "verify_exp": False,  # checked below with the gateway's own clock
    "verify_iat": False,  # a clock set back must not invalidate access tokens
}


class SignedURL(NamedTuple):
    """Holder of a signed URL, and the job that it is for."""

    actor: Actor
    job: str


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """Signed content. `aud` names kind, dialect and purpose, to keep the kinds apart."""

    sub: str
    aud: str
    iat: int
    exp: int
    jti: str
    job: str = ""


class AccessTokens:
    """Signs access tokens and URLs, and verifies them."""

    def __init__(self, store: Store, sign_in: SignIn, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._sign_in = sign_in
        self._now_ms = now_ms
        self._keys = TTLCache(store.accounts.find_server_key)
        self._jwt: ModuleType | None = None

    async def issue(self, actor: Actor, dialect: str, life_s: float) -> str:
        """Return an access token with the rights of `actor`.

        It signs in at one dialect for `life_s` seconds (at least one), or until the token of
        `actor` is revoked or expires, or the account is disabled.
        """
        return await self._sign(actor, f"access {dialect}", life_s)

    async def actor(
        self, text: str | None, dialect: str, address: str, *, leeway_s: float = 0.0
    ) -> Actor:
        """Return the holder of this access token.

        Args:
            text: The access token.
            dialect: The dialect that verifies it.
            address: Where the request is from.
            leeway_s: Seconds for which it is accepted after its end, because clients decide by
                their own clocks when to renew it.

        Raises:
            Unauthenticated: The token is missing, malformed, for another dialect, or expired; or
                the token or account that it derives from is no longer valid.
            TooManyRequests: The token is forged, and so were many others from this address.
        """
        claims = await self._verify(text, f"access {dialect}", address, leeway_s)
        return await self._sign_in.by_subject(claims.sub)

    async def sign_url(
        self, actor: Actor, dialect: str, purpose: str, job: str, life_s: float
    ) -> str:
        """Return a signed text, safe in a URL, that allows one purpose for one job.

        Args:
            actor: The holder; the URL becomes invalid with their token or account.
            dialect: The dialect that verifies it.
            purpose: The kind of use, such as `upload`.
            job: The job's id.
            life_s: Life in seconds.
        """
        return await self._sign(actor, f"url {dialect} {purpose}", life_s, job)

    async def verify_url(
        self, text: str | None, dialect: str, purpose: str, address: str
    ) -> SignedURL:
        """Verify a signed URL, which may be used repeatedly until it expires.

        Raises:
            Unauthenticated: The signature is missing, expired, or for another purpose or dialect.
            TooManyRequests: The signature is forged, and so were many others from this address.
        """
        claims = await self._verify(text, f"url {dialect} {purpose}", address)
        return SignedURL(await self._sign_in.by_subject(claims.sub), claims.job)

    async def _sign(self, actor: Actor, audience: str, life_s: float, job: str = "") -> str:
        now_ms = self._now_ms()
        end_ms = now_ms + max(1_000, round(1_000 * life_s))
        claims = _Claims(
            sub=subject(actor),
            aud=audience,
            iat=now_ms // 1_000,
            # Rounded up, so that no access token expires before its stated time.
            exp=-(-end_ms // 1_000),
            jti=secrets.token_hex(8),
            job=job,
        )
        jwt, key = await self._library(), await self._secret()
        signed: str = jwt.encode(msgspec.to_builtins(claims), key, _ALGORITHM)
        return signed

    async def _verify(
        self, text: str | None, audience: str, address: str, leeway_s: float = 0.0
    ) -> _Claims:
        if not text:
            raise Unauthenticated
        if len(text) > _MAX_CHARS or not text.isascii() or "=" in text:  # PyJWT ignores padding
            raise Unauthenticated("The access token is not valid.")
        jwt = await self._library()
        try:
            claims = await self._claims(text, audience)
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            if not await self._is_of_former_key(text, audience):
                self._sign_in.count_wrong(address)
            raise Unauthenticated("The access token is not valid.") from None
        except jwt.InvalidTokenError:  # malformed, or for another purpose
            raise Unauthenticated("The access token is not valid.") from None
        if (claims.exp + leeway_s) * 1000 <= self._now_ms():
            raise Unauthenticated("The access token has expired.")
        return claims

    async def _claims(self, text: str, audience: str) -> _Claims:
        key = await self._secret()
        try:
            return _decoded(text, key, audience)
        except _jwt().InvalidSignatureError:
            self._keys.invalidate(_KEY_NAME)
            newest = await self._secret()
            if newest == key:
                raise
        # Another server may have signed the text just after a rotation.
        return _decoded(text, newest, audience)

    async def _is_of_former_key(self, text: str, audience: str) -> bool:
        """Return whether the key before the last rotation signed a text, so it is not forged."""
        key = await self._keys.get(_FORMER_KEY_NAME)
        if key is None:
            return False
        try:
            _decoded(text, key, audience)
        except _jwt().InvalidTokenError:
            return False
        return True

    async def _library(self) -> ModuleType:
        """Return PyJWT, imported in a thread the first time because that takes 0.1 s of CPU."""
        if self._jwt is None:
            self._jwt = await asyncio.to_thread(_jwt)
        return self._jwt

    async def _secret(self) -> bytes:
        """Return the key, which is created when it is first needed."""
        return await self._keys.get(_KEY_NAME) or await self._store.accounts.get_or_add_server_key(
            _KEY_NAME, _fresh_key(), self._now_ms()
        )


async def rotate(store: Store, now_ms: int) -> None:
    """Replace the key, which invalidates all access tokens and signed URLs."""
    await store.accounts.replace_server_key(_KEY_NAME, _FORMER_KEY_NAME, _fresh_key(), now_ms)


def _fresh_key() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)


@functools.lru_cache(_CACHED)
def _decoded(text: str, key: bytes, audience: str) -> _Claims:
    """Return the claims of a text that this key signed; times and revocation are checked later.

    Clients send one access token with each of thousands of requests, and a signature takes 0.2 ms.
    """
    return msgspec.convert(
        _jwt().decode(text, key, [_ALGORITHM], _OPTIONS, audience=audience), _Claims
    )


def _jwt() -> ModuleType:
    """Import PyJWT when first needed, because it imports all of `cryptography` if installed."""
    import jwt

    return jwt
