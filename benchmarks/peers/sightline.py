"""Sightline as it is installed: `sightline train` with its report, tracking and decoded cache."""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.lightning_clock import ClockCallback
from benchmarks.bench_peers.task import BATCH, FLIP, LR, WEIGHT_DECAY, Task
from sightline.cli import main

ROWS = {
    "sightline": "**Sightline**, as installed (32 bit)",
    "sightline_auto": "**Sightline**, `trainer.precision=auto`",
}
PACKAGES = ("sightline", "pytorch_lightning", "mlflow")

TIMES, ACCURACY = Path("times.json"), Path("val_accuracy.txt")  # in the working folder


class WrittenTimes(ClockCallback):
    """Times and val accuracy of a training that a command runs, in files.

    Args:
        started: when the process was started, in seconds since 1970.
    """

    def __init__(self, started: float) -> None:
        super().__init__(Clock(started))

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write both."""
        ACCURACY.write_text(str(pl_module.epoch_metrics["val/accuracy"]))
        self.clock.write(TIMES)


def train(task: Task, clock: Clock) -> float:
    """Run the command; the val accuracy after the last epoch."""
    sys.argv = ["sightline", "train", *overrides(task)]
    status = main()
    if status:
        sys.exit(status)
    clock.read(TIMES)
    return float(ACCURACY.read_text())


def overrides(task: Task) -> list[str]:
    """The task in Sightline's words; what it does not name stays as it is installed."""
    flip = f"RandomHorizontalFlip,p:{FLIP}"
    return [
        "data=folder", f"data.root={task.images}", f"data.batch_size={BATCH}",
        "evaluate_test=false", "model=cnn", "augment=none",
        f"augment.transforms=[{{_target_:torchvision.transforms.v2.{flip}}}]",
        f"augment.batch_transforms=[{{_target_:kornia.augmentation.{flip}}}]",
        f"optimizer.lr={LR}", f"optimizer.weight_decay={WEIGHT_DECAY}", "scheduler=constant",
        f"trainer.max_epochs={task.epochs}", "plugins=[benchmarks]",
        f"callbacks=[{{_target_:benchmarks.peers.sightline.WrittenTimes,started:{task.started}}}]",
        *(["trainer.precision=auto"] if task.row == "sightline_auto" else []),
    ]  # fmt: skip
