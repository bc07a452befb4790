"""The process of a sweep's job on this machine: start, output, signals and exit status."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

from sightline.config.job_words import job_words
from sightline.io.forked import LOADED, ForkedProcess
from sightline.runs.folder import RunFolder
from sightline.runs.hidden import environment_for
from sightline.sweeps.forked_jobs import UNBUFFERED, JobServer
from sightline.sweeps.slots import Slot
from sightline.sweeps.sweep import SweepJob

STOPPED = {128 + signum: f"stopped by {signum.name}" for signum in (signal.SIGINT, signal.SIGTERM)}
JOB_COMMAND = [sys.executable, "-m", "sightline.cli", "job"]
TAIL_LINES = 60  # of a job's output, kept with its error


@dataclass
class Running:
    """A running job.

    Attributes:
        number: the job's.
        job: config and folder.
        slot: the cores and GPUs that it uses.
        pid: of its first process, which leads a process group.
        process: None where an earlier command started it.
        offset: bytes of its output that were printed here.
    """

    number: int
    job: SweepJob
    slot: Slot
    pid: int
    process: subprocess.Popen[bytes] | ForkedProcess | None
    offset: int

    def ended(self) -> bool:
        """Whether the process is gone."""
        if self.process is not None:
            return self.process.poll() is not None
        return running_pid(self.job.folder) != self.pid

    def repeat_output(self) -> None:
        """Print the new lines of the job's output, each behind the job's number."""
        path = self.job.folder.output
        if not path.is_file():
            return
        with path.open("rb") as stream:
            stream.seek(self.offset)
            new = stream.read()
        complete = len(new) if self.process and self.process.returncode else new.rfind(b"\n") + 1
        self.offset += complete
        for line in new[:complete].decode(errors="replace").splitlines():
            print(f"[{self.number}] {line}", flush=True)

    def send(self, signum: int) -> None:
        """Send a signal to the job's process group."""
        if self.process is None:
            held = self.job.folder.owner()
            if held is None or not held[0].here:
                return
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.killpg(self.pid, signum)


def start(number: int, job: SweepJob, slot: Slot, server: JobServer) -> Running:
    """Start a job's process, unless one that an earlier command started still runs.

    It is forked where that can be, and leads a session of its own: the sweep passes signals on, and
    a job survives a sweep that is killed with SIGKILL. Its output goes to a file, which survives
    the sweep as well.
    """
    path = job.folder.output
    offset = path.stat().st_size if path.is_file() else 0
    pid = running_pid(job.folder)
    if pid is not None:
        return Running(number, job, slot, pid, None, offset)
    job.folder.error = ""
    own = slot.environment | environment_for([job.config])
    words = [str(job.folder.path), *job_words([job.config])]
    with path.open("ab") as output:
        process = server.fork([*JOB_COMMAND, *words, LOADED], own, output) or subprocess.Popen(
            [*JOB_COMMAND, *words], env=os.environ | UNBUFFERED | own, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return Running(number, job, slot, process.pid, process, offset)


def running_pid(folder: RunFolder) -> int | None:
    """The process that holds a job's folder, on this machine or another; None where none does."""
    held = folder.owner()
    if held is None or held[0].gone(held[1]):
        return None
    return held[0].pid


def error_of(running: Running) -> str | None:
    """The error of a job that ended: its own message, else its exit status; None: it finished."""
    folder = running.job.folder
    if folder.results() is not None:
        return None
    if message := folder.error:
        return message
    status = running.process.returncode if running.process else None
    if status is None:
        return "ended without a message"
    if status == -signal.SIGKILL:
        return "killed by SIGKILL (by somebody, or by the system for want of memory)"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return STOPPED.get(status, f"ended with status {status} and without a message")


def last_output(folder: RunFolder) -> str:
    """The last lines that a job printed, where a traceback stands."""
    if not folder.output.is_file():
        return ""
    lines = folder.output.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
