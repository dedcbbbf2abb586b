"""Slurm on this machine: a controller, one node with four slots, and munge, for root.

Without systemd and control groups; with accounting if it is asked for. All files are in one folder,
and all daemons listen on this machine alone.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from support import leftovers
from support.installed import installed
from support.processes import is_alive
from support.waiting import until

SLOTS: Final = 4
DAEMONS: Final = ("munged", "slurmctld", "slurmd")
ACCOUNT: Final = "physics"
"""The account of root in Slurm's accounting."""
_MEMORY_MB: Final = 8_000

needs_root: Final = pytest.mark.needs_root("Slurm's daemons run as root")


class Slurm:
    """A running Slurm; `env` is what its commands need in their environment.

    With accounting, root submits under `ACCOUNT`.
    """

    def __init__(self, *, has_accounting: bool = False) -> None:
        installed("munged")
        installed("slurmctld")
        if has_accounting:
            installed("mariadbd")
            installed("slurmdbd")
        # Not below pytest's folder, because munged requires a socket that every user can reach.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        folder.chmod(0o755)
        for name in ("munge", "state", "spool", "log"):
            (folder / name).mkdir()
        self.config = folder / "slurm.conf"
        self.env = {
            "SLURM_CONF": str(self.config),
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
        }
        self._pid_files: list[Path] = []
        self._database: subprocess.Popen[bytes] | None = None
        try:
            self._start(has_accounting=has_accounting)
        except BaseException:
            self.stop()
            raise

    def _start(self, *, has_accounting: bool) -> None:
        folder, host = self.folder, socket.gethostname().partition(".")[0]
        key = folder / "munge.key"
        key.touch(0o400)
        key.write_bytes(os.urandom(1024))
        self._daemon(
            folder / "munge" / "munged.pid",
            *("munged", f"--key-file={key}", f"--socket={folder}/munge/munge.sock"),
            *(f"--pid-file={folder}/munge/munged.pid", f"--log-file={folder}/log/munged.log"),
            *(f"--seed-file={folder}/munge.seed", "--num-threads=2"),
        )
        port = random.SystemRandom().randrange(20_000, 30_000, 4)
        accounting = "AccountingStorageType=accounting_storage/none"
        if has_accounting:
            self._start_accounting(host, port + 2)
            accounting = f"""AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port + 2}
AccountingStoragePass={folder}/munge/munge.sock"""
        self.config.write_text(
            f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port + 1}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
{accounting}
JobCompType=jobcomp/none
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=3
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU={_MEMORY_MB // SLOTS}
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={SLOTS} RealMemory={_MEMORY_MB} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
        )
        (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        if has_accounting:
            manage = ("sacctmgr", "--immediate", "add")
            until(lambda: self.run("sacctmgr", "-n", "list", "user"), "the accounting answers")
            self.run(*manage, "cluster", "test")
            self.run(*manage, "account", ACCOUNT, "cluster=test")
            self.run(*manage, "user", "root", f"account={ACCOUNT}", f"defaultaccount={ACCOUNT}")
        self._daemon(folder / "slurmctld.pid", "slurmctld", "-f", str(self.config))
        self.start_node()
        until(lambda: self.run("sinfo", "-h", "-o", "%T") == "idle", "the node is idle")

    def _start_accounting(self, host: str, port: int) -> None:
        """Start a database and the daemon of the accounting."""
        folder, secret = self.folder, os.urandom(16).hex()
        data, ready = folder / "database", folder / "database.sql"
        ready.write_text(
            "create database slurm;\n"
            f"create user slurm@127.0.0.1 identified by '{secret}';\n"
            "grant all on slurm.* to slurm@127.0.0.1;\n"
        )
        common = ("--no-defaults", "--user=root", f"--datadir={data}")
        with (folder / "log" / "database.log").open("wb") as log:
            subprocess.run(
                ("mariadb-install-db", *common, "--auth-root-authentication-method=normal"),
                check=True,
                stdout=log,
                stderr=log,
            )
            self._database = subprocess.Popen(
                (
                    *(installed("mariadbd"), *common, f"--init-file={ready}"),
                    *("--skip-name-resolve", "--bind-address=127.0.0.1", f"--port={port + 1}"),
                    *(f"--socket={folder}/database.sock", f"--pid-file={folder}/database.pid"),
                    *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"),
                ),
                stdout=log,
                stderr=log,
            )
        leftovers.register_child(self._database.pid)
        until(lambda: _listens(port + 1), "the database listens")
        config = folder / "slurmdbd.conf"
        config.touch(0o600)
        config.write_text(
            f"""AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port + 1}
StorageUser=slurm
StoragePass={secret}
StorageLoc=slurm
PidFile={folder}/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
"""
        )
        self._daemon(folder / "slurmdbd.pid", "slurmdbd")
        until(lambda: _listens(port), "the accounting listens")

    def start_node(self) -> None:
        """Start the daemon of the node."""
        host = socket.gethostname().partition(".")[0]
        file = self.folder / "slurmd.pid"
        self._daemon(file, "slurmd", "-f", str(self.config), "-N", host)

    def run(self, *command: str) -> str:
        """Run a command of Slurm; return what it printed."""
        done = subprocess.run(
            command, env={**os.environ, **self.env}, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def jobs(self) -> list[str]:
        """Return the ids of the jobs that run."""
        return self.run("squeue", "-h", "-t", "RUNNING", "-o", "%i").split()

    def end_state(self, job: str, *, timeout_s: float) -> str:
        """Wait until a job has ended; return its state.

        A job that no longer runs is `COMPLETING` until Slurm has cleaned up after it.
        """
        until(
            lambda: job not in self.run("squeue", "-h", "-o", "%i").split(),
            "the job of Slurm has ended",
            timeout_s=timeout_s,
        )
        return self.run("scontrol", "show", "job", job).partition("JobState=")[2].split()[0]

    def processes(self, job: str) -> list[int]:
        """Return the processes of a job."""
        lines = self.run("scontrol", "listpids", job).splitlines()[1:]
        return [int(line.split()[0]) for line in lines]

    def kill_node(self) -> int:
        """Kill the daemon of the node with SIGKILL, while its jobs go on; return its process."""
        pid_file = self.folder / "slurmd.pid"
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGKILL)
        pid_file.unlink()
        self._pid_files.remove(pid_file)
        return pid

    def stop(self) -> None:
        """End its jobs and its daemons."""
        running = {file.name for file in self._pid_files}
        if {f"{name}.pid" for name in DAEMONS} <= running:  # else commands would wait for minutes
            self.run("scancel", "-u", "root")
            with suppress(AssertionError):
                until(lambda: not self.run("squeue", "-h"), "its jobs have ended")
        for file in reversed(self._pid_files):
            with suppress(FileNotFoundError, ValueError, ProcessLookupError):
                pid = int(file.read_text())
                os.kill(pid, signal.SIGTERM)
                _await_end(pid)
        if self._database is not None:
            self._database.terminate()
            self._database.wait(30)
        shutil.rmtree(self.folder)

    def _daemon(self, pid_file: Path, *command: str) -> None:
        self._pid_files.append(pid_file)
        done = subprocess.run(
            command,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        until(lambda: pid_file.exists() and pid_file.read_text().strip() != "", "it has a pid")
        leftovers.register_child(int(pid_file.read_text()))


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _await_end(pid: int) -> None:
    until(lambda: not is_alive(pid), "a daemon has ended")
