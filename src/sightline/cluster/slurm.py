"""Slurm's commands: the state of a job, this process's own job, requeueing."""

import os
import shutil
import subprocess

TIMEOUT_S = 60  # a busy controller answers late
# States in `squeue` and `sacct` of a job that Slurm will not run again.
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip


class SlurmError(Exception):
    """A command of Slurm failed; with its message."""


def ask(command: list[str], environment: dict[str, str] | None = None) -> str:
    """The output of a command of Slurm.

    Args:
        command: its words.
        environment: variables; None: this process's.

    Raises:
        SlurmError: it failed, or gave no answer.
    """
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


def slurm_is_here() -> bool:
    """Whether Slurm's commands are on this machine."""
    return shutil.which("squeue") is not None


def job_state(job: str) -> str | None:
    """Slurm's name of a job's state, such as RUNNING; None where it has forgotten the job.

    Raises:
        SlurmError: Slurm does not answer.
    """
    try:
        answer = ask(["squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={job}"])
    except SlurmError as error:
        if "Invalid job id" not in str(error):
            raise
        answer = ""
    return answer.split()[0] if answer.strip() else accounted_state(job)


def accounted_state(job: str) -> str | None:
    """The state of a job by Slurm's accounting (`sacct`); None where it has none."""
    if shutil.which("sacct") is None:
        return None
    try:
        answer = ask(["sacct", "-X", "--parsable2", "-o", "JobID,State", "-j", job])
    except SlurmError:
        return None
    for line in answer.splitlines():
        fields = line.split("|")
        if fields[0] == job and len(fields) > 1:
            return fields[1].split()[0]  # "CANCELLED by 1000"
    return None


def own_job() -> str | None:
    """The id of the Slurm job that this process belongs to, or None."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    # SLURM_JOB_ID of an array's job is a number that `squeue` does not show.
    return f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")


def seconds_left(job: str) -> float | None:
    """Seconds until the time limit of a running job; None where it has no limit.

    Raises:
        SlurmError: Slurm does not answer.
    """
    return read_duration(ask(["squeue", f"--jobs={job}", "--noheader", "--format=%L"]))


def read_duration(text: str) -> float | None:
    """Seconds of a duration in Slurm's form, `1-02:03:04`; None of UNLIMITED and the like."""
    days, _, clock = text.strip().rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds + 86400 * int(days or 0)


def requeue(job: str) -> None:
    """End a running job, and requeue it.

    Raises:
        SlurmError: Slurm refuses.
    """
    ask(["scontrol", "requeue", job])
