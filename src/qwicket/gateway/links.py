"""One-time links: to set up a server, to set a password, and to sign in.

A link has 256 random bits, of which the database has only the SHA-256. Reading its page changes
nothing; sending the page's form uses it. Wrong codes count as wrong tokens.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.signin import digest, new_secret
from qwicket.model.accounts import check_name
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest
from qwicket.store.links import NOT_VALID, Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.gateway.signin import SignIn
    from qwicket.model.accounts import Account, Actor, SignInSettings
    from qwicket.store import Store
    from qwicket.store.links import Kind, Link

SET_UP_S: Final = 600
"""Life of a link that sets up a server, in seconds."""
PASSWORD_S: Final = 3 * 86_400
"""Life of a link that sets a password, in seconds: over a weekend."""
SIGN_IN_S: Final = 60
"""Life of a link that signs in, in seconds."""
PAGE: Final = "/ui/link"
"""Path of the page of all links."""
NO_PASSWORDS: Final = "This server accepts no passwords."
_MAX_CODE_CHARS: Final = 64


class NewLink(NamedTuple):
    """A link that was made, with its code, which is shown once.

    Attributes:
        account: Name of the account.
        code: The code.
        expires_at: Unix milliseconds of its end.
    """

    account: str
    code: str
    expires_at: int

    def __repr__(self) -> str:
        return f"NewLink(account={self.account!r}, code='…', expires_at={self.expires_at})"

    @property
    def path(self) -> str:
        """Path of the link's page with the code."""
        return f"{PAGE}?code={self.code}"


async def make(store: Store, kind: Kind, account: str, now: int) -> NewLink:
    """Make a link of the kind `password` or `sign_in` in place of the account's former ones.

    Raises:
        NotFound: There is no such account.
        Conflict: The account is disabled.
    """
    code, life_s = new_secret(), SIGN_IN_S if kind == "sign_in" else PASSWORD_S
    expires_at = now + 1000 * life_s
    found = await store.links.add(kind, account, digest(code), now=now, expires_at=expires_at)
    if found.disabled_at is not None:
        raise Conflict(f"The account {found.name} is disabled, so it cannot sign in.")
    return NewLink(found.name, code, expires_at)


class Links:
    """Makes the link that sets up a server, and uses links.

    Args:
        store: The database.
        sign_in: Counts wrong codes with wrong tokens; hashes passwords.
        settings: How people sign in.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        store: Store,
        sign_in: SignIn,
        settings: SignInSettings,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._are_passwords_on = settings.are_passwords_on
        self._now_ms = now_ms

    async def make_set_up(self) -> NewLink | None:
        """Make a link that sets up the server; return None if there is an account."""
        code, expires_at = new_secret(), self._now_ms() + 1000 * SET_UP_S
        is_made = await self._store.links.add_set_up(digest(code), expires_at)
        return NewLink("", code, expires_at) if is_made else None

    async def find(self, code: str, address: str) -> Link:
        """Return what a link lets its holder do.

        Args:
            code: Code of the link.
            address: Address of the client.

        Raises:
            Forbidden: It does not exist, or has ended, or was used; or it signs in, and the client
                is on another machine; or it sets a password, and this server accepts none.
            TooManyRequests: The code is not valid, and neither were many others from this address.
        """
        found = None
        if len(code) <= _MAX_CODE_CHARS:
            found = await self._store.links.find(digest(code), self._now_ms())
        if found is None:
            self._sign_in.count_wrong(address)
            raise Forbidden(NOT_VALID)
        if found.kind == "sign_in" and not _is_loopback(address):
            raise Forbidden("This link signs in only on the server's own machine.")
        if found.kind != "sign_in" and not self._are_passwords_on:
            raise Forbidden(NO_PASSWORDS)
        return found

    async def use(self, code: str, address: str, *, name: str, password: str) -> Actor:
        """Use a link; return who has signed in by it.

        Args:
            code: Code of the link.
            address: Address of the client.
            name: Name of the account to create, if the link sets up the server.
            password: The new password, unless the link signs in.

        Raises:
            Forbidden: As for `find`.
            TooManyRequests: As for `find`.
            InvalidRequest: The name or the password is invalid; the link was not used.
            Conflict: A project has the name; the link was not used.
        """
        link = await self.find(code, address)
        if link.kind == "set_up":
            check_name(name)
            await self._store.accounts.check_unused(name, None)
        used = await self._use(link, code, address, name, password)
        return await self._sign_in.by_account(used.id)

    async def _use(self, link: Link, code: str, address: str, name: str, password: str) -> Account:
        links, hashed = self._store.links, ""
        if link.kind != "sign_in":
            if not password:
                raise InvalidRequest("password: it is missing.", field="password")
            hashed = await self._sign_in.passwords.hash(password, address)
        use = Use(digest(code), address, self._now_ms())
        if link.kind == "set_up":
            return await links.set_up(use, name, password_hash=hashed)
        if link.kind == "password":
            return await links.set_password(use, password_hash=hashed)
        return await links.sign_in(use)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
