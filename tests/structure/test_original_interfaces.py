"""`docs/seeds.md` has every name of the five documents, and what it names exists.

`DOCUMENTS` lists the names of the documents, and `PARAMETERS` those of parameters, with the
defaults that are printed.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients.ionq import IonQClient
from qwicket.dialects.registrations import offered
from support.for_each import for_each

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "seeds.md").read_text()
ROW = re.compile(r"^\| (`.+?) \| (`.+) \|$", re.MULTILINE)
OURS = re.compile(r"`(qwicket\.[\w.]+)`")
DOCUMENTS = {
    "qbraid": """init_job get_job_data ApiError AuthError ConfigError RequestsApiError
        PostForcelistRetry QbraidSession QbraidSession.get_config_variable
        QbraidSession.save_config""",
    "ionq": """IonQClient IonQClient.api_headers IonQClient.cancel_job IonQClient.delete_job
        IonQClient.get_calibration_data IonQClient.get_results IonQClient.make_path
        IonQClient.retrieve_job IonQClient.submit_job IonQClient._url IonQClient._token
        IonQClient._custom_headers IonQJob IonQAPIError IonQRetriableError""",
    "qlued": "get_backend_status get_config get_job_result get_job_status list_backends post_job",
    "xanadu": """Connection Connection.access_token Connection.api_version Connection.headers
        Connection.host Connection.port Connection.refresh_token Connection.scheme Connection.tls
        Connection.user_agent Connection.ping Connection.request Connection.update_access_token
        Connection.url""",
    "ibm_qx": """GET:/backends/{device_name}/properties GET:/backend/{device_name}/defaults
        /backend/{device_name}/queue/status GET:/jobs POST:/jobs GET:/jobs/{job_id}
        /jobs/{job_id}/cancel /jobs/{job_id}/status /jobs/{job_id}/properties
        /jobs/{job_id}/jobDataUploaded /jobs/{job_id}/resultDownloaded
        /job/{job_id}s/jobDownloadUrl /jobs/{job_id}/resultDownloadUrl
        /jobs/{job_id}/jobUploadUrl GET:/network
        POST:/users/login POST:/users/loginWithToken GET:/users/me""",
}
PARAMETERS = {
    "qbraid.init_job": "vendor_job_id device circuits shots",
    "qbraid.get_job_data": "qbraid_job_id update",
    "qbraid.PostForcelistRetry": "total connect read",
    "qbraid.QbraidSession": """user_email=None api_key=None refresh_token=None id_token=None
        base_url=None retries_total=5 retries_connect=3 backoff_factor=0.5""",
    "qbraid.QbraidSession.get_config_variable": "config_name",
    "qbraid.QbraidSession.save_config": "user_email api_key",
    "qbraid.QbraidSession.request": "method url",
    "ionq.IonQClient": "token=None url=None custom_headers=None",
    "ionq.IonQClient.cancel_job": "job_id",
    "ionq.IonQClient.delete_job": "job_id",
    "ionq.IonQClient.get_calibration_data": "backend_name",
    "ionq.IonQClient.get_results": "job_id sharpen=None extra_query_params=None",
    "ionq.IonQClient.make_path": "parts",
    "ionq.IonQClient.retrieve_job": "job_id",
    "ionq.IonQClient.submit_job": "job",
    "qlued.QluedClient.get_config": "backend_name",
    "qlued.QluedClient.get_backend_status": "backend_name",
    "qlued.QluedClient.get_job_status": "backend_name job_id",
    "qlued.QluedClient.get_job_result": "backend_name job_id",
    "qlued.QluedClient.post_job": "backend_name",
    "ibm_qx.IBMQXClient.properties": "device_name",
    "ibm_qx.IBMQXClient.defaults": "device_name",
    "ibm_qx.IBMQXClient.queue_status": "device_name",
    "ibm_qx.IBMQXClient.job": "job_id",
    "ibm_qx.IBMQXClient.cancel": "job_id",
    "ibm_qx.IBMQXClient.job_status": "job_id",
    "ibm_qx.IBMQXClient.job_properties": "job_id",
    "ibm_qx.IBMQXClient.job_data_uploaded": "job_id",
    "ibm_qx.IBMQXClient.result_downloaded": "job_id",
    "ibm_qx.IBMQXClient.job_download_url": "job_id",
    "ibm_qx.IBMQXClient.result_download_url": "job_id",
    "ibm_qx.IBMQXClient.job_upload_url": "job_id",
    "ibm_qx.IBMQXClient.login": "email password",
    "xanadu.Connection": """refresh_token=None access_token=None
        host='platform.strawberryfields.ai' port=443 tls=True headers=None""",
    "xanadu.Connection.request": "method path",
    "xanadu.Connection.url": "path=''",
}
"""The document of qlued also prints `request`, `token` and `data`: see the page."""
QBRAID_ATTRIBUTES = """close delete get get_adapter get_config_variable get_redirect_target head
    merge_environment_settings mount options patch post prepare_request put rebuild_auth
    rebuild_method rebuild_proxies request resolve_redirects save_config send should_strip_auth
    base_url user_email api_key refresh_token"""


def found(dotted: str) -> Any:
    parts = dotted.split(".")
    thing: Any = importlib.import_module(".".join(parts[:3]))
    for part in parts[3:]:
        if thing is IonQClient and not hasattr(thing, part):  # an attribute of its instances
            thing = IonQClient("key", "http://lab.invalid/v0.4", {"X-Lab": "7"})
        thing = getattr(thing, part)
    return thing


def test_what_the_page_names_exists() -> None:
    names = sorted(set(OURS.findall(PAGE)))
    assert len(names) > 50
    for name in names:
        assert found(name) is not None, name


@pytest.mark.parametrize("module", DOCUMENTS)
def test_every_name_of_a_document_is_mapped(module: str) -> None:
    rows = [(left, right) for left, right in ROW.findall(PAGE) if f"clients.{module}." in right]
    named = " ".join(left for left, _ in rows)
    for name in DOCUMENTS[module].split():
        assert f"`{name.replace(':', ' ')}`" in named, name


@for_each("name", PARAMETERS)
def test_parameters_have_the_names_and_defaults_of_the_document(name: str) -> None:
    parameters = dict(inspect.signature(found(f"qwicket.clients.{name}")).parameters)
    parameters.pop("self", None)
    printed = PARAMETERS[name].split()
    assert [*parameters][: len(printed)] == [each.partition("=")[0] for each in printed]
    for each in printed:
        parameter, _, default = each.partition("=")
        assert not default or repr(parameters[parameter].default) == default


@for_each("name", DOCUMENTS["qlued"].split())
def test_functions_of_qlued_keep_their_name_in_help_and_errors(name: str) -> None:
    assert found(f"qwicket.clients.qlued.QluedClient.{name}").__name__ == name


@for_each("name", [name for name in DOCUMENTS["xanadu"].split() if "." in name])
def test_every_printed_member_of_xanadus_connection_is_described(name: str) -> None:
    assert (inspect.getdoc(found(f"qwicket.clients.xanadu.{name}")) or "").endswith(".")


def test_a_session_has_every_attribute_that_its_document_lists() -> None:
    session = found("qwicket.clients.qbraid.QbraidSession")
    for name in QBRAID_ATTRIBUTES.split():
        assert hasattr(session, name), name


def test_readme_shows_the_client_and_the_address_of_each_document() -> None:
    section = (ROOT / "README.md").read_text().partition("## The five systems")[2]
    rows = re.findall(r"^\| \S.*\(docs/seeds\.md#.*\|$", section, re.MULTILINE)
    named = [OURS.findall(row) for row in rows]
    assert sorted(name for (name,) in named) == [
        "qwicket.clients.ibm_qx.IBMQXClient",
        "qwicket.clients.ionq.IonQClient",
        "qwicket.clients.qbraid.QbraidSession",
        "qwicket.clients.qlued.QluedClient",
        "qwicket.clients.xanadu.Connection",
    ]
    served = {at for each in offered() for at in (*each.mounts, *each.described_at)}
    for address in re.findall(r"`(/[\w./]*)`", "\n".join(rows)):
        assert address.rstrip("/") in served | {at.removesuffix("/openapi.json") for at in served}


def test_pages_that_introduce_the_clients_lead_to_the_names() -> None:
    clients = {path.name for path in (ROOT / "docs" / "clients").glob("*.md")}
    pages = ["README.md", "ARCHITECTURE.md"]
    pages += [f"docs/{name}.md" for name in ("index", "tutorial", "comparison")]
    pages += [f"docs/{name}.md" for name in ("ionq", "qbraid", "qlued", "xanadu", "ibm-qx")]
    pages += [f"docs/clients/{name}" for name in clients - {"python.md"}]  # the native API's
    for page in pages:
        assert "seeds.md" in (ROOT / page).read_text(), page
