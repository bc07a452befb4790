"""`evaluate data.decode=exact|fast`: JPEGs are decoded as asked, else as in the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from support.random_tables import make_mode

from sightline.config.compose import compose_job
from sightline.evaluation.options import EvaluateOptions
from sightline.evaluation.overrides import overridden_config, read_data_overrides
from sightline.evaluation.stored_model import StoredModel
from sightline.evaluation.target import predicted_target, stored_target
from sightline.inference.model import LoadedModel
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"  # 640 by 427 pixels
SIDE = 64


def trained_with(decode: str) -> LoadedModel:
    """A linear model of all pixels, so that a pixel's change shows in the probabilities."""
    spec = PreprocessSpec(SIDE, 3, (0.5,) * 3, (0.25,) * 3, decode=decode)
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE**2, 2))
    return LoadedModel(Classifier(layers, spec).eval(), make_mode("multiclass", 2), spec)


@pytest.mark.parametrize(
    ("in_training", "asked"), [("exact", "fast"), ("fast", "exact"), ("fast", None)]
)
def test_images_are_decoded_as_the_evaluation_asks(
    in_training: str, asked: str | None, tmp_path: Path
) -> None:
    files = []
    for split in ("train", "val", "test"):
        for name, photo in (("c0", "china.jpg"), ("c1", "flower.jpg")):
            files.append(tmp_path / split / name / "photo.jpg")
            files[-1].parent.mkdir(parents=True)
            files[-1].write_bytes((PHOTOS / photo).read_bytes())
    words = ["data=folder", f"data.root={tmp_path}", "label_mode=multiclass"]
    now, _ = compose_job([*words, f"data.decode={in_training}", "data.num_workers=0"])
    stored = StoredModel(tmp_path / "best.ckpt", None, trained_with(in_training), now.model_dump())
    settings = EvaluateOptions(run="x").settings
    changes = read_data_overrides(
        [] if asked is None else [f"data.decode={asked}"], EvaluateOptions.keys(), "x"
    )
    config = overridden_config(stored.config, now, (), changes)
    assert stored_target(stored, settings, changes) is None
    found = predicted_target(stored, config, now, settings, changes)
    expected = {how: trained_with(how).probs(files[-2:]) for how in ("exact", "fast")}
    assert np.abs(expected["exact"] - expected["fast"]).max() > 1e-4
    np.testing.assert_allclose(found.table.probs, expected[asked or in_training], atol=1e-6)
