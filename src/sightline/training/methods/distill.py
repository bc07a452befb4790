"""Knowledge distillation from a teacher: by its logits, its features or its decisions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from sightline.config.decided import TEACHER
from sightline.config.influence import TEACHER_RUN
from sightline.config.validation import Node
from sightline.data.loading.datasets import Batch
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.models.classifier import Classifier
from sightline.training.methods.base import Criterion, Method, StepOutput
from sightline.training.methods.teacher import Teachers

Kind = Literal["logits", "features", "token"]


class Distill(Method):
    """A loss of the labels and one of a teacher, which sees the same images.

    The teacher's part is, by kind: the divergence of the teacher's from the student's outputs, both
    at a temperature, times its square; the mean squared error of projected features; or the
    cross-entropy of the second head's logits and the teacher's decisions.

    Args:
        classifier: the student.
        label_mode: of the data.
        teachers: finds and loads the teacher.
        teacher: a run, or timm's name.
        kind, weight, temperature: see `conf/method/distill.yaml`.

    Raises:
        UserError: there is no such teacher, its classes are others, or the student is of no such
            kind.
    """

    def __init__(
        self, classifier: Classifier, label_mode: LabelMode, teachers: Teachers, teacher: str,
        kind: Kind, weight: Annotated[float, Field(gt=0, le=1)], temperature: PositiveFloat,
    ) -> None:  # fmt: skip
        check_student(kind, classifier.network)
        self.label_mode = label_mode
        self.kind, self.weight, self.temperature = kind, weight, temperature
        outputs = None if kind == "features" else label_mode
        self.teacher = teachers.load(teacher, classifier.preprocess, outputs)
        self.plain = label_mode.criterion(None, 0.0)
        self.projection: nn.Module | None = None
        if kind == "features":
            with torch.random.fork_rng(devices=[]):
                self.projection = nn.Linear(
                    _width(classifier), _width(self.teacher.classifier)
                )  # fmt: skip
        if kind == "token":
            network: Any = classifier.network
            network.set_distilled_training(True)

    @classmethod
    def excludes(cls, node: Node) -> Mapping[str, str]:
        """What reaches inside the network, or leaves nothing to learn."""
        if node.get("kind") != "features":
            return {}
        return {
            "model.compile": "method.kind=features runs the parts of the network one by one",
            "model.freeze_backbone": "the features, which method.kind=features is about, are fixed",
        }

    def trained(self) -> Mapping[str, nn.Module]:
        """The projection."""
        return {} if self.projection is None else {"projection": self.projection}

    def owned(self) -> Mapping[str, nn.Module]:
        """The teacher."""
        return {"teacher": self.teacher.classifier}

    def facts(self) -> Mapping[str, str]:
        """The teacher's weights, by which runs differ, and its run, where it is found."""
        run = {} if self.teacher.run_id is None else {TEACHER_RUN: self.teacher.run_id}
        return {TEACHER: self.teacher.digest, **run}

    def step(self, classifier: Classifier, batch: Batch, criterion: Criterion) -> StepOutput:
        """The weighted sum of both parts."""
        image = batch["image"]
        logits, taught = self._parts(classifier, image)
        label = criterion(logits, batch["target"])
        loss = (1 - self.weight) * label + self.weight * taught
        return StepOutput(loss, logits, {"label_loss": label.detach(), "teacher_loss": taught})

    def _parts(self, classifier: Classifier, image: Tensor) -> tuple[Tensor, Tensor]:
        """The student's logits, and the teacher's part of the loss."""
        if self.kind == "features":
            logits, features = _logits_and_features(classifier, image)
            assert self.projection is not None
            return logits, mse_loss(self.projection(features), self.teacher.features(image))
        guide = self.teacher.logits(image)
        if self.kind == "logits":
            logits = classifier(image)
            return logits, self._divergence(logits, guide)
        # Of a distilled model in training: one for each head.
        logits, second = classifier(image)
        decided = self.label_mode.decide(self.label_mode.probs(guide))
        return logits, self._cross_entropy(second, decided)

    def _divergence(self, logits: Tensor, guide: Tensor) -> Tensor:
        """Kullback and Leibler's, as cross-entropy less entropy; in every label mode."""
        probs = self.label_mode.probs(guide / self.temperature)
        entropy = self._cross_entropy(guide / self.temperature, probs)
        crossed = self._cross_entropy(logits / self.temperature, probs)
        return (crossed - entropy) * self.temperature**2

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        loss: Tensor = self.plain(*self.label_mode.loss_inputs(logits.float(), target))
        return loss


def check_student(kind: Kind, network: nn.Module) -> None:
    """Refuse a network that cannot learn so.

    Raises:
        UserError: it has no second head, or no access to its features.
    """
    name = type(network).__name__
    if kind == "token" and not hasattr(network, "set_distilled_training"):
        raise UserError(
            f"method.kind=token: {name} has no second head for the teacher's decisions. Use a "
            "distilled model (model.name=deit_tiny_distilled_patch16_224), or method.kind=logits."
        )
    parts = ("forward_features", "forward_head")
    if kind == "features" and not all(hasattr(network, part) for part in parts):
        raise UserError(
            f"method.kind=features: {name} has no methods forward_features and forward_head, as "
            "timm's models have. Use method.kind=logits."
        )


def _width(classifier: Classifier) -> int:
    """How many features the classifier's head takes."""
    spec, training = classifier.preprocess, classifier.training
    image = torch.zeros(1, spec.in_chans, *spec.size)
    with torch.no_grad():
        width = classifier.eval().features(image).shape[1]
    classifier.train(training)
    return int(width)


def _logits_and_features(classifier: Classifier, image: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, num_outputs) and penultimate features (B, D), in one pass."""
    classifier.check_batch(len(image))
    network: Any = classifier.network
    maps = network.forward_features(classifier.normalise(image))
    return network.forward_head(maps), network.forward_head(maps, pre_logits=True).flatten(1)
