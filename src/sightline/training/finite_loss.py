"""The check that a training's loss is finite, which names the step where it is not."""

import math

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from sightline.errors import UserError
from sightline.training.param_groups import base_lr

CHECK_EVERY_STEPS = 50  # how often a GPU is waited for


class FiniteLoss:
    """Stops at a non-finite loss; on a GPU its step is noted there, and read now and then.

    Args:
        device: of the loss.
    """

    def __init__(self, device: torch.device) -> None:
        self._first_bad_step = torch.full((), -1, dtype=torch.int64, device=device)

    def reset(self) -> None:
        """Start an epoch."""
        self._first_bad_step.fill_(-1)

    def check(self, module: LightningModule, loss: Tensor) -> None:
        """Check the loss of the present step.

        Raises:
            UserError: the loss was not finite; names its step, epoch and learning rate.
        """
        step = module.global_step
        if loss.device.type == "cpu":
            if not math.isfinite(loss.item()):
                _refuse(module, step)
            return
        bad = ~torch.isfinite(loss) & (self._first_bad_step < 0)
        self._first_bad_step = torch.where(bad, step, self._first_bad_step)
        if (step + 1) % CHECK_EVERY_STEPS == 0:
            self.read(module)

    def read(self, module: LightningModule) -> None:
        """Wait for the device and check all steps so far.

        Raises:
            UserError: as `check`.
        """
        step = int(self._first_bad_step)
        if step >= 0:
            _refuse(module, step)


def _refuse(module: LightningModule, step: int) -> None:
    optimizer = module.optimizers(use_pl_optimizer=False)
    assert isinstance(optimizer, Optimizer)
    schedule = module.lr_schedulers()
    lr = base_lr(optimizer)
    if step != module.global_step and isinstance(schedule, LambdaLR):  # noticed later
        lr = base_lr(optimizer, "initial_lr") * schedule.lr_lambdas[0](step)
    raise UserError(
        f"The training loss is not finite at step {step} (epoch {module.current_epoch}, learning "
        f"rate {lr:.3g}). Try a smaller optimizer.lr, a longer scheduler.warmup_epochs, "
        "trainer.gradient_clip_val=1.0 or trainer.precision=32-true."
    )
