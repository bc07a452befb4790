"""Slurm, by its own commands: how a job stands, and what this process is part of."""

import os
import shutil
import subprocess

TIMEOUT_S = 60  # a busy controller answers late
# How `squeue` and `sacct` call a job that will not run again by itself.
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip


class SlurmError(Exception):
    """A command of Slurm failed; its own words."""


def ask(command: list[str], environment: dict[str, str] | None = None) -> str:
    """What a command of Slurm says.

    Args:
        command: its words.
        environment: instead of this process's.

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
    """Whether its commands are on this machine."""
    return shutil.which("squeue") is not None


def job_state(job: str) -> str | None:
    """A job's state in Slurm's words; None where it forgot the job.

    Raises:
        SlurmError: Slurm does not answer.
    """
    try:
        said = ask(["squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={job}"])
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
        said = ask(["sacct", "-X", "--parsable2", "-o", "JobID,State", "-j", job])
    except SlurmError:
        return None
    for line in said.splitlines():
        fields = line.split("|")
        if fields[0] == job and len(fields) > 1:
            return fields[1].split()[0]  # "CANCELLED by 1000"
    return None


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
    return read_duration(ask(["squeue", f"--jobs={job}", "--noheader", "--format=%L"]))


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
    ask(["scontrol", "requeue", job])
