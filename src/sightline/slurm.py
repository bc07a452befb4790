"""Slurm, by its own commands: submitting, asking, cancelling, and what a process is part of."""

import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import UserError

log = logging.getLogger(__name__)

TIMEOUT_S = 60  # a busy controller answers late
# A job that will not run again by itself, as `squeue` and `sacct` call it, and one they forgot.
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip
FORGOTTEN = "FORGOTTEN"
# Said too of nodes that are only drained at the moment, for which jobs can be submitted.
NOT_NOW = "Requested node configuration is not available"
MAX_ARRAY_SIZE = 1001  # where the controller does not say


class SlurmError(Exception):
    """A command of Slurm failed; its own words."""


@dataclass(frozen=True)
class JobState:
    """How a job of an array stands.

    Attributes:
        id: Slurm's, such as 12_3.
        state: in Slurm's words, such as RUNNING.
        reason: why it waits, or ended; also in Slurm's words.
    """

    id: str
    state: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not run again by itself."""
        return self.state in ENDED or self.state == FORGOTTEN


def slurm_is_here() -> bool:
    """Whether its commands are on this machine."""
    return shutil.which("squeue") is not None


def need_commands() -> None:
    """Refuse where Slurm is not.

    Raises:
        UserError: its commands are not found.
    """
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"hydra/launcher=slurm: {', '.join(missing)} not found on this machine. Give the "
            "command where jobs are submitted (a login node), or take hydra/launcher=local."
        )


def check_options(options: list[str]) -> None:
    """Let Slurm judge the options of `sbatch` without submitting.

    Raises:
        UserError: Slurm refuses them, or does not answer; in its own words.
    """
    test = ["sbatch", "--test-only", "--wrap=true", *options]
    try:
        _run(test, outside_of_job())
    except SlurmError as error:
        if NOT_NOW in str(error) and _nodes_are_away():
            log.warning("Slurm cannot run such jobs now: %s", error)
            return
        raise UserError(f"hydra/launcher=slurm: {error}") from error


def _nodes_are_away() -> bool:
    """Whether there are nodes that are down or drained, and may come back."""
    try:
        return bool(_run(["sinfo", "--list-reasons", "--noheader"]).strip())
    except SlurmError:
        return True


def submit(options: list[str], script: Path, environment: dict[str, str]) -> str:
    """Submit a script.

    Args:
        options: of sbatch.
        script: what runs.
        environment: what the job gets beside this process's own variables.

    Returns:
        the job's id; of an array the id that its tasks share.

    Raises:
        SlurmError: Slurm refuses.
    """
    said = _run(["sbatch", "--parsable", *options, str(script)], outside_of_job() | environment)
    return said.strip().partition(";")[0]


def states(names: list[str]) -> dict[tuple[str, int], JobState]:
    """How arrays stand, by their names and the indices of their jobs, as far as Slurm remembers.

    Raises:
        SlurmError: Slurm does not answer.
    """
    form = "%j|%F|%K|%T|%r"
    own = ["--states=all", "--array", "--noheader", f"--format={form}"]
    found = {}
    for line in _run(["squeue", f"--name={','.join(names)}", *own]).splitlines():
        name, array, index, state, reason = line.strip().split("|", 4)
        if index.isdigit():
            found[name, int(index)] = JobState(f"{array}_{index}", state, reason)
    return found


def job_state(job: str) -> str | None:
    """A job's state in Slurm's words; None where it forgot the job.

    Raises:
        SlurmError: Slurm does not answer.
    """
    try:
        said = _run(["squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={job}"])
    except SlurmError as error:
        if "Invalid job id" not in str(error):
            raise
        said = ""
    return said.split()[0] if said.strip() else accounted_state(job)


def accounted_state(job: str) -> str | None:
    """The state of a job that Slurm forgot, where there is a `sacct` that knows it."""
    if shutil.which("sacct") is None:
        return None
    try:
        said = _run(["sacct", "-X", "--parsable2", "-o", "JobID,State", "-j", job])
    except SlurmError:
        return None
    for line in said.splitlines():
        fields = line.split("|")
        if fields[0] == job and len(fields) > 1:
            return fields[1].split()[0]  # "CANCELLED by 1000"
    return None


def cancel(jobs: list[str]) -> None:
    """Cancel jobs.

    Raises:
        SlurmError: Slurm refuses.
    """
    _run(["scancel", *jobs])


def own_job() -> str | None:
    """The job that this process is part of."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    # The number in SLURM_JOB_ID is for one of an array's jobs that of the whole array.
    return f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")


def seconds_left(job: str) -> float | None:
    """Until the time limit of a job that runs; None where it has none.

    Raises:
        SlurmError: Slurm does not answer.
    """
    return read_duration(_run(["squeue", f"--jobs={job}", "--noheader", "--format=%L"]))


def read_duration(said: str) -> float | None:
    """Seconds of what Slurm writes as `1-02:03:04`; None of UNLIMITED and the like."""
    days, _, clock = said.strip().rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds + 86400 * int(days or 0)


def requeue(job: str) -> None:
    """End a job that runs, and queue it again.

    Raises:
        SlurmError: Slurm refuses.
    """
    _run(["scontrol", "requeue", job])


def max_array_size() -> int:
    """The indices of an array are below this."""
    try:
        said = _run(["scontrol", "show", "config"])
    except SlurmError:
        return MAX_ARRAY_SIZE
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else MAX_ARRAY_SIZE


def outside_of_job() -> dict[str, str]:
    """The environment without what a job that submits others would hand on to them."""
    ours = ("SLURM_", "SRUN_", "PMI_", "PMIX_")  # SBATCH_ are the user's own settings
    return {k: v for k, v in os.environ.items() if k == "SLURM_CONF" or not k.startswith(ours)}


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise SlurmError(" ".join(words) or f"{command[0]} ended with status {done.returncode}")
    return done.stdout
