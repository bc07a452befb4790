"""The data set as MLflow knows it: one input for each split, with digest, size and class counts."""

import json

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from sightline.data.source import SourceData, Split
from sightline.label_modes.base import LabelMode

MAX_PROFILE = 16_000_000  # characters that MLflow's databases hold


def dataset_inputs(
    source: SourceData,
    splits: dict[str, Split],
    contents: dict[int, np.ndarray],
    label_mode: LabelMode,
) -> tuple[list[DatasetInput], dict[str, str]]:
    """MLflow's dataset inputs, and the content digest of each split.

    Args:
        source: for the name and the place.
        splits: with targets as the label mode encodes them.
        contents: content digests of each `Split.images`, by its id().
        label_mode: counts the classes.
    """
    inputs = []
    digests = {}
    for name, split in splits.items():
        digests[name] = split.digest(contents[id(split.images)])
        profile = {
            "split": name,
            "num_samples": len(split),
            "class_counts": label_mode.count(split.targets),
        }
        dataset = Dataset(
            name=source.name,
            digest=digests[name],
            source_type="local",
            source=json.dumps({"uri": source.location}),
            schema=json.dumps({"label_mode": label_mode.name, "classes": label_mode.class_names}),
            profile=json.dumps(profile, ensure_ascii=False)[:MAX_PROFILE],
        )
        inputs.append(DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, name)]))
    return inputs, digests
