"""A checkpoint adapted to another number of epochs or of processes."""

import logging
from typing import Any

from pytorch_lightning import LightningModule
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from sightline.training.lightning_compat import rescale_batches
from sightline.training.param_groups import base_lr

log = logging.getLogger(__name__)

# The training's length in the state of torch's schedulers; the new one's own is right.
LENGTH = ("total_steps", "_schedule_phases")


def adapt_checkpoint(checkpoint: dict[str, Any], max_epochs: int | None, world: int) -> bool:
    """Make a checkpoint fit, in place; whether its schedule of learning rates changed.

    With another number of processes an epoch has another number of batches: progress is kept in
    samples.

    Args:
        checkpoint: as it was saved.
        max_epochs: of the resumed training.
        world: its processes.
    """
    before: int = len(checkpoint["epoch_so_far"]["values"])
    epochs_before = checkpoint["sightline"]["config"]["trainer"].get("max_epochs")
    if before == world and epochs_before == max_epochs:
        return False
    for state in checkpoint["lr_schedulers"]:
        for key in LENGTH:
            state.pop(key, None)
        state["last_epoch"] = state["last_epoch"] * before // world
    if before != world:
        log.warning(
            "The training resumes with %d process(es), before it were %d: a step takes %g times as "
            "many images, so the result is not that of the training without an interruption.",
            world, before, world / before,
        )  # fmt: skip
        checkpoint["ImageDataModule"]["batches"] = rescale_batches(checkpoint, before, world)
    return True


def follow_schedule(module: LightningModule) -> None:
    """Set the learning rate of the new schedule at once, not one step later."""
    optimizer, scheduler = module.optimizers(use_pl_optimizer=False), module.lr_schedulers()
    assert isinstance(optimizer, Optimizer)
    if not isinstance(scheduler, LambdaLR):
        return
    before = base_lr(optimizer)
    for group, base, factor in zip(
        optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = base * factor(scheduler.last_epoch)
    log.info(
        "The schedule is that of the new length from here on: the learning rate goes from %.3g "
        "to %.3g.", before, base_lr(optimizer),
    )  # fmt: skip
