"""Slurm on this machine: a controller, one node with four slots, and munge, for root.

Without systemd, control groups and accounting. All files are in one folder, and all daemons listen
on this machine alone.
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
_MEMORY_MB: Final = 8_000

needs_root: Final = pytest.mark.needs_root("Slurm's daemons run as root")


class Slurm:
    """A running Slurm; `env` is what its commands need in their environment."""

    def __init__(self) -> None:
        installed("munged")
        installed("slurmctld")
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
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
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
        port = random.SystemRandom().randrange(20_000, 30_000, 2)
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
AccountingStorageType=accounting_storage/none
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
        self._daemon(folder / "slurmctld.pid", "slurmctld", "-f", str(self.config))
        self.start_node()
        until(lambda: self.run("sinfo", "-h", "-o", "%T") == "idle", "the node is idle")

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
        if len(self._pid_files) == len(DAEMONS):  # else the commands would wait for minutes
            self.run("scancel", "-u", "root")
            with suppress(AssertionError):
                until(lambda: not self.run("squeue", "-h"), "its jobs have ended")
        for file in reversed(self._pid_files):
            with suppress(FileNotFoundError, ValueError, ProcessLookupError):
                pid = int(file.read_text())
                os.kill(pid, signal.SIGTERM)
                _await_end(pid)
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


def _await_end(pid: int) -> None:
    until(lambda: not is_alive(pid), "a daemon has ended")
