"""OpenID Connect with the identity provider: its addresses and keys, codes and ID tokens.

`ProviderConnection` blocks, so callers run its methods in a thread. The provider's addresses come
from the operator's setting and from what the provider publishes there; none comes from a client.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import is_secure_transport
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import KeySet

from qwicket.clients.http import bounds
from qwicket.clients.http.requests_adapter import mount_deadline_adapters
from qwicket.model.errors import Unauthenticated, Unavailable
from qwicket.model.secret_files import mode_for_others

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qwicket.model.accounts import IdentityProvider

T = TypeVar("T")

_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""Signatures with a private key. With algorithms of a shared secret (HS256), a forger could use the
provider's public key as that secret."""
_TIMEOUT_S: Final = 10.0
_LIFE_S: Final = 3_600.0
"""Time in seconds for which the provider's addresses and keys are kept."""
_SILENT_S: Final = 5.0
"""Time in seconds for which a request is not repeated after the provider did not respond."""
_MIN_PAUSE_S: Final = 10.0
"""Minimum time in seconds between two downloads of the keys for ID tokens that no known key has
signed. Anybody can send such tokens."""
_LEEWAY_S: Final = 60
"""Difference in seconds that the clocks of the provider and of this server may have."""
_MAX_AGE_S: Final = 600
"""Maximum age of an ID token in seconds. A person who has just signed in has a new one."""
_MAX_CHARS: Final = 32_768
_SUBJECT: Final = re.compile(r"[^\0\ud800-\udfff]{0,255}")
"""A subject that both databases can store."""
_TIMES: Final = ("exp", "iat", "nbf", "auth_time")
_MAX_TIME: Final = 253_402_300_799
"""The last second of the year 9999."""

_log = logging.getLogger(__name__)
_WRONG: Final[Mapping[str, str]] = {
    "iss": "is from another issuer than {issuer}",
    "aud": "is for another audience than this server",
    "azp": "was issued to another client than this server",
    "nonce": "does not belong to this sign-in",
    "iat": "was issued too long ago, or in the future",
    "nbf": "is not valid yet",
    "sub": "has no valid subject",
}


class IDToken(NamedTuple):
    """A verified ID token.

    Attributes:
        claims: What the provider states about the person.
        digest: SHA-256 of what is signed, by which its use is recorded.
        expires_at: Unix milliseconds from which it is refused as expired; its use is recorded until
            then.
    """

    claims: Mapping[str, Any]
    digest: bytes
    expires_at: int


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider publishes about itself, by OpenID Connect Discovery 1.0 and RFC 8414."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Kept(Generic[T]):
    """What the provider publishes at one address.

    Only those wait for a request who need a newer value than the present one.

    Args:
        fetch: Requests it; raises Unavailable.
    """

    def __init__(self, fetch: Callable[[], T]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._found: tuple[T, float] | None = None
        self._failed: tuple[str, float] | None = None

    def known(self, max_age_s: float) -> T | None:
        """Return it if it was requested at most so many seconds ago, without waiting."""
        found = self._found
        return found[0] if found is not None and time.monotonic() - found[1] <= max_age_s else None

    def get(self, max_age_s: float) -> T:
        """Return it as it was at most so many seconds ago.

        Raises:
            Unavailable: The provider does not respond, or has not responded within `_SILENT_S`.
        """
        known = self.known(max_age_s)
        if known is not None:
            return known
        with self._lock:
            known = self.known(max_age_s)
            if known is not None:
                return known  # another thread has waited for it
            now = time.monotonic()
            if self._failed is not None and now - self._failed[1] <= _SILENT_S:
                raise Unavailable(self._failed[0])
            try:
                value = self._fetch()
            except Unavailable as error:
                self._failed = error.detail, time.monotonic()
                raise
            self._found = value, now
            return value


class ProviderConnection:
    """Client of the provider, with a cache of its metadata and keys.

    Args:
        settings: The provider's address, and this server's client id and secret there.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, settings: IdentityProvider, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._metadata = _Kept(self._discover)
        self._keys = _Kept(self._public_keys)

    def metadata(self) -> Metadata:
        """Return what the provider publishes.

        Raises:
            Unavailable: The provider does not respond, or publishes something invalid.
        """
        return self._metadata.get(_LIFE_S)

    def known_metadata(self) -> Metadata | None:
        """Return what the provider publishes if it is known, without waiting."""
        return self._metadata.known(_LIFE_S)

    def authorization_url(self, metadata: Metadata, secret: str, redirect_uri: str) -> str:
        """Return the provider's address where a person signs in, without waiting.

        Args:
            metadata: What the provider publishes.
            secret: The browser's secret of this sign-in; state, nonce and verifier derive from it.
            redirect_uri: Where the provider sends the browser back to.
        """
        with self._session(redirect_uri) as session:
            url, _ = session.create_authorization_url(
                metadata.authorization_endpoint,
                state=state_of(secret),
                nonce=_derived("nonce", secret),
                code_verifier=_derived("verifier", secret),
            )
        return str(url)

    def exchange(self, code: str, secret: str, redirect_uri: str) -> tuple[IDToken, str | None]:
        """Return the ID token and the access token for a code.

        Raises:
            Unauthenticated: The provider refuses the code, or the ID token is not valid.
            Unavailable: As for `metadata`; or the file of the client secret, or the provider's keys
                cannot be read.
        """
        metadata = self.metadata()
        methods = metadata.token_endpoint_auth_methods_supported
        client_secret = self._client_secret()
        try:
            with (
                bounds.within(bounds.SMALL),
                self._session(redirect_uri, client_secret, methods) as session,
            ):
                found = session.fetch_token(
                    metadata.token_endpoint,
                    code=code,
                    code_verifier=_derived("verifier", secret),
                    allow_redirects=False,
                )
        except requests.RequestException:
            raise self._unavailable() from None
        except (AuthlibBaseError, ValueError) as error:
            kind = error.error if isinstance(error, AuthlibBaseError) else "no JSON"
            _log.warning("the identity provider refused a code: %.100r", kind)
            raise Unauthenticated(
                "The identity provider refused the code of this sign-in, which may have been used"
                " or have expired. Sign in again."
            ) from None
        text = found.get("id_token")
        if not isinstance(text, str):
            raise Unauthenticated("The identity provider sent no ID token. Sign in again.")
        token = self.verified(text, {self._settings.client_id}, _derived("nonce", secret))
        access = found.get("access_token")
        return token, access if isinstance(access, str) else None

    def verified(self, text: str, clients: Collection[str], nonce: str | None) -> IDToken:
        """Verify an ID token.

        Args:
            text: The ID token.
            clients: The client ids to which it may be issued, in addition to configured audiences.
            nonce: Its nonce; None if it must have none, because no browser asked for it.

        Raises:
            Unauthenticated: It is not valid; the text says why.
            Unavailable: The provider's keys are needed, and the provider does not respond.
        """
        if len(text) > _MAX_CHARS or not text.isascii() or text.count(".") != 2 or "=" in text:
            raise Unauthenticated("The ID token is not valid: it is not a signed JWT.")
        claims = self._decoded(text)
        for name in _TIMES:
            value = claims.get(name, 0)
            if type(value) not in (int, float) or not 0 <= value <= _MAX_TIME:  # NaN is neither
                raise Unauthenticated(f"The ID token is not valid: {name} is not a time.")
        now = self._now_ms() // 1_000
        audiences = sorted({*clients, *self._settings.audiences})
        registry = jwt.JWTClaimsRegistry(
            now,
            _LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "values": audiences},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("The ID token has expired. Sign in again.") from None
        except MissingClaimError as error:
            raise Unauthenticated(f"The ID token is not valid: it lacks {error.claim}.") from None
        except ClaimError as error:
            raise self._wrong(error.claim) from None
        if not now - _MAX_AGE_S <= claims["iat"] <= now + _LEEWAY_S:
            raise self._wrong("iat")
        if not _SUBJECT.fullmatch(claims["sub"]):
            raise self._wrong("sub")
        # OpenID Connect Core 1.0, 3.1.3.7: a token for several audiences names the client in azp.
        # Other tokens may lack azp.
        is_for_many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if is_for_many else audiences[0]) not in audiences:
            raise self._wrong("azp")
        _check_nonce(claims.get("nonce"), nonce, self._wrong("nonce"))
        signed = text.rpartition(".")[0].encode()
        expires_at = round(1000 * (claims["exp"] + _LEEWAY_S))
        return IDToken(claims, hashlib.sha256(signed).digest(), expires_at)

    def with_user_info(
        self, claims: Mapping[str, Any], access_token: str | None, names: Collection[str]
    ) -> Mapping[str, Any]:
        """Return claims; if one of `names` is absent, with those of the provider's user info.

        Raises:
            Unauthenticated: The access token is another person's, or the user info is malformed.
            Unavailable: The provider does not respond. Without its groups, the person would lose
                the rights that they give.
        """
        url = self.metadata().userinfo_endpoint
        if access_token is None or url is None or all(name in claims for name in names):
            return claims
        found = self._get(url, {"Authorization": f"Bearer {access_token}"})
        if not isinstance(found, dict) or found.get("sub") != claims["sub"]:
            raise Unauthenticated("The access token is not of the person of the ID token.")
        return {**found, **claims}

    def _decoded(self, text: str) -> dict[str, Any]:
        try:
            try:
                return jwt.decode(text, self._key_set(), _ALGORITHMS).claims
            except (BadSignatureError, InvalidKeyIdError):
                # The provider may have changed its keys since they were read.
                return jwt.decode(text, self._key_set(is_stale=True), _ALGORITHMS).claims
        except (BadSignatureError, InvalidKeyIdError):
            raise Unauthenticated(
                "The ID token is not valid: none of the identity provider's keys has signed it."
            ) from None
        except (JoseError, ValueError):
            raise Unauthenticated(
                "The ID token is not valid: it is malformed, or its signature is of a kind that is"
                " not accepted."
            ) from None

    def _key_set(self, *, is_stale: bool = False) -> KeySet:
        return self._keys.get(_MIN_PAUSE_S if is_stale else _LIFE_S)

    def _public_keys(self) -> KeySet:
        found = self._get(self.metadata().jwks_uri)
        listed = found.get("keys") if isinstance(found, dict) else None
        keys = []
        for each in listed if isinstance(listed, list) else ():
            is_public = isinstance(each, dict) and each.get("kty") in {"RSA", "EC", "OKP"}
            if is_public and each.get("use", "sig") == "sig":
                keys.append(each)
        try:
            return KeySet.import_key_set({"keys": keys})
        except (JoseError, ValueError):
            raise self._unavailable() from None

    def _discover(self) -> Metadata:
        issuer = self._settings.issuer
        found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = msgspec.convert(found, Metadata)
        except msgspec.ValidationError:
            raise self._unavailable() from None
        if metadata.issuer != issuer:
            raise Unavailable(
                f"The identity provider at {issuer} calls itself {metadata.issuer[:200]!r}; the"
                " setting oidc-issuer must be exactly that."
            )
        if not all(map(is_secure_transport, _addresses(metadata))):
            raise Unavailable("The identity provider has addresses without https.")
        return metadata

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            with bounds.within(bounds.SMALL), requests.Session() as session:
                mount_deadline_adapters(session)
                response = session.get(
                    url, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
                )
            if response.status_code != 200:
                raise self._unavailable()
            return response.json()
        except (requests.RequestException, ValueError):
            raise self._unavailable() from None

    def _client_secret(self) -> str | None:
        file = self._settings.client_secret_file
        if file is None:
            return None
        try:
            with file.open(encoding="utf-8") as opened:
                if mode_for_others(opened):
                    raise Unavailable("Others can read the file of oidc-client-secret-file.")
                return opened.read().strip()
        except (OSError, UnicodeDecodeError):
            raise Unavailable("The file of oidc-client-secret-file cannot be read.") from None

    def _session(
        self, redirect_uri: str, client_secret: str | None = None, methods: Collection[str] = ()
    ) -> OAuth2Session:
        method = "none"
        if client_secret is not None:
            basic = "client_secret_basic"
            method = basic if basic in methods else "client_secret_post"
        session = OAuth2Session(
            self._settings.client_id,
            client_secret,
            token_endpoint_auth_method=method,
            scope=" ".join(self._settings.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT_S,
        )
        mount_deadline_adapters(session)
        return session

    def _unavailable(self) -> Unavailable:
        host = urlsplit(self._settings.issuer).netloc
        return Unavailable(f"The identity provider {host} does not respond as it should.")

    def _wrong(self, claim: str | None) -> Unauthenticated:
        reason = _WRONG.get(claim or "", "has a wrong claim").format(issuer=self._settings.issuer)
        return Unauthenticated(f"The ID token is not valid: it {reason}.")


def state_of(secret: str) -> str:
    """Return the parameter `state` of the sign-in of a browser with this secret."""
    return _derived("state", secret)


def _derived(purpose: str, secret: str) -> str:
    """Return one of the values of a sign-in, so that the browser keeps a single secret."""
    return hashlib.sha256(f"{purpose} {secret}".encode()).hexdigest()


def _check_nonce(nonce: object, wanted: str | None, error: Unauthenticated) -> None:
    if wanted is None:
        if nonce is not None:
            raise error
    elif (
        not isinstance(nonce, str) or not nonce.isascii() or not hmac.compare_digest(nonce, wanted)
    ):
        raise error


def _addresses(metadata: Metadata) -> list[str]:
    values = [
        metadata.authorization_endpoint,
        metadata.token_endpoint,
        metadata.jwks_uri,
        metadata.userinfo_endpoint,
        metadata.device_authorization_endpoint,
    ]
    return [each for each in values if each is not None]
