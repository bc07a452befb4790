"""Supervised training: the loss of the classifier's logits."""

from sightline.data.loading.datasets import Batch
from sightline.models.classifier import Classifier
from sightline.training.methods.base import Criterion, Method, StepOutput


class Supervised(Method):
    """The criterion of the logits and the targets, and nothing else."""

    takes_features = True

    def step(self, classifier: Classifier, batch: Batch, criterion: Criterion) -> StepOutput:
        """The plain loss."""
        logits = classifier(batch["image"])
        return StepOutput(criterion(logits, batch["target"]), logits)
