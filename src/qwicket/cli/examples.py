"""Examples of each command, shown at the end of its `--help`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "serve": (
        "qwicket serve",
        "qwicket serve --host 0.0.0.0 --port 8080 --workers 4 --limit shots=10000",
    ),
    "status": ("qwicket status", "qwicket status --profile lab --json"),
    "worker": (
        "qwicket worker --connect https://lab.example.org --token-file worker.token",
        "qwicket worker --connect https://lab.example.org --slots 4 --name node7",
    ),
    "worker scale": (
        "qwicket worker scale --connect URL --token-file F --slurm time=04:00:00",
        "qwicket worker scale --connect URL --profile s=mem=8G --profile l=mem=64G",
        "qwicket worker scale --connect URL --token-file F --kubernetes job.json",
    ),
    "slurm licenses": (
        "qwicket slurm licenses --url https://lab.example.org --device qpu.lab-1",
        "qwicket slurm licenses --profile lab --once",
    ),
    "slurm usage": ("qwicket slurm usage --profile lab --from 2026-11-01 --csv",),
    "user add": (
        "qwicket user add ada",
        "qwicket user add ben --role admin --email ben@example.org",
        "qwicket user add --from people.csv --tokens tokens --project class",
    ),
    "user import": (
        "qwicket user import people.csv --dry-run",
        "qwicket user import people.csv --tokens tokens --absent disable",
    ),
    "user list": ("qwicket user list", "qwicket user list --deleted"),
    "user disable": ("qwicket user disable ada",),
    "user enable": ("qwicket user enable ada --profile lab",),
    "user role": ("qwicket user role ada admin",),
    "user email": ("qwicket user email ada ada@example.org",),
    "user reset": ("qwicket user reset ada",),
    "user delete": ("qwicket user delete ada --jobs remove",),
    "user restore": ("qwicket user restore ada",),
    "token create": (
        "qwicket token create --user ada",
        "qwicket token create --user ada --expires 90d --device simulator",
        "qwicket token create --user ada --assistant --device simulator --daily-cost 5",
    ),
    "token list": ("qwicket token list --user ada",),
    "token revoke": ("qwicket token revoke 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "token rotate-keys": ("qwicket token rotate-keys",),
    "project add": ("qwicket project add qec --shares 3",),
    "project list": ("qwicket project list",),
    "project shares": ("qwicket project shares qec 5",),
    "project retention": (
        "qwicket project retention exam 90",
        "qwicket project retention exam off",
    ),
    "project export": (
        "qwicket project export exam exam-2026",
        "qwicket project export exam exam-2026 --profile lab",
    ),
    "project member add": ("qwicket project member add qec ada",),
    "project member shares": ("qwicket project member shares qec ada 3",),
    "project member role": ("qwicket project member role qec ada lead",),
    "project member remove": ("qwicket project member remove qec ada",),
    "project member list": ("qwicket project member list qec",),
    "budget set": (
        "qwicket budget set qec --shots 100000 --per week",
        "qwicket budget set qec --cost 500 --per month --device qpu.aria-1",
        "qwicket budget set qec --shots 10000 --per week --member each",
    ),
    "budget show": ("qwicket budget show", "qwicket budget show qec --json"),
    "budget clear": ("qwicket budget clear qec", "qwicket budget clear qec --unit cost"),
    "usage": (
        "qwicket usage --from 2026-11-01 --to 2026-11-30",
        "qwicket usage --by project --csv",
    ),
    "device provider add": ("qwicket device provider add lab",),
    "device provider list": ("qwicket device provider list",),
    "device provider on": ("qwicket device provider on lab",),
    "device provider off": ("qwicket device provider off lab",),
    "device list": ("qwicket device list",),
    "device on": ("qwicket device on simulator",),
    "device off": ('qwicket device off simulator --reason "new fridge" --until 2h',),
    "device pause": ('qwicket device pause simulator --reason "a look inside" --until 2h',),
    "device drain": ('qwicket device drain simulator --reason "moves on Friday"',),
    "device message": ('qwicket device message simulator "Talk on Friday at 10"',),
    "device probe": (
        "qwicket device probe --url http://lab:8000 --key-env KEY",
        "qwicket device probe --url http://lab:8000 --key-env KEY simulator",
    ),
    "device check": ("qwicket device check devices/far.toml",),
    "device import": (
        "qwicket device import props_lima.json --write lima.toml",
        "qwicket device import garnet.json --as garnet --write garnet.toml",
    ),
    "device maintenance": (
        "qwicket device maintenance simulator --from 2h --to 3h --reason disks",
        "qwicket device maintenance simulator --to 1h --reason calibration --weeks 52",
    ),
    "invitation add": ("qwicket invitation add --project class --uses 30 --expires 7d",),
    "invitation list": ("qwicket invitation list",),
    "invitation remove": ("qwicket invitation remove 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "reservation add": (
        "qwicket reservation add simulator --project lab --from 2h --to 4h --slots 2",
        "qwicket reservation add simulator --project exam-42 --to 2h --exam 3",
    ),
    "reservation list": ("qwicket reservation list",),
    "reservation remove": ("qwicket reservation remove 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "audit list": ("qwicket audit list --limit 10",),
    "audit refusals": ("qwicket audit refusals",),
    "audit verify": ("qwicket audit verify",),
    "backup": ("qwicket backup qwicket-$(date +%F).db",),
    "compact": ("qwicket compact",),
    "restore": (
        "qwicket restore qwicket-2026-11-22.db --data-dir ~/restored",
        "qwicket restore qwicket-2026-11-22.db --replace",
    ),
    "doctor": ("qwicket doctor", "qwicket doctor --deep --json"),
    "doctor bench": ("qwicket doctor bench --seconds 5 --connections 8",),
    "demo": ("qwicket demo --keep", "qwicket demo -- python bell.py"),
    "devices": (
        "qwicket devices --family qubit --online",
        "qwicket devices simulator",
    ),
    "submit": (
        "qwicket submit bell.qasm --device simulator --shots 500 --wait",
        "qwicket submit bell.qasm --device simulator --noise aria-1 --seed 7",
        "qwicket submit bell.qasm --device simulator --dry-run",
    ),
    "jobs": ("qwicket jobs --state failed --since 1d",),
    "job show": ("qwicket job show 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "job cancel": (
        "qwicket job cancel 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",
        "qwicket job cancel --all --device simulator --state queued --dry-run",
    ),
    "job hold": ("qwicket job hold 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "job release": ("qwicket job release 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "job priority": ("qwicket job priority 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --to 10",),
    "job requeue": ("qwicket job requeue 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "job resolve": (
        "qwicket job resolve 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --sent-as 7f3a91",
        "qwicket job resolve 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --not-sent",
    ),
    "job abandon": ("qwicket job abandon 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",),
    "job delete": (
        "qwicket job delete 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",
        "qwicket job delete --state failed --tag night --dry-run",
        "qwicket job delete --all --account ben --yes",
    ),
    "result": ("qwicket result 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --json",),
    "archive": ("qwicket archive 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f job.zip",),
    "mcp": ("qwicket mcp", "qwicket mcp --profile lab"),
    "confirm": (
        "qwicket confirm",
        "qwicket confirm 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f",
        "qwicket confirm 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --refuse",
    ),
    "share add": (
        "qwicket share add 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --with ben",
        "qwicket share add 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f --link --expires 30d",
    ),
    "share list": ("qwicket share list",),
    "share remove": ("qwicket share remove 01a1fc34-7a5e-7cc3-98c4-dc0c0c070000",),
    "watch": ("qwicket watch 01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f", "qwicket watch --all"),
    "login": (
        "qwicket login --url https://lab.example.org",
        "qwicket login --profile lab --expires 7d --scope jobs:read",
    ),
    "account": ("qwicket account", "qwicket account --profile lab"),
    "account password": ("qwicket account password",),
    "account sessions": ("qwicket account sessions",),
    "account end-session": ("qwicket account end-session 0123456789abcdef",),
    "account prefer": ("qwicket account prefer --theme dark --time-zone Europe/Vienna",),
    "webhook add": (
        "qwicket webhook add https://example.org/hook",
        "qwicket webhook add https://example.org/hook --event job.failed",
    ),
    "webhook list": ("qwicket webhook list",),
    "webhook remove": ("qwicket webhook remove 01a1fc34-7a5e-7cc3-98c4-dc0c0c070000",),
    "webhook rotate": ("qwicket webhook rotate 01a1fc34-7a5e-7cc3-98c4-dc0c0c070000",),
    "webhook test": ("qwicket webhook test 01a1fc34-7a5e-7cc3-98c4-dc0c0c070000",),
    "job draw": ("qwicket job draw bell.qasm",),
    "agent": (
        "qwicket agent --device fridge7 --run machine:run",
        "qwicket agent --try bell.qasm --run machine:run --device fridge7.toml",
    ),
    "agent push-config": ("qwicket agent push-config fridge7.toml",),
    "agent push-calibration": ("qwicket agent push-calibration --device fridge7 calibration.toml",),
    "env": ("qwicket env xcc",),
    "snippet": ("qwicket snippet", "qwicket snippet xcc | python"),
    "cassette record": (
        "qwicket cassette record bell.json --target /v1=https://cloud.example",
        "qwicket cassette record b.json --target /x=URL --client xcc -- python b.py",
    ),
    "cassette replay": (
        "qwicket cassette replay bell.json --client xcc -- python bell.py",
        "qwicket cassette replay bell.json --lenient --port 8000",
    ),
    "cassette check": (
        "qwicket cassette check bell.json",
        "qwicket cassette check bell.json --name aria=simulator --ignore '*/cost'",
    ),
}


def epilog(command: str) -> str | None:
    """Return the end of a command's help; None for a command without an example.

    Args:
        command: Full name of the command, without the program's name.
    """
    lines = EXAMPLES.get(command, ())
    if not lines:
        return None
    heading = "Examples:" if len(lines) > 1 else "Example:"
    # Without \b click would wrap these lines.
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])
