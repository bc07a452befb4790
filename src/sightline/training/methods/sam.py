"""Sharpness-aware minimisation (Foret et al. 2021)."""

from collections.abc import Mapping

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.func import functional_call

from sightline.config.validation import Node
from sightline.data.loading.datasets import Batch
from sightline.models.classifier import Classifier
from sightline.training.methods.base import Criterion, Method, StepOutput


class Sam(Method):
    """The gradient at the worst point near the weights, two passes a step.

    The weights themselves are not changed: the second pass runs with sums of weights and a step of
    length `rho` along the gradient. Statistics of batch normalisation follow the first pass alone.
    Several processes take the step along their own part's gradient.

    Args:
        rho: length of the step, over all parameters that learn.
    """

    takes_features = True

    def __init__(self, rho: PositiveFloat) -> None:
        self.rho = rho

    @classmethod
    def excludes(cls, node: Node) -> Mapping[str, str]:
        """The second pass has weights that are there no more in the backward pass."""
        why = "method=sam runs the network with other weights than its own"
        return {"model.grad_checkpointing": f"{why}, with which nothing can be computed anew"}

    def step(self, classifier: Classifier, batch: Batch, criterion: Criterion) -> StepOutput:
        """The loss there, whose gradient is taken; the loss at the weights themselves is logged."""
        image, target = batch["image"], batch["target"]
        learn = {name: p for name, p in classifier.named_parameters() if p.requires_grad}
        logits = classifier(image)
        loss = criterion(logits, target)
        gradients = torch.autograd.grad(loss, list(learn.values()), allow_unused=True)
        there = self._there(learn, gradients)
        there |= {name: buffer.clone() for name, buffer in classifier.named_buffers()}
        second = criterion(functional_call(classifier, there, (image,)), target)
        return StepOutput(second, logits.detach(), {"loss_before_ascent": loss.detach()})

    def _there(
        self, learn: dict[str, torch.nn.Parameter], gradients: tuple[Tensor | None, ...]
    ) -> dict[str, Tensor]:
        """The parameters a step up, as functions of the parameters."""
        known = [gradient for gradient in gradients if gradient is not None]
        norm = torch.linalg.vector_norm(torch.stack([each.norm() for each in known]))
        scale = self.rho / (norm + 1e-12)
        return {
            name: parameter if gradient is None else parameter + gradient * scale
            for (name, parameter), gradient in zip(learn.items(), gradients, strict=True)
        }
