"""Lightning's internals: everything that is used here and is not in its documented interface.

Each function or class has a test that fails when a release of Lightning changes what it relies on
(tests/training/test_lightning_compat.py); pyproject.toml states the releases that were tried.
"""

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from sightline.errors import UserError

Counters = dict[str, Any]


def disable_signal_handlers(trainer: Trainer) -> None:
    """Leave signals to Sightline.

    Lightning's own handlers end a run with status 0, requeue Slurm jobs, and communicate with
    other ranks inside a signal handler.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


def start_ranks_with(trainer: Trainer, start: Callable[[Iterable[int]], None]) -> None:
    """Let `start` start further ranks on this machine, and watch them, in place of Lightning.

    Args:
        trainer: of the training.
        start: takes their local ranks.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        launcher._call_children_scripts = lambda: _start_ranks(launcher, start)  # type: ignore[method-assign]


def _start_ranks(
    launcher: _SubprocessScriptLauncher, start: Callable[[Iterable[int]], None]
) -> None:
    launcher._check_can_spawn_children()
    cluster = launcher.cluster_environment
    os.environ |= {  # as Lightning does: this process's own rank reads them too
        "MASTER_ADDR": cluster.main_address,
        "MASTER_PORT": str(cluster.main_port),
        "NODE_RANK": str(cluster.node_rank()),
        "LOCAL_RANK": str(cluster.local_rank()),
        "WORLD_SIZE": str(launcher.num_processes * launcher.num_nodes),
    }
    start(range(1, launcher.num_processes))


def stopped_early(trainer: Trainer) -> bool:
    """Whether something asked the training to stop, and it is allowed to."""
    return trainer.should_stop and trainer.fit_loop._can_stop_early


def accumulation_scale(trainer: Trainer, batch_idx: int) -> float:
    """The factor that makes a batch's loss a part of the mean over its group of batches.

    Lightning divides every loss by `accumulate_grad_batches`, also where the epoch's last group has
    fewer batches than that. 1 for every other group.
    """
    size = trainer.accumulate_grad_batches
    return size / min(size, trainer.num_training_batches - (batch_idx - batch_idx % size))


def last_step_of(trainer: Trainer) -> int:
    """How many optimizer steps the training takes, if nothing stops it early.

    Raises:
        UserError: no option says so.
    """
    steps = trainer.estimated_stepping_batches
    if steps == float("inf"):
        raise UserError(
            "trainer.max_epochs=-1: the training has no last step, which schedules of learning "
            "rates need; give +trainer.max_steps=NUMBER too, or a large trainer.max_epochs. "
            "+trainer.max_time and early stopping can end it sooner."
        )
    return int(steps)


def steps_per_epoch_of(trainer: Trainer, total_steps: int) -> int:
    """How many optimizer steps an epoch has; of a stream of unknown length, an even share.

    Args:
        trainer: whose data is set up, as `last_step_of` does.
        total_steps: of the training.
    """
    batches = trainer.num_training_batches
    if batches == float("inf"):
        return max(1, round(total_steps / max(1, trainer.max_epochs or 1)))
    return max(1, math.ceil(batches / trainer.accumulate_grad_batches))


def progress_in(trainer: Trainer) -> dict[str, int]:
    """The progress of a training: the epoch, and the number of its completed batches."""
    epochs: Any = trainer.fit_loop.epoch_progress.current
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    begun = epochs.started > epochs.processed
    return {"epoch": epochs.processed, "batches": batches if begun else 0}


def finished_epochs(trainer: Trainer) -> int:
    """How many epochs are complete."""
    return progress_in(trainer)["epoch"]


def finished_epochs_of(checkpoint: Counters) -> int:
    """How many epochs a checkpoint has completed."""
    return int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])


def set_resume_point(checkpoint: Counters, global_step: int, before_validation: bool) -> None:
    """Set a checkpoint's counters to where the run resumes, in place.

    Inside a hook Lightning's own counters are between two states, and only for some hooks does it
    find out where it was.

    Args:
        checkpoint: about to be written.
        global_step: optimizer steps done.
        before_validation: whether it resumes with the validation, not with a training batch.
    """
    fit: Counters = checkpoint["loops"]["fit_loop"]
    epochs, batches = fit["epoch_progress"], fit["epoch_loop.batch_progress"]
    if epochs["current"]["processed"] == epochs["current"]["started"]:  # the epoch is done
        for count in ("total", "current"):
            epochs[count]["completed"] = epochs[count]["processed"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
    for count in ("total", "current"):
        batches[count] = dict.fromkeys(batches[count], batches[count]["completed"])
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] = global_step
    batches["is_last_batch"] = before_validation and batches["is_last_batch"]
    started = int(before_validation)  # a validation that began is started again
    fit["epoch_loop.val_loop.batch_progress"] = {
        "total": {"ready": started, "started": started, "processed": 0, "completed": 0},
        "current": {"ready": 0, "started": 0, "processed": 0, "completed": 0},
        "is_last_batch": False,
    }


def rescale_batches(checkpoint: Counters, before: int, world: int) -> int:
    """Count an epoch's batches in those of another number of processes, in place.

    Args:
        checkpoint: as it was saved.
        before: processes that saved it.
        world: processes that resume.

    Returns:
        Batches of this epoch that are done.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    done = int(progress["current"]["completed"] * before // world)
    progress["current"] = dict.fromkeys(progress["current"], done)
    return done


def remake_train_loader(trainer: Trainer) -> None:
    """Have the training's loader made again, which was made before a checkpoint was loaded."""
    trainer.fit_loop._combined_loader = None


class MovableCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint that knows its best score also where the run's folder was moved."""

    def load_state_dict(self, state_dict: Counters) -> None:
        """Restore what is best so far."""
        before, now = str(state_dict["dirpath"]), str(self.dirpath)

        def here(path: str) -> str:
            return path.replace(before, now, 1)

        super().load_state_dict(state_dict | {
            "dirpath": self.dirpath,
            "best_model_path": here(state_dict["best_model_path"]),
            "kth_best_model_path": here(state_dict["kth_best_model_path"]),
            "best_k_models": {here(k): v for k, v in state_dict["best_k_models"].items()},
        })  # fmt: skip
        self.current_score = state_dict["current_score"]


class ObservableAverage(WeightAveraging):
    """A WeightAveraging that tells whether the average is in the module, and can be dropped."""

    average_is_in_module = False

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self.average_is_in_module = not self.average_is_in_module

    def drop_average(self) -> None:
        """Leave the module as it is from here on."""
        self._average_model = None
