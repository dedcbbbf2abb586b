"""Decode and check responses of the API: jobs, signed URLs, and what a sign-in returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qwicket.clients.http import InvalidResponse
from qwicket.clients.http.sending import invalid_response, json_of, object_of
from qwicket.vendors.ibm.client.errors import failure
from qwicket.vendors.ibm.client.responses import Job

if TYPE_CHECKING:
    from qwicket.clients.http import Response


def split_url(address: str) -> tuple[str, str]:
    """Return the server of a signed URL, and the path with its query."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise failure(InvalidResponse("The server returned an invalid signed URL."))
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path


def unchanged(response: Response) -> Response:
    """Return a response as it is."""
    return response


def object_or_none(response: Response) -> dict[str, Any] | None:
    """Decode an object; return None for an empty response, which the document allows."""
    return object_of(response) if response.content else None


def job(response: Response) -> Job:
    """Decode a job; in the document it is the only item of a list."""
    found = json_of(response)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise invalid_response(response, "is not a JSON object")
    return Job(found)


def signed_url(response: Response) -> str:
    found = object_of(response).get("url")
    if not isinstance(found, str):
        raise invalid_response(response, "has no url")
    return found


def sign_in_response(response: Response) -> dict[str, Any]:
    found = object_of(response)
    if not isinstance(found.get("id"), str):
        raise invalid_response(response, "has no access token")
    return found
