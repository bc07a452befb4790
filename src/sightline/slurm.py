"""What Slurm says of a job, asked by its commands."""

import shutil
import subprocess

# Words of Slurm for a job that runs, or will run (again).
ALIVE = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "REQUEUED", "RESIZING",
         "REQUEUE_HOLD", "REQUEUE_FED", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT",
         "PREEMPTED")  # fmt: skip
TIMEOUT_S = 20


def slurm_is_here() -> bool:
    """Whether its commands are on this machine."""
    return shutil.which("squeue") is not None


def job_state(job: str) -> str | None:
    """A job's state in Slurm's words, such as RUNNING or CANCELLED; None where it forgot the job.

    Raises:
        OSError: Slurm does not answer.
    """
    said = _ask("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")
    if not said and shutil.which("sacct") is not None:
        said = _ask("sacct", "-n", "-X", "-P", "-j", job, "-o", "State")
    return said[-1].split()[0] if said else None


def _ask(*command: str) -> list[str]:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} gave no answer in {TIMEOUT_S} s") from error
    if done.returncode and "Invalid job id" not in done.stderr:
        raise OSError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
