"""Decode the server's responses and their error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from requests.exceptions import JSONDecodeError, RequestException

if TYPE_CHECKING:
    import requests

_NO_JSON: Final[Any] = object()


def content(response: requests.Response) -> dict[str, Any]:
    """Decode the JSON object of a response.

    Raises:
        RequestException: The response is not an object; `JSONDecodeError` if it is not JSON.
    """
    found = _document(response)
    if isinstance(found, dict):
        return found
    problem = f"{response.url} did not return a JSON object."
    if found is _NO_JSON:
        raise JSONDecodeError(problem, "", 0)  # a ValueError too, as users of xcc expect
    raise RequestException(problem)


def text(response: requests.Response, key: str) -> str:
    """Return a text field of a response.

    Raises:
        RequestException: The field is missing or is not a text.
    """
    found = content(response).get(key)
    if not isinstance(found, str):
        raise RequestException(f"The response from {response.url} has no {key}.")
    return found


def entries(response: requests.Response, key: str) -> list[dict[str, Any]]:
    """Return the objects in the list of a response, each with a text under `key`.

    Raises:
        RequestException: The response has no such list.
    """
    found = content(response).get("data")
    if isinstance(found, list) and all(
        isinstance(entry, dict) and isinstance(entry.get(key), str) for entry in found
    ):
        return found
    raise RequestException(f"{response.url} did not return a list.")


def error_message(response: requests.Response) -> str | None:
    """Return the message in the body of an error response; None without one."""
    if response.status_code < 400:
        return None
    body = _content(response) or {}
    if response.status_code == 400 and body.get("code") == "validation-error":
        found = "; ".join(_texts(body.get("meta")))
        if found:
            return found
    detail = body.get("detail")
    return detail if isinstance(detail, str) else None


def grant_error(response: requests.Response) -> str | None:
    """Return the message of a refused access token; None without one."""
    if response.status_code < 400:
        return None
    body = _content(response) or {}
    if response.status_code == 400 and body.get("error") == "invalid_grant":
        return "Refresh token (e.g., Xanadu Cloud API key) is invalid"
    reason = body.get("error_description", body.get("detail"))
    return f"The server refused an access token: {reason}" if isinstance(reason, str) else None


def _content(response: requests.Response) -> dict[str, Any] | None:
    found = _document(response)
    return found if isinstance(found, dict) else None


def _document(response: requests.Response) -> Any:
    try:
        return response.json()
    except (RequestException, ValueError, RecursionError):
        return _NO_JSON


def _texts(meta: Any) -> list[str]:
    """Return all texts in `meta`: a list for each field, or a map from indices to lists."""
    if isinstance(meta, str):
        return [meta]
    inner = meta.values() if isinstance(meta, dict) else meta if isinstance(meta, list) else ()
    return [text for value in inner for text in _texts(value)]
