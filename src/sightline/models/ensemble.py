"""Ensemble: several networks that take the same images, and the mean of what they say."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.types import PreprocessSpec

TARGET = "sightline.models.ensemble.Ensemble"


class Ensemble(nn.Module):
    """The weighted mean of several networks (Lakshminarayanan et al. 2017), as logits.

    Args:
        members: each from normalised images to logits (B, num_outputs).
        weights: of each, summing to 1.
        how: probs, the mean of probabilities; or logits.
        exclusive: whether the outputs compete (softmax), else each is yes or no.
        preprocess: the mean and deviation that images are normalised by.
        own: the same of each member, where they are others.
    """

    def __init__(
        self, members: Sequence[nn.Module], weights: Sequence[float], how: str, exclusive: bool,
        preprocess: PreprocessSpec, own: Sequence[PreprocessSpec],
    ) -> None:  # fmt: skip
        super().__init__()
        self.members = nn.ModuleList(members)
        self.how, self.exclusive = how, exclusive
        self.register_buffer("weights", torch.tensor(list(weights)), persistent=False)
        std, mean = torch.tensor(preprocess.std), torch.tensor(preprocess.mean)
        for place, spec in enumerate(own):
            other_std, other_mean = torch.tensor(spec.std), torch.tensor(spec.mean)
            shape = (1, -1, 1, 1)
            self.register_buffer(f"scale{place}", (std / other_std).view(shape), persistent=False)
            shift = (mean - other_mean) / other_std
            self.register_buffer(f"shift{place}", shift.view(shape), persistent=False)

    def member_logits(self, image: Tensor) -> Tensor:
        """Logits of each member, shape (M, B, num_outputs), of normalised images (B, C, H, W)."""
        found = []
        for place, member in enumerate(self.members):
            scale, shift = getattr(self, f"scale{place}"), getattr(self, f"shift{place}")
            found.append(member(image * scale + shift))
        return torch.stack(found)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_outputs) whose probabilities are the mean."""
        logits = self.member_logits(image)
        weights = self.get_buffer("weights").to(logits.dtype).view(-1, 1, 1)
        if self.how == "logits":
            return (logits * weights).sum(dim=0)
        if self.exclusive:
            return (logits.log_softmax(dim=-1) + weights.log()).logsumexp(dim=0)
        yes, no = (
            (nn.functional.logsigmoid(each) + weights.log()).logsumexp(dim=0)
            for each in (logits, -logits)
        )
        return yes - no
