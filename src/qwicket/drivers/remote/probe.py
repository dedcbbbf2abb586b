"""Reads which devices another cloud has, and writes device files for them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.http import bounds
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.clouds import CloudError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import ListedDevice

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def list_remote_devices(remote: Remote, key: str) -> list[ListedDevice]:
    """Return the devices that a cloud shows to the account of a key.

    Args:
        remote: Where the cloud is; its device does not matter.
        key: Key of the account.

    Raises:
        CloudError: The devices could not be read; the text does not contain the key.
        ValueError: The client does not accept the address or the key.
    """
    cloud = connect(remote, key)
    try:
        with bounds.within(bounds.SMALL):
            return cloud.list_devices()
    except CloudError as error:
        raise CloudError(f"{remote.url}: {error}".replace(key, "…")) from None
    finally:
        cloud.close()


def device_toml(device: ListedDevice, remote: Remote, name: str = "") -> str:
    """Return the text of a device file.

    Args:
        device: The device there.
        remote: Where the cloud is, and where its key is.
        name: Name of the device here; by default "far-" and its short name there, with other
            characters than letters, digits and `._-` replaced, cut to 63 characters.
    """
    own_name = name or f"far-{_NOT_IN_NAMES.sub('-', device.short_name or device.name)}"[:63]
    content = {
        "name": own_name,
        "family": device.family,
        "provider": "elsewhere",
        "driver": "remote",
        "position": 500,
        "spec": device.spec,
        "remote": {
            "kind": remote.kind,
            "url": remote.url,
            "device": device.name,
            "iam_url": remote.iam_url,
            "instance": remote.instance,
            "key_file": remote.key_file,
            "key_env": remote.key_env,
            "profile": remote.profile,
            "role_arn": remote.role_arn,
            "sts_url": remote.sts_url,
            "region": remote.region,
            "bucket": remote.bucket,
        },
    }
    return "\n".join(_lines(content)) + "\n"


def _lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the lines of a table in TOML: its values, except empty ones, then the tables in it."""
    inner = {key: value for key, value in table.items() if _has_tables(value)}
    for key, value in table.items():
        if key not in inner and value not in ((), [], {}, ""):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        name = f"{path}{_key(key)}"
        for each in [value] if isinstance(value, dict) else value:
            yield ""
            yield f"[{name}]" if isinstance(value, dict) else f"[[{name}]]"
            yield from _lines(each, f"{name}.")


def _has_tables(value: object) -> bool:
    of_list = isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)
    return (isinstance(value, dict) and bool(value)) or of_list


def _value(value: Any) -> str:
    """Return a value in TOML, whose texts, numbers and lists are nearly those of JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)  # JSON's writer has names of its own for nan and inf
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
