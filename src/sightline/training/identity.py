"""Identity of a checkpoint: plain facts of its model and data, and the digests of its data."""

from dataclasses import asdict
from typing import Any

import numpy as np

from sightline import __version__
from sightline.config.schema import TrainConfig
from sightline.data.source_data import SourceData, Split
from sightline.io.redaction import redacted
from sightline.label_modes.base import LabelMode
from sightline.types import DatasetInfo, PreprocessSpec, as_lists


def data_digests(
    source: SourceData, splits: dict[str, Split], contents: dict[str, np.ndarray]
) -> dict[str, str]:
    """A digest of each split's content, by its name; of a stream, what is known before."""
    digests = {name: split.digest(contents[name]) for name, split in splits.items()}
    if source.stream is not None:
        digests["train"] = f"{source.stream.samples} samples in {source.stream.shards} shards"
    return digests


def make_identity(
    config: TrainConfig, label_mode: LabelMode, info: DatasetInfo, spec: PreprocessSpec,
    data: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Plain containers that make a checkpoint self-contained."""
    return {
        "version": __version__,
        "label_mode": label_mode.name,
        "class_names": list(label_mode.class_names),
        "preprocess": spec.to_dict(),
        "dataset": as_lists(asdict(info)),
        "data": data,
        "config": redacted(config.model_dump(exclude={"tracking"})),
    }
