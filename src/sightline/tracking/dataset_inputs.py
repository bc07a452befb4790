"""MLflow's data set inputs of a run: one for each split, with digest, size and class counts."""

import json

import numpy as np

from sightline.data.source_data import SourceData, Split
from sightline.label_modes.base import LabelMode

MAX_PROFILE = 16_000_000  # characters that MLflow's databases hold


def dataset_inputs(
    source: SourceData,
    splits: dict[str, Split],
    contents: dict[str, np.ndarray],
    label_mode: LabelMode,
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The fields of MLflow's `Dataset` and its context, and the content digest of each split.

    Args:
        source: gives the name and the location.
        splits: with targets as the label mode encodes them.
        contents: content digests of each split's images, by the split's name.
        label_mode: of the targets.
    """
    inputs = []
    digests = {}
    schema = json.dumps({"label_mode": label_mode.name, "classes": label_mode.class_names})
    for name, split in splits.items():
        digests[name] = split.digest(contents[name])
        profile = {
            "split": name,
            "num_samples": len(split),
            "class_counts": label_mode.count(split.targets),
        }
        inputs.append({
            "context": name,
            "name": source.name,
            "digest": digests[name],
            "source_type": "local",
            "source": json.dumps({"uri": source.location}),
            "schema": schema,
            "profile": json.dumps(profile, ensure_ascii=False)[:MAX_PROFILE],
        })  # fmt: skip
    return inputs, digests
