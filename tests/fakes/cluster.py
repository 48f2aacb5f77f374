"""A real Slurm of two nodes on loopback, from Debian's packages, started and stopped by a test.

Everything is a process of ours in a folder of its own: munged, slurmctld and one slurmd a node, in
the foreground, on free ports of 127.0.0.1, without accounting. Both nodes are this very machine.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from waiting import wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
NODES = ("n1", "n2")
# A job that is queued again waits until credentials of its last start have expired: 120 s as a
# rule, and so long as `cred_expire` says.
HOLD = 5
PR_SET_PDEATHSIG = 1
CONF = """\
ClusterName=lth
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthInfo=socket={home}/munge.socket,cred_expire={hold}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool-%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd-%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
KillWait=5
SlurmdTimeout=10
MessageTimeout=5
MinJobAge=3600
GresTypes=gpu
NodeName=n[1-2] NodeAddr=127.0.0.1 NodeHostname={host} Port=[{ports[1]}-{ports[2]}] CPUs=1 \
RealMemory=2000 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes=n[1-2] Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes=n[1-2] State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing() -> str:
    """Why there can be no cluster here; empty where there can."""
    if os.geteuid():
        return "a Slurm cluster is started by root only"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    return f"Slurm is not installed here ({', '.join(absent)})" if absent else ""


class Cluster:
    """The processes of one cluster; `environment` leads Slurm's commands to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"SLURM_CONF": str(home / "slurm.conf")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (home / "state").mkdir(parents=True)
        self._configure()

    def start(self) -> None:
        """Start everything, and return when both nodes are idle."""
        key, sock = self.home / "munge.key", self.home / "munge.socket"
        self._spawn(
            *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={sock}"),
            *(f"--pid-file={self.home}/munged.pid", f"--seed-file={self.home}/munge.seed"),
            f"--log-file={self.home}/munged.log",
        )
        wait_for(sock.exists)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.wait_for_nodes()

    def start_controller(self) -> None:
        """Start slurmctld, which takes up the state that it left."""
        self._spawn("slurmctld", "-D")

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        self._spawn("slurmd", "-D", "-N", node, name=node)

    def wait_for_nodes(self) -> None:
        """Wait until both nodes answer and take jobs."""
        wait_for(lambda: {f"{node} idle" for node in NODES} <= self._states(), self.logs)

    def kill(self, name: str) -> None:
        """Kill a daemon as a crash would: `slurmctld`, or a node's name."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def step_daemons(self, node: str) -> list[int]:
        """Pids of a node's slurmstepd, each of which stands over one job."""
        here = f"SLURMD_NODENAME={node}".encode()
        return [
            parent
            for pid in self._ours()
            if here in _read(pid, "environ").split(b"\0")
            and b"slurmstepd" in _read(parent := _parent(pid), "cmdline")
        ]

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True
        )
        return done.stdout

    def job(self, number: str) -> dict[str, str]:
        """What `scontrol show job` says of a job."""
        words = self.ask("scontrol", "-o", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def stop(self) -> None:
        """End all jobs and every process."""
        if "slurmctld" in self.processes:
            self.ask("scancel", "--user=root", "--signal=KILL", "--full")
            self.ask("scancel", "--user=root")
        for name in reversed([*self.processes]):
            self.processes[name].terminate()
            try:
                self.processes[name].wait(5)
            except subprocess.TimeoutExpired:
                self.processes[name].kill()
                self.processes[name].wait()
        self.processes.clear()
        for pid in self._ours():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self._ours())

    def logs(self) -> str:
        """The ends of all logs."""
        texts = [(path.name, path.read_text(errors="replace")) for path in self.home.glob("*.log")]
        return "\n".join(f"== {name}\n{text[-2000:]}" for name, text in texts)

    def _states(self) -> set[str]:
        return set(self.ask("sinfo", "-h", "-N", "-o", "%N %t").splitlines())

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        ports = _ports()
        conf = CONF.format(home=self.home, host=host, ports=ports, hold=HOLD)
        (self.home / "slurm.conf").write_text(conf)
        gres = f"NodeName=n[1-2] Name=gpu File={self.home}/gpu[0-1]\n"
        (self.home / "gres.conf").write_text(gres)
        for index in range(2):
            os.mknod(self.home / f"gpu{index}", 0o20600, os.makedev(1, 3))  # as /dev/null
        (self.home / "munge.key").write_bytes(secrets.token_bytes(128))
        (self.home / "munge.key").chmod(0o400)

    def _spawn(self, *command: str, name: str = "") -> None:
        with (self.home / f"{name or command[0]}.out").open("ab") as out:
            self.processes[name or command[0]] = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_end_with_the_test,
            )

    def _ours(self) -> list[int]:
        """Every process that has this cluster in its environment, this one apart."""
        mark = f"SLURM_CONF={self.home}/slurm.conf".encode()
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if pid != os.getpid() and mark in _read(pid, "environ")]


def _end_with_the_test() -> None:
    """Have a daemon ended, should the test that started it be killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _ports() -> list[int]:
    """Three free ports in a row."""
    for first in range(20_000 + secrets.randbelow(20_000), 60_000, 3):
        sockets = []
        try:
            for port in range(first, first + 3):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return [*range(first, first + 3)]
        except OSError:
            continue
        finally:
            for found in sockets:
                found.close()
    raise OSError("no free ports")


def _parent(pid: int) -> int:
    stat = _read(pid, "stat").rpartition(b")")[2].split()
    return int(stat[1]) if stat else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
