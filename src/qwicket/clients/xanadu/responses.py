"""What the server's answers say, and what is said when they are something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from requests.exceptions import JSONDecodeError, RequestException

if TYPE_CHECKING:
    import requests

_NO_JSON: Final[Any] = object()


def content(response: requests.Response) -> dict[str, Any]:
    """Return the object that an answer is.

    Raises:
        RequestException: It is none; `JSONDecodeError` if it is no JSON at all.
    """
    found = _document(response)
    if isinstance(found, dict):
        return found
    text = f"{response.url} did not answer with a JSON object."
    if found is _NO_JSON:
        raise JSONDecodeError(text, "", 0)  # a ValueError too, as users of xcc expect
    raise RequestException(text)


def text(response: requests.Response, key: str) -> str:
    """Return a text of an answer.

    Raises:
        RequestException: There is none.
    """
    found = content(response).get(key)
    if not isinstance(found, str):
        raise RequestException(f"The answer of {response.url} holds no {key}.")
    return found


def entries(response: requests.Response, key: str) -> list[dict[str, Any]]:
    """Return the objects that an answer lists, each of which has a text under `key`.

    Raises:
        RequestException: It lists none, or others.
    """
    found = content(response).get("data")
    if isinstance(found, list) and all(
        isinstance(each, dict) and isinstance(each.get(key), str) for each in found
    ):
        return found
    raise RequestException(f"{response.url} did not answer with a list.")


def complaint(response: requests.Response) -> str | None:
    """Return what the body of a refusal says in words; None when it says nothing."""
    if response.status_code < 400:
        return None
    body = _content(response) or {}
    if response.status_code == 400 and body.get("code") == "validation-error":
        found = "; ".join(_texts(body.get("meta")))
        if found:
            return found
    detail = body.get("detail")
    return detail if isinstance(detail, str) else None


def refused_grant(response: requests.Response) -> str | None:
    """Return why no access token was given; None when the body does not say."""
    if response.status_code < 400:
        return None
    body = _content(response) or {}
    if response.status_code == 400 and body.get("error") == "invalid_grant":
        return "Refresh token (e.g., Xanadu Cloud API key) is invalid"
    said = body.get("error_description", body.get("detail"))
    return f"No access token was given: {said}" if isinstance(said, str) else None


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
    return [text for each in inner for text in _texts(each)]
