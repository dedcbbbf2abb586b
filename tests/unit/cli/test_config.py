"""`qwicket.toml`: flag before environment before file before default."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from qwicket.cli import main
from qwicket.model.accounts import GroupRights
from qwicket.server import Settings
from qwicket.server.settings import OwnAddress
from qwicket.vendors.ibm.limits import IBMLimits, PrimitiveLimits
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


Serve = Callable[..., Settings]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "HOST",
        "PORT",
        "DATA_DIR",
        "WORKERS",
        "LIMIT",
        "CONFIG",
        "LEASE_S",
        "ACCESS_TOKEN_S",
        "IBM_ACCESS_TOKEN_S",
        "FIRST_POLL_MS",
    ):
        monkeypatch.delenv(f"QWICKET_{name}", raising=False)
    return tmp_path


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`serve(…)` returns the settings with which the server would run."""
    seen: list[Settings] = []

    def run(settings: Settings, hint: str = "") -> int:
        seen.append(settings)
        return 0

    # Serving itself does not end, and is tested elsewhere.
    monkeypatch.setattr("qwicket.server.run.run", run)

    def serve_with(*arguments: str) -> Settings:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.stderr
        return seen[-1]

    return serve_with


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


def write(text: str, name: str = "qwicket.toml") -> None:
    Path(name).write_text(text, "utf-8")


def test_without_any_setting_there_are_defaults(serve: Serve, folder: Path) -> None:
    assert serve("serve", "--data-dir", "data") == Settings(data_dir=Path("data"))


def test_the_file_comes_before_the_default(serve: Serve) -> None:
    write('host = "::1"\nport = 1\ndata-dir = "data"\nworkers = 3\nlease_s = 2.5\n')
    settings = serve("serve")
    assert (settings.host, settings.port, settings.data_dir) == ("::1", 1, Path("data"))
    assert (settings.workers, settings.lease_s) == (3, 2.5)


def test_the_environment_comes_before_the_file(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('port = 1\ndata_dir = "data"\nlease_s = 2.5\n')
    monkeypatch.setenv("QWICKET_PORT", "2")
    monkeypatch.setenv("QWICKET_DATA_DIR", "other")
    settings = serve("serve")
    assert (settings.port, settings.data_dir, settings.lease_s) == (2, Path("other"), 2.5)


def test_the_flag_comes_before_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("port = 1\n")
    monkeypatch.setenv("QWICKET_PORT", "2")
    assert serve("serve", "--port", "3").port == 3


def test_access_token_lives_can_be_set(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    write("access_token_s = 1\n")
    settings = serve("serve")
    assert settings.access_token_s == 1
    monkeypatch.setenv("QWICKET_ACCESS_TOKEN_S", "3")
    assert serve("serve").access_token_s == 3
    assert "--access-token-s" in refusal("serve", "--access-token-s", "0.5")
    assert "--access-token-s" in refusal("serve", "--access-token-s", "nan")


def test_dialects_can_be_left_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve("serve").dialects is None
    write('dialects = ["native", "ionq"]\n')
    assert serve("serve").dialects == frozenset({"ionq"})
    monkeypatch.setenv("QWICKET_DIALECTS", "qlued, xanadu")
    assert serve("serve").dialects == frozenset({"qlued", "xanadu"})
    assert serve("serve", "--dialects", "native").dialects == frozenset()


def test_the_log_can_be_set(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    write('log-format = "json"\naccess-log = true\n')
    settings = serve("serve")
    assert (settings.log_format, settings.access_log) == ("json", True)
    monkeypatch.setenv("QWICKET_LOG_FORMAT", "text")
    monkeypatch.setenv("QWICKET_ACCESS_LOG", "0")
    settings = serve("serve")
    assert (settings.log_format, settings.access_log) == ("text", False)
    settings = serve("serve", "--log-format", "json", "--access-log")
    assert (settings.log_format, settings.access_log) == ("json", True)
    assert "'xml' is not one of 'text', 'json'" in refusal("serve", "--log-format", "xml")


def test_an_empty_variable_sets_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\n")
    monkeypatch.setenv("QWICKET_PORT", "")
    assert serve("serve").port == 1


def test_the_file_may_have_another_name(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\n")
    write("port = 2\n", "other.toml")
    assert serve("--config", "other.toml", "serve").port == 2
    monkeypatch.setenv("QWICKET_CONFIG", "other.toml")
    assert serve("serve").port == 2


def test_a_setting_counts_for_every_command_that_has_it(folder: Path) -> None:
    write('data_dir = "here"\n')
    assert CliRunner().invoke(main, ["user", "add", "ada"]).exit_code == 0
    assert (folder / "here" / "qwicket.db").exists()


def test_an_unknown_key_is_refused_by_name() -> None:
    write("port = 1\ncolour = 2\nflavour = 3\n")
    assert "qwicket.toml: there is no setting colour, flavour" in refusal("user", "list")


@for_each("key", ["shots", "role", "device", "limit", "config", "password_stdin"])
def test_an_option_that_is_no_setting_is_refused_by_name(key: str) -> None:
    write(f"{key} = 1\n")
    assert f"there is no setting {key}" in refusal("serve")


def test_a_table_that_is_none_of_ours_is_refused_by_name() -> None:
    write("[serve]\nport = 1\n")
    assert "there is no setting serve" in refusal("serve")


@pytest.mark.parametrize("value", ["[1]", "{a = 1}", "1979-05-27"])
def test_a_value_that_is_no_text_or_number_is_refused_by_name(value: str) -> None:
    write(f"port = {value}\n")
    assert "port must be a text or a number" in refusal("serve")


@for_each("value", ["true", "1.5", '"many"', "-1", "70000"])
def test_a_value_out_of_bounds_is_refused_by_name(value: str) -> None:
    write(f"port = {value}\n")
    assert "'--port'" in refusal("serve")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"port =", "Invalid value"), (b"a = '\xff'", "codec can't decode"), (b"= 1", "at line 1")],
)
def test_a_file_that_is_no_toml_is_refused(content: bytes, said: str) -> None:
    Path("qwicket.toml").write_bytes(content)
    assert said in refusal("serve")


def test_a_broken_file_hinders_neither_help_nor_version() -> None:
    write("port =")
    assert CliRunner().invoke(main, ["--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["--version"]).exit_code == 0


def test_the_database_of_the_file_counts_for_every_command() -> None:
    write('database_url = "postgresql://nobody:hush@127.0.0.1:1/none"\n')
    said = CliRunner().invoke(main, ["project", "member", "list", "ada"])
    assert said.exit_code == 1
    assert "No PostgreSQL server responds at" in said.stderr
    assert "hush" not in said.output


# --- limits ----------------------------------------------------------------------------------


def test_limits_have_a_table_of_their_own(serve: Serve) -> None:
    write("[limits]\nshots = 10\nrun_time_s = 0.5\n")
    limits = serve("serve").limits
    assert (limits.jobs.shots, limits.jobs.run_time_s) == (10, 0.5)
    assert limits.jobs.qubits == Settings().limits.jobs.qubits


def test_each_limit_by_itself_is_set_by_flag_environment_or_file(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[limits]\nshots = 1\nqubits = 1\ncircuits = 1\n")
    monkeypatch.setenv("QWICKET_LIMIT", "shots=2 qubits=2")
    limits = serve("serve", "--limit", "shots=3", "--limit", "tags=3").limits
    assert (
        limits.jobs.shots,
        limits.jobs.qubits,
        limits.programs.circuits,
        limits.requests.tags,
    ) == (3, 2, 1, 3)


def test_limits_of_single_dialects_and_formats_are_set_alike(serve: Serve) -> None:
    write("[limits]\nunfinished_jobs = 5\npubs = 7\n")
    limits = serve("serve", "--limit", "unfinished_jobs=6").limits
    assert limits.of(IBMLimits) == IBMLimits(unfinished_jobs=6)
    assert limits.of(PrimitiveLimits) == PrimitiveLimits(pubs=7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour=1", "there is no limit 'colour'; there are body_bytes,"),
        ("", "there is no limit ''"),
        ("shots", "shots must be a whole number, not ''"),
        ("shots=many", "shots must be a whole number, not 'many'"),
        ("shots=1.5", "shots must be a whole number, not '1.5'"),
        ("run_time_s=long", "run_time_s must be a number, not 'long'"),
        ("qubit=3", "there is no limit 'qubit'. Did you mean 'qubits'?"),
        ("unfinished_job=3", "there is no limit 'unfinished_job'. Did you mean 'unfinished_jobs'?"),
        ("unfinished_jobs=few", "unfinished_jobs must be a whole number, not 'few'"),
        ("unfinished_jobs=-1", "unfinished_jobs must be above 0"),
        ("shots=0", "shots must be above 0"),
        ("shots=-5", "shots must be above 0"),
        ("run_time_s=nan", "run_time_s must be above 0"),
        ("run_time_s=inf", "run_time_s must be above 0"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_name(text: str, said: str) -> None:
    assert said in refusal("serve", "--limit", text)


@pytest.mark.parametrize("text", ["limits = 5", "[limits]\ncolour = 1", "[limits]\nshots = [1]"])
def test_limits_in_the_file_are_checked_as_well(text: str) -> None:
    write(text)
    assert "limit" in refusal("serve")


# --- what this version does not do, and values that no server can have -------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--compute dask://lab", "'dask://lab' is not an address"),
        ("--tls-cert cert.pem", "--tls-key: it is not set, but --tls-cert is."),
        ("--tls-key key.pem", "--tls-cert: it is not set, but --tls-key is."),
        ("--lease-s nan", "'nan' is not a number"),
        ("--lease-s 0", "is not in the range"),
        ("--trusted-proxy *", "'*' is not a network"),
        ("--trusted-proxy 10.0.0.0/8,proxy", "'proxy' is not a network"),
        ("--public-url lab.example.org", "'lab.example.org' is not an address"),
        ("--public-url ftp://lab.example.org", "is not an address"),
        ("--public-url http://[", "is not an address"),
        ("--public-url https://lab.example.org:99999", "is not an address"),
        ("--public-url https://ada:secret@lab.example.org", "is not an address"),
        ("--public-url https://lab.example.org/?a=1", "is not an address"),
        (f"--data-dir {__file__}", "is a file"),
        ("--listen 8443", "unknown field `8443`"),
        ("--listen dialect=ionq", "missing required field `port`"),
        ("--listen port=x,dialect=ionq", "Expected `int`, got `str` at `port`"),
        ("--listen port=65536,dialect=ionq", "Expected `int` <= 65535 at `port`"),
        ("--listen port=1,dialect=ion", "there is no dialect 'ion'. Did you mean 'ionq'?"),
        ("--listen port=1,dialect=zzz", "There are ionq, ibm, runtime"),
        ("--listen port=1,dialect=ionq,colour=red", "unknown field `colour`"),
        ("--listen port=1,dialect=ionq,tls_cert=a.pem", "tls_cert and tls_key come together"),
        ("--listen port=1,dialect=ionq,public_url=lab", "public_url is 'lab', not an address"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_sentence(arguments: str, said: str) -> None:
    assert said in refusal("serve", *arguments.split())


def test_what_can_be_served_is_taken(serve: Serve) -> None:
    settings = serve(
        *["serve", "--public-url", "https://lab.example.org/q"],
        *["--trusted-proxy", "10.0.0.1/8, ::1", "--workers", "7"],
        *["--tls-cert", "chain.pem", "--tls-key", "key.pem"],
    )
    assert settings.public_url == "https://lab.example.org/q"
    assert (settings.trusted_proxy, settings.workers) == ("10.0.0.0/8,::1/128", 7)
    assert (settings.tls_cert, settings.tls_key) == (Path("chain.pem"), Path("key.pem"))


def test_addresses_of_dialects_are_taken_from_flags_environment_and_file(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('listen = [{port = 1, dialect = "ionq", tls_cert = "a", tls_key = "b"}]\n')
    assert serve("serve").listen == (
        OwnAddress(port=1, dialect="ionq", tls_cert=Path("a"), tls_key=Path("b")),
    )
    two = (OwnAddress(port=2, dialect="ibm"), OwnAddress(port=3, dialect="xanadu", host="::1"))
    texts = list(map(str, two))
    assert texts == ["port=2,dialect=ibm", "port=3,dialect=xanadu,host=::1"]
    monkeypatch.setenv("QWICKET_LISTEN", " ".join(texts))
    assert serve("serve").listen == two
    assert ("listen", " ".join(texts)) in serve("serve").in_force()
    assert serve("serve", "--listen", texts[0]).listen == two[:1]
    monkeypatch.delenv("QWICKET_LISTEN")
    for wrong in ('"ionq"', "[1]", '{port = 1, dialect = "ionq"}'):
        write(f"listen = {wrong}\n")
        assert "listen must be a list of tables, [[listen]]" in refusal("serve")


def test_the_hold_of_first_polls_can_be_set_and_turned_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serve("serve").first_poll_ms == 250
    write("first-poll-ms = 100\n")
    assert serve("serve").first_poll_ms == 100
    monkeypatch.setenv("QWICKET_FIRST_POLL_MS", "50")
    assert serve("serve").first_poll_ms == 50
    assert serve("serve", "--first-poll-ms", "0").first_poll_ms == 0
    assert "5001 is not in the range" in refusal("serve", "--first-poll-ms", "5001")


# --- single sign-on -------------------------------------------------------------------------------

OIDC = ("--oidc-issuer", "https://login.example.org/realms/lab", "--oidc-client-id", "qwicket")


def test_groups_are_a_table_in_the_file_and_json_elsewhere(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = serve("serve", *OIDC, "--oidc-groups", '{"a b": {"projects": ["lab"]}}')
    assert settings.sign_in.provider is not None
    assert settings.sign_in.provider.groups == {"a b": GroupRights(projects=("lab",))}
    (folder / "qwicket.toml").write_text(
        'oidc_issuer = "https://login.example.org"\noidc_client_id = "x"\noidc_create = true\n'
        '[oidc_groups]\n"CN=staff,OU=lab" = { role = "admin", projects = ["lab", "class"] }\n'
    )
    found = serve("serve").sign_in.provider
    assert found is not None
    assert found.groups == {"CN=staff,OU=lab": GroupRights(role="admin", projects=("lab", "class"))}
    assert found.creates_accounts
    assert not found.links_emails
    monkeypatch.setenv("QWICKET_OIDC_GROUPS", "{}")
    found = serve("serve").sign_in.provider
    assert found is not None
    assert found.groups == {}


def test_without_an_issuer_there_is_no_provider(serve: Serve) -> None:
    settings = serve("serve").sign_in
    assert (settings.provider, settings.are_passwords_on, settings.session_s) == (None, True, 43200)
    assert not serve("serve", "--no-passwords").sign_in.are_passwords_on


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (OIDC[:2], "--oidc-client-id: it is not set, but --oidc-issuer is."),
        (OIDC[2:], "--oidc-issuer: it is not set, but --oidc-client-id is."),
        ((*OIDC, "--oidc-groups", "x"), "It must be like"),
        ((*OIDC, "--oidc-groups", '{"a": {"role": "king"}}'), "role"),
        ((*OIDC, "--oidc-groups", '{"a": {"project": ["x"]}}'), "unknown field `project`"),
        ((*OIDC, "--oidc-groups", '{"a": {"projects": ["A b"]}}'), "project must be"),
        ((*OIDC, "--oidc-client-secret-file", "none"), "does not exist"),
        ((*OIDC[2:], "--oidc-issuer", "http://login.example.org"), "is not an address such as"),
        ((*OIDC[2:], "--oidc-issuer", "login.example.org"), "is not an address such as"),
        ((*OIDC[2:], "--oidc-issuer", "https://login.example.org/?a=b"), "is not an address such"),
        ((*OIDC[2:], "--oidc-issuer", "https://[::1"), "is not an address"),
    ],
    ids=str,
)
def test_wrong_settings_of_a_provider_are_refused(arguments: tuple[str, ...], said: str) -> None:
    assert said in refusal("serve", *arguments)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o644)
    said = refusal("serve", *OIDC, "--oidc-client-secret-file", str(secret))
    assert f"others can read {secret} (mode 0644): chmod 600 {secret}" in said


def test_a_provider_without_its_extra_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    assert "with [oidc] after its name" in str(
        CliRunner().invoke(main, ["serve", *OIDC], standalone_mode=False).exception
    )
