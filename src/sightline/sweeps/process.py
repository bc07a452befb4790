"""A job's own process: started, followed, stopped; or found at work from an earlier command."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sightline.config.schema import Job, TrainConfig
from sightline.io.secrets import credentials_for_children
from sightline.runs.folder import RunFolder
from sightline.sweeps.slots import Slot

STOPPED = {128 + signum: f"stopped by {signum.name}" for signum in (signal.SIGINT, signal.SIGTERM)}
JOB_COMMAND = [sys.executable, "-m", "sightline.cli", "job"]
TAIL_LINES = 60  # of a job's output, kept with its error


@dataclass
class Running:
    """A job at work.

    Attributes:
        number: the job's.
        config: its config.
        job: its place.
        slot: what it may use.
        pid: its process, the first of a group of its own.
        process: None where an earlier command started it.
        offset: how much of its output was repeated.
    """

    number: int
    config: TrainConfig
    job: Job
    slot: Slot
    pid: int
    process: subprocess.Popen[bytes] | None
    offset: int

    def ended(self) -> bool:
        """Whether the process is gone."""
        if self.process is not None:
            return self.process.poll() is not None
        return working_process(self.job.output_dir) != self.pid

    def repeat_output(self) -> None:
        """Print what the job printed since, each line with its number."""
        path = RunFolder(self.job.output_dir).output
        if not path.is_file():
            return
        with path.open("rb") as stream:
            stream.seek(self.offset)
            new = stream.read()
        whole = len(new) if self.process and self.process.returncode else new.rfind(b"\n") + 1
        self.offset += whole
        for line in new[:whole].decode(errors="replace").splitlines():
            print(f"[{self.number}] {line}", flush=True)

    def send(self, signum: int) -> None:
        """Send a signal to the job and to the processes that it started."""
        if self.process is None:
            held = RunFolder(self.job.output_dir).owner()
            if held is None or not held[0].here:
                return
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.killpg(self.pid, signum)


def start(number: int, config: TrainConfig, job: Job, slot: Slot) -> Running:
    """Start a job's process, unless one that an earlier command started is still at work.

    It is a session of its own: the sweep passes signals on, and a sweep that is killed outright
    leaves the job to go on. What it prints goes to a file, which outlives the sweep as well.
    """
    path = RunFolder(job.output_dir).output
    offset = path.stat().st_size if path.is_file() else 0
    pid = working_process(job.output_dir)
    if pid is not None:
        return Running(number, config, job, slot, pid, None, offset)
    RunFolder(job.output_dir).error = ""
    own = slot.environment | credentials_for_children(config.tracking.uri)
    with path.open("ab") as output:
        process = subprocess.Popen(
            [*JOB_COMMAND, str(job.output_dir)],
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | own, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return Running(number, config, job, slot, process.pid, process, offset)


def working_process(folder: Path) -> int | None:
    """The process that works in a job's folder on this machine or another; None where none does."""
    held = RunFolder(folder).owner()
    if held is None or held[0].gone(held[1]):
        return None
    return held[0].pid


def error_of(running: Running) -> str | None:
    """Why a job that ended did not finish: its own words, else what its end says; None: it did."""
    folder = RunFolder(running.job.output_dir)
    if folder.results() is not None:
        return None
    said = folder.error
    if said:
        return said
    status = running.process.returncode if running.process else None
    if status is None:
        return "ended without a word"
    if status == -signal.SIGKILL:
        return "killed by SIGKILL (by somebody, or by the system for want of memory)"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return STOPPED.get(status, f"ended with status {status} and without a word")


def last_output(folder: Path) -> str:
    """The end of what a job printed, where a traceback stands."""
    path = RunFolder(folder).output
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])
