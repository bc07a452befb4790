"""AutoTimm: its classifier, data module and trainer, with its search for a learning rate off."""

import torch
from autotimm import AutoTrainer, ImageClassifier, ImageDataModule, MetricConfig
from autotimm.core.backbone import BackboneConfig

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.folders import make_steps
from benchmarks.bench_peers.lightning_clock import ClockCallback
from benchmarks.bench_peers.task import BATCH, CLASSES, LR, SIDE, WEIGHT_DECAY, Task
from benchmarks.bench_peers.timm_network import NAME, register_network

ROWS = {"autotimm": "AutoTimm, not compiled"}
PACKAGES = ("autotimm", "timm", "pytorch_lightning")


def train(task: Task, clock: Clock) -> float:
    """Train and validate; the val accuracy after the last epoch."""
    register_network()
    torch.manual_seed(0)
    data = ImageDataModule(
        task.images, image_size=SIDE, batch_size=BATCH,
        train_transforms=make_steps("train"), eval_transforms=make_steps("val"),
    )  # fmt: skip
    accuracy = MetricConfig(
        "accuracy", "torchmetrics", "Accuracy", {"task": "multiclass"}, ["train", "val"],
        prog_bar=True,
    )  # fmt: skip
    # Compiling takes longer than five epochs of this network, and makes it slower on a CPU.
    model = ImageClassifier(
        BackboneConfig(NAME, pretrained=False), CLASSES, metrics=[accuracy], lr=LR,
        weight_decay=WEIGHT_DECAY, scheduler=None, compile_model=False, seed=0, deterministic=False,
    )  # fmt: skip
    trainer = AutoTrainer(
        max_epochs=task.epochs, tuner_config=False, callbacks=[ClockCallback(clock)]
    )
    trainer.fit(model, datamodule=data)
    return float(trainer.callback_metrics["val/accuracy"])
