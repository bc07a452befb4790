"""Trials beside a training: a copy of its module, on a trainer that keeps and logs nothing."""

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.data.loading.datasets import Batch
from sightline.data.loading.loaders import as_it_is
from sightline.data.loading.size_schedule import size_schedule
from sightline.models.classifier import Classifier
from sightline.training.devices import uses_gpu
from sightline.training.epoch_sums import EpochSums
from sightline.training.module import LitClassifier
from sightline.training.param_groups import freeze
from sightline.training.train_step import train_step
from sightline.types import PreprocessSpec

# Arguments of Lightning that say how a step is computed.
OF_A_STEP = (
    "_target_", "accelerator", "devices", "gradient_clip_val", "gradient_clip_algorithm",
    "accumulate_grad_batches", "deterministic", "benchmark",
)  # fmt: skip
STEPS = 2  # the second one has the optimizer's state too

MakeModule = Callable[[TrainConfig, Classifier], LitClassifier]


@contextmanager
def trial_trainer(config: TrainConfig, precision: str, **own: Any) -> Iterator[Trainer]:
    """A trainer that computes a step as the training's; random numbers are left as they were.

    Args:
        config: of the training.
        precision: of the training.
        own: further arguments of Lightning.
    """
    node = {k: v for k, v in config.trainer_arguments.items() if k in OF_A_STEP}
    with tempfile.TemporaryDirectory() as folder, isolate_rng():
        silent = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar",
                                "enable_model_summary"), False)  # fmt: skip
        plain = {"precision": precision, "num_sanity_val_steps": 0, "default_root_dir": folder}
        node = {key: value for key, value in node.items() if key not in own}
        trainer = build(node, "trainer", config.plugins, silent | plain | own)
        assert isinstance(trainer, Trainer)
        yield trainer


class Trial(LightningModule):
    """The steps of a training without its schedule, sums and checks.

    Args:
        module: a copy that may be trained.
    """

    def __init__(self, module: LitClassifier) -> None:
        super().__init__()
        self.module = module

    def configure_optimizers(self) -> Optimizer:
        """The training's own, in training mode where it has one."""
        optimizer: Any = self.module.make_optimizer(self.module)
        if hasattr(optimizer, "train"):
            optimizer.train()
        assert isinstance(optimizer, Optimizer)
        return optimizer

    def on_train_start(self) -> None:
        """Move what the method owns."""
        for network in self.module.own_method.owned().values():
            network.to(self.device)
        self._sums = EpochSums(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of a batch."""
        tried = self.module
        step = (tried.label_mode, tried.classifier, batch, tried.criterion)
        return train_step(tried.own_method, *step, self._sums)


def copied(make: MakeModule, config: TrainConfig, classifier: Classifier) -> LitClassifier:
    """A module with parts of its own, in the state of this classifier."""
    module = make(config, copy.deepcopy(classifier))
    freeze(module, config.optimizer_common)
    return module


def train_on(
    make: MakeModule, config: TrainConfig, classifier: Classifier, precision: str, size: int
) -> None:
    """Train a copy on batches of so many random images.

    Raises:
        RuntimeError: the device has not enough memory.
    """
    with trial_trainer(config, precision, max_steps=STEPS, limit_val_batches=0,
                       accumulate_grad_batches=1) as trainer:  # fmt: skip
        module = copied(make, config, classifier)
        batch = _random_batch(size, config, classifier.preprocess, module)
        loader = DataLoader(
            cast(Dataset[Batch], [batch] * STEPS), batch_size=None, collate_fn=as_it_is
        )
        trainer.fit(Trial(module), train_dataloaders=loader)


def training_device(config: TrainConfig) -> torch.device:
    """Where the training computes."""
    if not uses_gpu(config.trainer):
        return torch.device("cpu")
    devices = config.trainer.get("devices")
    return torch.device("cuda", int(devices[0]) if isinstance(devices, list) else 0)


def _random_batch(
    size: int, config: TrainConfig, spec: PreprocessSpec, module: LitClassifier
) -> Batch:
    """Images as large as any of the training; targets of one kind."""
    schedule = size_schedule(config)
    sizes = [spec.size, *(each for _, each in schedule.steps)] if schedule else [spec.size]
    height, width = max(sizes, key=lambda each: each[0] * each[1])
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(
        256, (size, spec.in_chans, height, width), generator=draw, dtype=torch.uint8
    )
    mode = module.label_mode
    target = mode.decide(mode.probs(torch.zeros(size, mode.num_outputs)))
    return {"image": images, "target": target, "index": torch.arange(size)}
