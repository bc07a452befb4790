"""Submissions to Slurm: job arrays of a sweep's frozen jobs, their options, script and record."""

import shlex
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from sightline.cluster.launched import device_count, node_count
from sightline.config.job_words import job_words
from sightline.config.schema import TrainConfig
from sightline.config.validation import validate
from sightline.errors import DamagedError, UserError
from sightline.io.sealed import read_sealed, write_sealed
from sightline.sweeps.process import JOB_COMMAND
from sightline.sweeps.sweep import Sweep

SUBMISSIONS = "slurm.json"
# The training is a step of its own (`srun`), since Slurm's signals go to steps; the shell traps
# them. A preempted job is requeued by Slurm, one at its time limit by the training itself.
# Signals are ignored until the training has handlers.
SCRIPT = """\
#!/bin/bash
set -e
{setup}
set +e
case $SLURM_ARRAY_TASK_ID in
{cases}
esac
trap : TERM USR2
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
export OMP_NUM_THREADS=${{OMP_NUM_THREADS:-$SLURM_CPUS_PER_TASK}}
srun --kill-on-bad-exit=1 bash -c 'trap "" TERM USR2; exec "$@"' - {command} "$folder" {allowed} \\
  >>"$folder/output.log" 2>&1 &
training=$!
wait $training
while kill -0 $training 2>/dev/null; do wait $training; done  # a signal had ended the wait
wait $training
"""


class SlurmOptions(BaseModel):
    """The launcher's options (`hydra.launcher`); conf/hydra/launcher/slurm.yaml describes each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: str | None
    time_min: PositiveInt
    gpus: Annotated[int, Field(ge=0)]
    cpus: PositiveInt
    mem_gb: PositiveFloat | None
    n_jobs: PositiveInt | None
    save_s: PositiveInt
    setup: list[str]
    sbatch: dict[str, str | int | bool | None]


@dataclass(frozen=True)
class Submission:
    """One array of jobs.

    Attributes:
        name: of the jobs in Slurm; unique.
        first: number of the sweep's job at index 0 of the array.
        jobs: numbers of the sweep's jobs in it.
        id: Slurm's, shared by the array; None where the submitting process died before the answer.
    """

    name: str
    first: int
    jobs: list[int]
    id: str | None

    def slurm_id(self, number: int) -> str:
        """Slurm's id of one job."""
        return f"{self.id}_{number - self.first}"


def read_submissions(folder: Path) -> list[Submission]:
    """The submissions of a sweep, the oldest first; a DamagedError where their file is damaged."""
    path = folder / SUBMISSIONS
    try:
        found = read_sealed(path, whole="submissions")["submissions"]
        return [Submission(**each) for each in found]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError) as error:
        raise DamagedError(path, f"it holds no submissions ({error})") from error


def write_submissions(folder: Path, submissions: list[Submission]) -> None:
    """Write the submissions (`slurm.json`)."""
    facts = [asdict(each) for each in submissions]
    write_sealed(folder / SUBMISSIONS, {"submissions": facts})


def make_arrays(sweep: Sweep, numbers: list[int], gpus: int, limit: int) -> list[list[int]]:
    """The numbers of the jobs of each array: equal numbers of processes, indices below `limit`."""
    arrays: dict[tuple[int, int, int], list[int]] = {}
    for number in numbers:
        shape = processes(sweep.jobs[number].config, gpus)
        arrays.setdefault((number // limit, *shape), []).append(number)
    return list(arrays.values())


def new_submission(numbers: list[int], limit: int) -> Submission:
    """An array that is about to be submitted."""
    first = numbers[0] // limit * limit
    return Submission(f"sightline-{uuid.uuid4().hex[:10]}", first, numbers, None)


def processes(config: TrainConfig, gpus: int) -> tuple[int, int]:
    """The number of nodes of a job, and of its processes on each.

    Args:
        config: of the job.
        gpus: that it has on each node.

    Raises:
        UserError: more GPUs are requested than it has.
    """
    trainer = config.trainer
    count = device_count(trainer) or max(1, gpus)
    if trainer.get("accelerator") in ("gpu", "cuda") and count > gpus:
        raise UserError(
            f"trainer.devices={trainer.get('devices', 1)} on GPUs, but hydra.launcher.gpus={gpus}: "
            f"a job gets no more than it requests. Give hydra.launcher.gpus={count}."
        )
    return node_count(trainer), count


def checked_options(given: dict[str, Any]) -> SlurmOptions:
    """The launcher's options, checked.

    Raises:
        UserError: names each that is wrong.
    """
    plain = {key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
             for key, value in given.items()}  # fmt: skip
    return validate(SlurmOptions, plain, "hydra.launcher.")


def resource_options(options: SlurmOptions) -> list[str]:
    """The options of `sbatch` that are the same for all jobs."""
    given: dict[str, Any] = {
        "partition": options.partition,
        "cpus-per-task": options.cpus,
        "gres": f"gpu:{options.gpus}" if options.gpus else None,
        "mem": f"{options.mem_gb * 1024:.0f}M" if options.mem_gb else None,
        "time": options.time_min,
        "signal": f"USR2@{options.save_s}",
        "requeue": True,
        "open-mode": "append",  # a requeued job appends to its log
    }
    return [
        f"--{key}" if value is True else f"--{key}={value}"
        for key, value in (given | options.sbatch).items()
        if value is not None and value is not False
    ]


def array_options(sweep: Sweep, submission: Submission, options: SlurmOptions) -> list[str]:
    """All options of `sbatch` for one array."""
    nodes, tasks = processes(sweep.jobs[submission.jobs[0]].config, options.gpus)
    indices = ",".join(str(number - submission.first) for number in submission.jobs)
    return [
        *resource_options(options),
        f"--job-name={submission.name}",
        f"--comment={sweep.name}",
        f"--array={indices}" + (f"%{options.n_jobs}" if options.n_jobs else ""),
        f"--nodes={nodes}",
        f"--ntasks-per-node={tasks}",
        f"--output={str(sweep.folder).replace('%', '%%')}/slurm/%A_%a.out",
    ]


def write_script(sweep: Sweep, submission: Submission, setup: list[str]) -> Path:
    """Write the script of an array's jobs."""
    cases = [
        f"  {number - submission.first}) folder={shlex.quote(str(sweep.jobs[number].folder))} ;;"
        for number in submission.jobs
    ]
    command = shlex.join(JOB_COMMAND)
    allowed = job_words(sweep.jobs[number].config for number in submission.jobs)
    path = sweep.folder.path / "slurm" / f"{submission.name}.sh"
    path.parent.mkdir(exist_ok=True)
    text = SCRIPT.format(setup="\n".join(setup), cases="\n".join(cases), command=command,
                         allowed=shlex.join(allowed))  # fmt: skip
    path.write_text(text, encoding="utf-8")
    return path
