"""LoadedModel: a trained model that predicts as in its training's evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sightline.data.reading.transforms import ImageTransform
from sightline.inference.decisions import Decisions
from sightline.inference.device import computing
from sightline.inference.image_objects import AnyImage, inputs_of, read_object
from sightline.inference.inputs import Inputs
from sightline.inference.result_rows import rows_of, schema_of
from sightline.label_modes.base import LabelMode
from sightline.metrics.tuning import Tuning
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec

if TYPE_CHECKING:
    import pandas as pd

UNTUNED = Tuning()


@dataclass(frozen=True)
class LoadedModel:
    """A model with everything that its predictions depend on.

    Attributes:
        classifier: uint8 images in, logits out; in evaluation mode.
        label_mode: meaning of the outputs.
        preprocess: size, crop and normalisation of images.
        tuning: calibration, thresholds and decision rule that were fitted on val.
        precision: Lightning's `precision` of the training.
        batch_size: images in a batch, as in training.
    """

    classifier: Classifier
    label_mode: LabelMode
    preprocess: PreprocessSpec
    tuning: Tuning = UNTUNED
    precision: str = "32-true"
    batch_size: int = 64

    def __repr__(self) -> str:
        sides = "×".join(map(str, self.preprocess.size))
        return (
            f"<LoadedModel {type(self.classifier.network).__name__}, {self.label_mode.name}, "
            f"{len(self.class_names)} classes, {sides} pixels, on {self.device}>"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each column of `probs`."""
        return self.label_mode.class_names

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.classifier.mean.device

    def to(self, device: torch.device | str) -> Self:
        """The same model, moved to a device."""
        self.classifier.to(device)
        return self

    def prepare(self, images: Sequence[AnyImage]) -> Tensor:
        """Images as the model takes them, uint8 of shape (N, C, S, S): resized, not normalised.

        Args:
            images: Pillow images, arrays or tensors (H, W), (H, W, C) or (C, H, W), or the bytes
                or the path of a file; read as in training.

        Raises:
            UserError: an image cannot be read, or has a wrong number of channels.
        """
        transform = ImageTransform(self.preprocess)
        return torch.stack([transform(read_object(each, transform.reading)) for each in images])

    def logits(self, batch: Tensor) -> Tensor:
        """Logits (N, num_outputs), float32 and on the CPU, of images as `prepare` gives them."""
        with torch.inference_mode(), computing(self.device, self.precision):
            logits: Tensor = self.classifier(batch.to(self.device, non_blocking=True))
        return logits.float().cpu()

    def features(self, batch: Tensor) -> Tensor:
        """Penultimate features (N, D), float32 and on the CPU, of images from `prepare`.

        Raises:
            UserError: the model's class has no such method.
        """
        with torch.inference_mode(), computing(self.device, self.precision):
            features = self.classifier.features(batch.to(self.device, non_blocking=True))
        return features.float().cpu()

    def probs(self, images: Sequence[AnyImage]) -> np.ndarray:
        """Probabilities before calibration, float32, shape (N, C); see `prepare` for `images`."""
        return self.label_mode.probs(self.logits_of(images)).numpy()

    def logits_of(self, images: Sequence[AnyImage]) -> Tensor:
        """Logits (N, num_outputs), float32 and on the CPU; see `prepare` for `images`."""
        size = self.batch_size
        parts = [
            self.logits(self.prepare(images[i : i + size])) for i in range(0, len(images), size)
        ]
        return torch.cat(parts)

    def decisions(self, calibrated: bool = True, top_k: int = 0) -> Decisions:
        """The rule and columns of decisions: with the model's tuning, or without any."""
        return Decisions(self.label_mode, self.tuning if calibrated else UNTUNED, top_k)

    def predict(
        self,
        images: AnyImage | Sequence[AnyImage],
        calibrated: bool = True,
        top_k: int = 0,
        num_workers: int | str = "auto",
        **reading: Any,
    ) -> "pd.DataFrame":
        """A row for each image: path, id, pred, prob_CLASS for each class, and error.

        Args:
            images: one image or several, as in `prepare`, where an array or tensor may have a
                first dimension for images; or any other input of `read_inputs`, such as a folder.
            calibrated: with the calibration and by the decision rule of the run.
            top_k: number of most probable classes with columns of their own.
            num_workers: processes that read images; auto: one for each core for many images.
            reading: further arguments of `read_inputs`, for paths.

        Raises:
            UserError: there are no images. One that cannot be read is a row with an error.
        """
        inputs = inputs_of(images, **reading)
        decisions = self.decisions(calibrated, top_k)
        rows = self.predict_rows(inputs, decisions, num_workers=num_workers)
        return pa.Table.from_batches(rows, schema_of(decisions.schema)).to_pandas()

    def predict_rows(
        self, inputs: Inputs, decisions: Decisions, start: int = 0, num_workers: int | str = "auto"
    ) -> Iterator[pa.RecordBatch]:
        """The rows of `predict` from position `start` on, a batch at a time."""

        def decide(batch: Tensor) -> pa.RecordBatch:
            return decisions.rows_of_logits(self.logits(batch))

        return rows_of(
            inputs, ImageTransform(self.preprocess), decide, decisions.schema, start,
            self.batch_size, num_workers,
        )  # fmt: skip

    def feature_rows(
        self, inputs: Inputs, schema: pa.Schema, start: int = 0, num_workers: int | str = "auto"
    ) -> Iterator[pa.RecordBatch]:
        """The images' features as rows of one list column, a batch at a time."""

        def describe(batch: Tensor) -> pa.RecordBatch:
            features = self.features(batch).numpy()
            flat = pa.array(features.reshape(-1))
            column = pa.FixedSizeListArray.from_arrays(flat, features.shape[1])
            return pa.RecordBatch.from_arrays([column], schema=schema)

        return rows_of(
            inputs, ImageTransform(self.preprocess), describe, schema, start,
            self.batch_size, num_workers,
        )  # fmt: skip

    def with_decode(self, decode: str) -> Self:
        """The same model, for which JPEGs are decoded as `PreprocessSpec.decode` says."""
        return replace(self, preprocess=replace(self.preprocess, decode=decode))

    def with_batch_size(self, batch_size: int | None) -> Self:
        """The same model with another batch size; None leaves it."""
        return self if batch_size is None else replace(self, batch_size=batch_size)
