"""Cross-entropy of outputs that compete, its mean weighted by the classes."""

from torch import Tensor, nn


class SoftmaxCrossEntropy(nn.CrossEntropyLoss):
    """torch's cross-entropy of class indices (B,) or shares (B, C): a mean in both forms.

    The mean is the sum of weighted losses over the sum of the targets' weights. torch divides so
    for class indices, but for shares by the number of samples: there, weights of 10 for all classes
    would make the loss of mixed images ten times as large.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The weighted mean over samples."""
        loss: Tensor = super().forward(logits, target)
        if self.weight is None or target.ndim == 1:
            return loss
        return loss * len(target) / self.weight_of(target)

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: of each sample's class weight, a scalar."""
        if self.weight is None:
            return target.new_tensor(len(target))
        return (self.weight[target] if target.ndim == 1 else target @ self.weight).sum()
