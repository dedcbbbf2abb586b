"""A request for a page of administrators, and how the page is rendered."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from qwicket.pages.admin_acts import ALL_ACTS
from qwicket.pages.forms import Form, frame

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError
    from qwicket.pages.handlers import Handlers

TABS: Final = {
    "": "Overview",
    "people": "People",
    "projects": "Projects",
    "devices": "Devices",
    "activity": "Activity",
}
"""Titles of the tabs by the pages' names."""
_NO_FORM: Final = Form([])


class View(NamedTuple):
    """A request for a page of an administrator.

    Attributes:
        pages: What all pages share.
        actor: The administrator.
        request: The request.
        error: Why the form was refused that is shown again; None without one.
    """

    pages: Handlers
    actor: Actor
    request: Request[Any]
    error: QwicketError | None = None

    @property
    def gateway(self) -> Gateway:
        return self.pages.gateway

    @property
    def form(self) -> Form:
        """Fields of the form that was refused; none without one."""
        return self.request.payload if self.error is not None else _NO_FORM

    def query(self, name: str) -> str:
        """Return a parameter of the query, or an empty text."""
        return self.request.query_params.get(name, "").strip()

    def address(self, **changed: object) -> str:
        """Return the address of this page with some parameters of the query changed or removed."""
        query = {**self.request.query_params, "done": None, **changed}
        query = {key: value for key, value in query.items() if value not in ("", None)}
        scope = self.request.scope
        path: str = quote(scope["path"].removeprefix(scope["root_path"]), safe="/:")
        return self.pages.base + path + (f"?{urlencode(query)}" if query else "")

    @property
    def zone(self) -> tzinfo:
        """Time zone of the administrator."""
        zone: tzinfo = frame(self.actor, self.request)["zone"]
        return zone

    def render(self, template: str, title: str, tab: str | None = None, **values: Any) -> Response:
        """Return the response with a page; `tab` is the name of the tab that it is."""
        done = ALL_ACTS.get(self.query("done"))
        return self.pages.renderer.page(
            template,
            200 if self.error is None else self.error.status,
            title=title,
            tabs=TABS,
            tab=tab,
            self_address=self.address(),
            form=self.form,
            error=self.error,
            done=done.done if done else "",
            search=self.query("q"),
            **values,
            **frame(self.actor, self.request),
        )
