"""The processes that a launcher started, compared with those that a training needs."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightline.cluster.ranks import rank
from sightline.errors import UserError, counted


@dataclass(frozen=True)
class Launched:
    """What a launcher started.

    Attributes:
        by: the launcher, as its command is called.
        processes: of all machines.
        nodes: machines.
    """

    by: str
    processes: int
    nodes: int


def node_count(trainer: Mapping[str, Any]) -> int:
    """The machines that a trainer config is for."""
    return int(trainer.get("num_nodes", 1))


def device_count(trainer: Mapping[str, Any]) -> int | None:
    """The processes of a trainer config on each machine; None: one for each GPU there."""
    devices = trainer.get("devices", 1)
    if isinstance(devices, list):
        return len(devices)
    listed = [part for part in str(devices).split(",") if part.strip()]
    if len(listed) > 1 or str(devices).endswith(","):
        return len(listed)
    if str(devices).isdigit() and int(devices) > 0:
        return int(devices)
    return 1 if trainer.get("accelerator") == "cpu" else None


def check_launched(trainer: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Refuse a launch whose ranks would wait for others that nobody starts, or train apart.

    Args:
        trainer: the config.
        environment: variables of this process, in which launchers state what they started.

    Raises:
        UserError: in rank 0; names both counts, and the options that make them equal.
        SystemExit: in further ranks, which say nothing.
    """
    problem = _problem(trainer, environment)
    if problem and rank() > 0:
        sys.exit(1)
    if problem:
        raise UserError(problem)


def _problem(trainer: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    nodes, devices = node_count(trainer), device_count(trainer)
    tasks = _tasks(environment)
    started = _launched(environment, tasks)
    if started is None and tasks > 1:
        return (
            f"The Slurm job has {tasks} tasks, and this command is none of them: it would wait for "
            "the others for ever. Put srun before it, or request --ntasks=1."
        )
    if started is None:
        alone = nodes > 1 and "JSM_NAMESPACE_SIZE" not in environment  # LSF's jsrun states no more
        return _nobody_starts(nodes) if alone else ""
    if started.by == "srun" and tasks > 1 and "SLURM_NTASKS_PER_NODE" not in environment:
        return (
            f"srun started {tasks} tasks and does not say how many share a machine: give "
            f"--ntasks-per-node={max(1, tasks // started.nodes)} in place of --ntasks."
        )
    wanted = started.processes if devices is None else nodes * devices
    if (started.processes, started.nodes) == (wanted, nodes):
        return ""
    return _differ(started, wanted, nodes)


def _tasks(environment: Mapping[str, str]) -> int:
    """Tasks of this Slurm job or step; 0 outside of one, and in a shell that Slurm opened."""
    if environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return 0
    tasks = environment.get("SLURM_NTASKS", "")
    return int(tasks) if tasks.isdigit() else 0


def _launched(environment: Mapping[str, str], tasks: int) -> Launched | None:
    if "TORCHELASTIC_RUN_ID" in environment:
        world, local = (int(environment[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        return Launched("torchrun", world, world // local)
    if tasks and "SLURM_STEP_ID" in environment:
        return Launched("srun", tasks, int(environment.get("SLURM_NNODES", "1")))
    return None


def _nobody_starts(nodes: int) -> str:
    return (
        f"trainer.num_nodes={nodes}: this command alone starts no process on another machine. Give "
        f"it to srun or torchrun with --nodes={nodes} or --nnodes={nodes}, or to Slurm by "
        "-m hydra/launcher=slurm."
    )


def _differ(started: Launched, wanted: int, nodes: int) -> str:
    per_node = max(1, started.processes // started.nodes)
    return (
        f"{started.by} started {_in_words(started.processes, started.nodes)}, but trainer.devices "
        f"and trainer.num_nodes are for {_in_words(wanted, nodes)}. Give trainer=ddp "
        f"trainer.devices={per_node} trainer.num_nodes={started.nodes}, or start as many."
    )


def _in_words(processes: int, nodes: int) -> str:
    return f"{counted(processes, 'process', 'processes')} on {counted(nodes, 'machine')}"
