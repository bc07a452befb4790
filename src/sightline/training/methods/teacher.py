"""The teacher of a distillation: found, checked against the student's classes, and asked."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sightline.config.decided import TEACHER
from sightline.config.influence import TEACHER_RUN
from sightline.errors import UserError
from sightline.inference.load import load_checkpoint
from sightline.label_modes.base import LabelMode
from sightline.models.backbone import timm_backbone
from sightline.models.classifier import Classifier
from sightline.training.methods.teacher_classes import (
    KEY,
    columns_of_imagenet,
    columns_of_run,
)
from sightline.types import PreprocessSpec


@dataclass(frozen=True)
class Teacher:
    """A trained model that another one learns from; it does not change.

    Attributes:
        classifier: in evaluation mode.
        digest: of its weights.
        run_id: of its run in MLflow; None where there is none.
        columns: of its logits, in the order of the student's outputs; None: all as they are.
        sign: -1 where the one logit of two classes means the other one.
    """

    classifier: Classifier
    digest: str
    run_id: str | None
    columns: tuple[int, ...] | None = None
    sign: int = 1

    @torch.no_grad()
    def logits(self, image: Tensor) -> Tensor:
        """Its logits for the student's outputs, float32 (B, num_outputs), of uint8 images."""
        found: Tensor = self.classifier(self._sized(image)).float()
        return self.sign * (found if self.columns is None else found[:, self.columns])

    @torch.no_grad()
    def features(self, image: Tensor) -> Tensor:
        """Its penultimate features (B, D), float32."""
        return self.classifier.features(self._sized(image)).float()

    def _sized(self, image: Tensor) -> Tensor:
        size = self.classifier.preprocess.size
        if tuple(image.shape[-2:]) == tuple(size):
            return image
        return interpolate(image.float(), size, mode="bilinear", antialias=True)


@dataclass(frozen=True)
class Teachers:
    """Finds a run's teacher.

    Attributes:
        uri: of the tracking store.
        plugins: packages that a teacher's checkpoint may name.
        before: parameters of the run that is resumed.
    """

    uri: str | None
    plugins: tuple[str, ...]
    before: Mapping[str, str]

    def locate(self, given: str) -> tuple[Path | None, str | None]:
        """A teacher's checkpoint and the id of its run; None for both: it is timm's.

        A run that is resumed elsewhere finds it by its id, where the place is another now.

        Raises:
            UserError: there is none.
        """
        there = Path(given).expanduser().exists()
        if not there and timm.is_model(given.partition(".")[0]):
            return None, None
        known = self.before.get(TEACHER_RUN)
        wanted = known if known is not None and not there else given
        if not there and known is None and not re.fullmatch(r"runs:/.+|[0-9a-f]{32}", given):
            raise UserError(
                f"{KEY}={given}: expected a run (its id, its folder or a checkpoint file), or a "
                "model of timm's by name; it is none of these. Where the teacher was moved, give "
                f"its place now: {KEY}=FOLDER."
            )
        from sightline.tracking.mlflow.stored_run import find_checkpoint_file  # imports MLflow

        try:
            file, run = find_checkpoint_file(wanted, self.uri)
        except UserError as error:
            raise UserError(f"{KEY}={given}: {error}") from error
        return file, None if run is None else run.run_id

    def load(
        self, given: str, student: PreprocessSpec, label_mode: LabelMode | None
    ) -> Teacher:  # fmt: skip
        """The teacher; its logits are matched by the names of the classes.

        Args:
            given: a run, or timm's name.
            student: preprocessing of the student's images.
            label_mode: of the student's outputs; None where the classes do not matter.

        Raises:
            UserError: there is none, or its classes or channels are others; or it is another than
                the one that the run began with.
        """
        file, run_id = self.locate(given)
        with torch.random.fork_rng(devices=[]):  # the student's random numbers stay as they are
            if file is None:
                classifier, names, kind = _of_timm(given, student), None, None
            else:
                model = load_checkpoint(file, self.plugins)
                classifier, names, kind = model.classifier, model.class_names, model.label_mode.name
        classifier.eval().requires_grad_(False)
        _check_channels(given, classifier, student)
        digest = _digest(classifier)
        if self.before.get(TEACHER, digest) != digest:
            raise UserError(f"{KEY}={given}: its weights are not those that this run began with.")
        columns, sign = None, 1
        if label_mode is not None and names is None:
            columns = columns_of_imagenet(given, classifier.network, label_mode)
        elif label_mode is not None and names is not None:
            columns, sign = columns_of_run(given, names, str(kind), label_mode)
        return Teacher(classifier, digest, run_id, columns, sign)


def _of_timm(name: str, student: PreprocessSpec) -> Classifier:
    config = timm.get_pretrained_cfg(name)
    classes = 1000 if config is None else config.num_classes
    try:
        network = timm_backbone(
            classes, student.in_chans, student.img_size, None, student, name, pretrained=True,
            pretrained_path=None, freeze_backbone=False, drop_rate=0.0, drop_path_rate=0.0,
        )  # fmt: skip
    except UserError as error:
        raise UserError(f"{KEY}={name}: {error}") from error
    preprocess = network.preprocess
    assert isinstance(preprocess, PreprocessSpec)
    return Classifier(network, preprocess)


def _check_channels(given: str, classifier: Classifier, student: PreprocessSpec) -> None:
    own = classifier.preprocess.in_chans
    if own != student.in_chans:
        raise UserError(
            f"{KEY}={given}: it takes images of {own} channels, and the student's have "
            f"{student.in_chans}. Give the student model.in_chans={own}, or another teacher."
        )


def _digest(classifier: Classifier) -> str:
    """32 hexadecimal digits over the weights."""
    digest = hashlib.blake2b(digest_size=16)
    for key, tensor in sorted(classifier.state_dict().items()):
        digest.update(
            key.encode() + tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
