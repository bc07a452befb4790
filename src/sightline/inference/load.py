"""A trained model from its checkpoint alone: weights, class names, preprocessing, label mode."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sightline.components import build
from sightline.config import Node
from sightline.data.pictures import Picture, finish_picture, read_picture
from sightline.data.transforms import PictureTransform
from sightline.errors import UserError
from sightline.evaluation.tuning import Tuning
from sightline.label_modes.base import LabelMode
from sightline.models.build import rebuild_classifier
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec

PREFIX = "classifier."


@dataclass(frozen=True)
class LoadedModel:
    """A model that classifies pictures as it did in its training's evaluation.

    Attributes:
        classifier: from uint8 pictures to logits; normalises them itself.
        label_mode: what the outputs mean.
        preprocess: how a picture becomes a tensor.
        tuning: what was fitted on val.
    """

    classifier: Classifier
    label_mode: LabelMode
    preprocess: PreprocessSpec
    tuning: Tuning

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a column of `probs`."""
        return self.label_mode.class_names

    @torch.inference_mode()
    def probs(self, pictures: Sequence[Image.Image | bytes | Path]) -> np.ndarray:
        """Probabilities, float32 of shape (N, C), before calibration.

        Args:
            pictures: opened with Pillow, or the bytes or the path of a file; read as in training.
        """
        transform = PictureTransform(self.preprocess)
        batch = torch.stack([transform(_read(each, transform.side)) for each in pictures])
        return self.label_mode.probs(self.classifier(batch)).numpy()


def _read(picture: Image.Image | bytes | Path, min_side: int) -> Picture:
    if isinstance(picture, Image.Image):
        return finish_picture(picture, min_side)
    name = str(picture) if isinstance(picture, Path) else f"{len(picture):,} bytes"
    return read_picture(picture, name, min_side)


def load(checkpoint: str | Path) -> LoadedModel:
    """The model of a checkpoint that a training wrote (`checkpoints/best.ckpt`).

    Only plain containers and tensors are unpickled, and only trusted packages (and the plugins
    that the training's own config names) are imported. Pretrained weights are never asked for.

    Raises:
        UserError: no such file, or not a checkpoint of Sightline.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise UserError(f"There is no checkpoint {path}.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"{path} is not a checkpoint that is safe to load: {error}") from error
    if "sightline" not in state:
        raise UserError(f"{path} is a checkpoint, but not one of Sightline's.")
    identity: Node = state["sightline"]
    config = identity["config"]
    plugins = config["plugins"]
    # The names are stored in the order of the outputs: the positive class of binary comes last.
    names = tuple(identity["class_names"])
    node = {k: v for k, v in config["label_mode"].items() if k != "positive_class"}
    node |= {"positive_class": names[-1]} if "positive_class" in config["label_mode"] else {}
    label_mode = build(node, "label_mode", plugins, {"class_names": names})
    preprocess = PreprocessSpec.from_dict(identity["preprocess"])
    classifier = rebuild_classifier(config["model"], preprocess, label_mode.num_outputs, plugins)
    weights = {
        key.removeprefix(PREFIX): value
        for key, value in state["state_dict"].items()
        if key.startswith(PREFIX)
    }
    classifier.load_state_dict(weights)
    tuning = Tuning.from_dict(identity.get("tuning", {}))
    return LoadedModel(classifier.eval(), label_mode, preprocess, tuning)
