"""The loss and the learning rate of single steps, as they are logged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer

from sightline.tracking.tracker import Tracker
from sightline.training.logging.steps import StepLogger
from sightline.training.module import LitClassifier


class Recorder:
    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.points.append((step, metrics))


def test_each_third_step_and_the_last_are_logged_once_also_with_accumulation() -> None:
    recorder = Recorder()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    trainer = SimpleNamespace(
        global_step=0, optimizers=[optimizer], accumulate_grad_batches=2, num_training_batches=15
    )
    log = StepLogger(cast(Tracker, recorder), every=3, monitor="val/loss")
    for batch in range(15):  # of two batches a step, the last one of one, whose loss is doubled
        trainer.global_step = (batch + 1) // 2 + (batch == 14)
        outputs: Any = {"loss": torch.tensor(float(batch) * (2 if batch == 14 else 1))}
        log.on_train_batch_end(
            cast(Trainer, trainer), cast(LightningModule, None), outputs, None, batch
        )
    assert [step for step, _ in recorder.points] == [3, 6, 8]  # and the epoch's last
    assert [point["step/loss"] for _, point in recorder.points] == [5, 11, 14]
    assert recorder.points[0][1]["step/lr"] == pytest.approx(0.5)


@pytest.mark.parametrize("monitor", ["val/loss", "val/accuracy"])
def test_the_monitor_stands_beside_the_loss_of_steps(monitor: str) -> None:
    recorder, module = Recorder(), Mock(spec=LitClassifier)
    module.epoch_metrics = {"train/loss": 2.0, "val/loss": 0.25}
    log = StepLogger(cast(Tracker, recorder), every=3, monitor=monitor)
    log.on_train_epoch_end(cast(Trainer, SimpleNamespace(global_step=7)), module)
    assert recorder.points == ([(7, {"step/val_loss": 0.25})] if monitor == "val/loss" else [])
