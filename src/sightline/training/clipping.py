"""Adaptive gradient clipping (Brock et al. 2021), timm's."""

from pytorch_lightning import Callback, LightningModule, Trainer
from timm.models import model_parameters
from timm.utils.agc import adaptive_clip_grad
from torch.optim import Optimizer

from sightline.training.param_groups import NETWORK


class AdaptiveClipping(Callback):
    """Clips each unit's gradient to a share of the unit's weights; the head's is left alone.

    Args:
        factor: largest ratio of the gradient's norm to the weights'.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Clip, after mixed precision has unscaled the gradients."""
        network = pl_module.get_submodule(NETWORK)
        adaptive_clip_grad(model_parameters(network, exclude_head=True), self.factor)
