"""What the document of January 2020 prints of IBM's API: its requests' and its answers' fields.

Written from the document, not from the server or the client. A shape is a type, a list with the
shape of its items, an object with its keys, or `EACH` for objects whose keys are names. `DATE` is a
text in ISO 8601; `ANY` is printed as a question mark.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

DATE, ANY = "a date", "a question mark"
EACH = "each"
OBJECT: dict[str, Any] = {}
TOKEN = {"access_token": str}
INSTRUCTION = {"name": str, "qubits": [int], "memory": [int], "register": [int]}
QOBJ = {
    "qobj_id": str,
    "type": str,
    "schema_version": str,
    "experiements": [{"header": OBJECT, "config": OBJECT, "instructions": [INSTRUCTION]}],
    "header": OBJECT,
    "config": {"shots": int, "memory_slots": int},
}
SUBMISSION = {"name": str, "qObject": QOBJ, "backend": {"name": str}, "shots": int, **TOKEN}
BACKEND = {"id": str, "name": str}
FIGURE = {"date": str, "name": str, "unit": str, "value": float}
GATE = {"gate": str, "name": str, "parametres": [FIGURE], "qubits": [int]}
PROPERTIES = {
    "backend_name": str,
    "last_update_date": str,
    "backend_version": str,
    "gates": [GATE],
    "general": [],
    "qubits": [],
}
QUEUE = {
    "state": bool,
    "message": str,
    "status": str,
    "lengthQueue": int,
    "backend_version": str,
}
STORAGE = {
    "jobId": str,
    "uploadQObjectUrlEndpoint": str,
    "downloadQObjectUrlEndpoint": str,
    "jobQasmConverted": str,
    "validatedUrl": str,
    "validationUploadUrlEndpoint": str,
}
QOBJ_CONFIG = {
    "n_qubits": int,
    "max_credits": int,
    "memory_slots": int,
    "memory": bool,
    "shots": int,
    "type": str,
}
SUMMARY = {
    "size": {"input": int, "output": int},
    "success": bool,
    "summary": {
        "max_qubits_used": int,
        "gates_executed": int,
        "qobj_config": QOBJ_CONFIG,
        "num_circuits": int,
        "partial_validation": bool,
    },
    "resultTime": float,
}
LEVEL = {"name": str, "priority": int}
JOB = {
    "qasms": [{"qasm": str, "status": str, "executionId": str, "result": ANY}],
    "kind": str,
    "shots": int,
    "backend": BACKEND,
    "status": str,
    "creationDate": DATE,
    "objectStorageInfo": STORAGE,
    "summaryData": SUMMARY,
    "timePerStep": {"CREATING": DATE},
    "ip": {"ip": str, "city": str, "country": str, "continent": str},
    "hubInfo": {"hub": LEVEL, "group": LEVEL, "project": LEVEL},
    "codeId": str,
    "endDate": DATE,
    "cost": float,
    "id": str,
    "userId": str,
}
SUBMITTED = {
    "qasms": [{"status": str, "executionId": str}],
    "qObject": OBJECT,
    "kind": str,
    "shots": int,
    "backend": BACKEND,
    "status": str,
    "creationDate": DATE,
    "hubInfo": OBJECT,
    "cost": float,
    "id": str,
    "userId": str,
    "name": str,
    "timePerStep": OBJECT,
}
JOB_STATUS = {
    "kind": str,
    "backend": BACKEND,
    "status": str,
    "creationDate": DATE,
    "hubInfo": OBJECT,
    "endDate": DATE,
    "id": str,
    "userId": str,
    "name": str,
}
TITLED = {"name": str, "title": str, "description": str, "creationDate": DATE, "deleted": bool}
DEVICE = {"priority": int, "name": str, "deleted": bool, "specificConfiguration": OBJECT}
HUB: dict[str, Any] = {
    **TITLED,
    "private": bool,
    "licenseNotRequired": bool,
    "isDefault": bool,
    "analytics": bool,
    "class": str,
    "id": str,
    "groups": {EACH: {**TITLED, "projects": {EACH: {**TITLED, "devices": {EACH: DEVICE}}}}},
}
LOGIN = {"id": str, "ttl": int, "created": DATE, "userId": str}
ME = {
    "firstName": str,
    "lastName": str,
    "userTypeId": str,
    "institution": str,
    "status": str,
    "blocked": str,
    "subscriptions": {"updates": int, "surveys": int},
    "additionalData": {
        "tutorialPagesCompleted": OBJECT,
        "tutorialCompleted": bool,
        "tutorialVisited": bool,
        "termsAndConditions": bool,
        "invitation": {"familiarity": str, "description": str, "institution": str},
    },
    "codesLastVersion": OBJECT,
    "creationDate": DATE,
    "iqxPreferences": ANY,
    "emailVerified": bool,
    "username": str,
    "id": str,
    "lastModified": DATE,
    "credit": {
        "remaining": int,
        "promotional": int,
        "promotionalCodesUsed": [],
        "maxUserType": int,
    },
    "ibmQNetwork": bool,
    "urls": OBJECT,
    "dpl": {"blocked": bool, "checked": bool, "wordsFound": OBJECT, "results": OBJECT},
    "userType": {
        "type": str,
        "default": bool,
        "priority": bool,
        "id": str,
        "credit": {"credits": int},
        "delete": bool,
    },
    "groups": [],
    "roles": [],
}


_VALUES: dict[Any, Any] = {str: "text", int: 1, float: 0.5, bool: False, ANY: None}


def example(printed: Any, **fields: Any) -> Any:
    """Return an answer that has all that is printed, with these values of some of its fields."""
    if isinstance(printed, dict):
        assert fields.keys() <= printed.keys()
        found = {key: example(each) for key, each in printed.items()}
        return {("some-name" if key == EACH else key): each for key, each in found.items()} | fields
    if isinstance(printed, list):
        return [example(each) for each in printed]
    return "2020-01-31T12:00:00.000Z" if printed == DATE else _VALUES[printed]


def misfits(found: Any, printed: Any, where: str = "") -> list[str]:
    """Return where an answer lacks what is printed, or has another type there."""
    if printed == ANY:
        return []
    if printed == DATE:
        try:
            datetime.fromisoformat(found)
        except (TypeError, ValueError):
            return [f"{where}: {found!r} is no date"]
        return []
    if isinstance(printed, dict):
        if not isinstance(found, dict):
            return [f"{where}: {found!r} is no object"]
        if EACH in printed:
            return [
                it for key in found for it in misfits(found[key], printed[EACH], f"{where}.{key}")
            ]
        lacking = [f"{where}.{key} is not there" for key in printed if key not in found]
        there = [key for key in printed if key in found]
        return lacking + [
            it for key in there for it in misfits(found[key], printed[key], f"{where}.{key}")
        ]
    if isinstance(printed, list):
        if not isinstance(found, list):
            return [f"{where}: {found!r} is no array"]
        of = printed[0] if printed else ANY
        return [it for n, each in enumerate(found) for it in misfits(each, of, f"{where}[{n}]")]
    kinds = (int, float) if printed is float else (printed,)
    is_bool = isinstance(found, bool) and printed is not bool
    return [] if isinstance(found, kinds) and not is_bool else [f"{where}: {found!r}"]
