"""Slurm's commands for job arrays: sbatch, squeue, scancel, and the states of jobs."""

import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sightline.cluster.slurm import ENDED, SlurmError, ask
from sightline.errors import UserError

log = logging.getLogger(__name__)

FORGOTTEN = "FORGOTTEN"  # the state of a job that Slurm has removed from its memory
# Slurm's message for drained nodes too, for which jobs can be submitted.
NOT_NOW = "Requested node configuration is not available"
MAX_ARRAY_SIZE = 1001  # if the controller does not answer


@dataclass(frozen=True)
class JobState:
    """The state of one job of an array.

    Attributes:
        id: Slurm's, such as 12_3.
        state: Slurm's name of it, such as RUNNING.
        reason: why it waits, or ended; Slurm's word.
    """

    id: str
    state: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether Slurm will not run it again."""
        return self.state in ENDED or self.state == FORGOTTEN


def need_commands() -> None:
    """Check that Slurm is installed.

    Raises:
        UserError: its commands are not found.
    """
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"hydra/launcher=slurm: {', '.join(missing)} not found on this machine. Give the "
            "command where jobs are submitted (a login node), or give hydra/launcher=local."
        )


def check_options(options: list[str]) -> None:
    """Let Slurm check the options of `sbatch` without submitting.

    Raises:
        UserError: Slurm refuses them, or does not answer; with its message.
    """
    test = ["sbatch", "--test-only", "--wrap=true", *options]
    try:
        ask(test, outside_of_job())
    except SlurmError as error:
        if NOT_NOW in str(error) and _nodes_are_away():
            log.warning("Slurm cannot run such jobs now: %s", error)
            return
        raise UserError(f"hydra/launcher=slurm: {error}") from error


def _nodes_are_away() -> bool:
    """Whether there are nodes that are down or drained, and may return."""
    try:
        return bool(ask(["sinfo", "--list-reasons", "--noheader"]).strip())
    except SlurmError:
        return True


def submit(options: list[str], script: Path, environment: dict[str, str]) -> str:
    """Submit a script.

    Args:
        options: of sbatch.
        script: of the job.
        environment: variables of the job beside this process's own variables.

    Returns:
        the job's id; of an array the id that its tasks share.

    Raises:
        SlurmError: Slurm refuses.
    """
    answer = ask(["sbatch", "--parsable", *options, str(script)], outside_of_job() | environment)
    return answer.strip().partition(";")[0]


def states(names: list[str]) -> dict[tuple[str, int], JobState]:
    """The states of arrays' jobs, by name and index; without those that Slurm has forgotten.

    Raises:
        SlurmError: Slurm does not answer.
    """
    form = "%j|%F|%K|%T|%r"
    own = ["--states=all", "--array", "--noheader", f"--format={form}"]
    found = {}
    for line in ask(["squeue", f"--name={','.join(names)}", *own]).splitlines():
        name, array, index, state, reason = line.strip().split("|", 4)
        if index.isdigit():
            found[name, int(index)] = JobState(f"{array}_{index}", state, reason)
    return found


def cancel(jobs: list[str]) -> None:
    """Cancel jobs.

    Raises:
        SlurmError: Slurm refuses.
    """
    ask(["scancel", *jobs])


def max_array_size() -> int:
    """The exclusive upper bound of an array's indices."""
    try:
        answer = ask(["scontrol", "show", "config"])
    except SlurmError:
        return MAX_ARRAY_SIZE
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
    return int(found[1]) if found else MAX_ARRAY_SIZE


def outside_of_job() -> dict[str, str]:
    """The environment without variables of the Slurm job that this process runs in, if any."""
    ours = ("SLURM_", "SRUN_", "PMI_", "PMIX_")  # SBATCH_ are the user's own settings
    return {k: v for k, v in os.environ.items() if k == "SLURM_CONF" or not k.startswith(ours)}
