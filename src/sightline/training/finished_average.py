"""The end of a training with an equal average: its statistics, and its place in the checkpoint."""

from collections.abc import Iterator

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from sightline.inference.device import computing
from sightline.models.classifier import Classifier
from sightline.runs.folder import RunFolder
from sightline.training.checkpointing.files import AtomicCheckpointIO
from sightline.training.setup import Setup
from sightline.training.stochastic_average import KEY


def finish_average(trainer: Trainer, setup: Setup, folder: RunFolder) -> None:
    """Put the average of the last checkpoint into the best one, which is what a run results in.

    The best checkpoint keeps the best trained weights beside it. Repeated, it does the same.

    Args:
        trainer: of the training, which is over.
        setup: of it.
        folder: the run's own.
    """
    last = torch.load(folder.last, map_location="cpu", weights_only=True)
    if KEY not in last:  # it stopped before the first epoch that counts
        return
    module, device = setup.module, trainer.strategy.root_device
    prefix = "module."
    module.load_state_dict(
        {k.removeprefix(prefix): v for k, v in last[KEY].items() if k.startswith(prefix)}
    )
    module.to(device)
    with computing(device, setup.speed.precision):
        recompute_statistics(module.classifier, _training_images(setup, device))
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        best = torch.load(folder.best, map_location="cpu", weights_only=True)
        best.setdefault("current_model_state", best["state_dict"])
        best["state_dict"] = {k: v.cpu() for k, v in module.state_dict().items()}
        AtomicCheckpointIO(False, folder.check_held).save_checkpoint(best, folder.best)
    trainer.strategy.barrier()


def recompute_statistics(classifier: Classifier, images: Iterator[Tensor]) -> None:
    """Set the running statistics of batch normalisation to the means over images, as torch does.

    Those that a model keeps in evaluation mode, of a frozen backbone, stay as they are.

    Args:
        classifier: with another average's weights.
        images: in batches, uint8 (B, C, H, W).
    """
    kinds = [each for each in classifier.modules() if isinstance(each, _BatchNorm)]
    before = [{name: t.clone() for name, t in each.named_buffers()} for each in kinds]
    update_bn(images, classifier)
    for each, kept in zip(kinds, before, strict=True):
        if each.num_batches_tracked is not None and int(each.num_batches_tracked) == 0:
            each.load_state_dict(kept | dict(_parameters(each)))


def _parameters(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, parameter.detach()) for name, parameter in module.named_parameters())


def _training_images(setup: Setup, device: torch.device) -> Iterator[Tensor]:
    """All training images in batches, as an evaluation sees them."""
    for batch in setup.datamodule.train_images(device):
        if len(batch["image"]) > 1 or not setup.module.classifier.one_value:
            yield batch["image"].to(device)
