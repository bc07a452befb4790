"""`sightline features`: what the last layer sees, and how simple classifiers do on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import timm
import torch
from sklearn.neighbors import KNeighborsClassifier
from support.commands import Sightline
from support.runs import Trained
from torch import nn

from sightline import load
from sightline.errors import UserError
from sightline.inference.feature_probes import probe_rows
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec

Train = Callable[[str], Trained]
SPEC = PreprocessSpec(32, 3, (0.5,) * 3, (0.25,) * 3)


def seen_by(layer: nn.Module, run: Callable[[], Any]) -> torch.Tensor:
    """What a layer is given while `run` runs."""
    caught: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    run()
    handle.remove()
    return caught[0]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_they_are_what_a_timm_head_sees(name: str) -> None:
    torch.manual_seed(0)
    options = {"img_size": 32} if "vit" in name else {}
    network: Any = timm.create_model(name, num_classes=4, **options)
    classifier = Classifier(network, SPEC).eval()
    image = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        seen = seen_by(network.get_classifier(), lambda: classifier(image))
        features = classifier.features(image)
    torch.testing.assert_close(features, seen)
    assert features.shape == (3, network.head_hidden_size)


def test_a_model_that_has_none_says_so() -> None:
    classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), SPEC)
    with pytest.raises(UserError, match="Sequential has no access to its penultimate features"):
        classifier.features(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))


def test_the_command_writes_them_with_probes(sightline: Sightline, trained: Train) -> None:
    run = trained("multiclass")
    words = [f"run={run.folder}", f"input={run.root}", "output=out.parquet"]
    done = sightline("features", *words, tracked=False)
    assert done.status == 0, done.err
    table = pq.read_table("out.parquet").to_pandas().set_index("id")
    assert len(table) == 297
    model = load(run.checkpoint)
    network: Any = model.classifier.network
    paths = [run.root / name for name in table.index[:7]]
    seen = seen_by(network.head, lambda: model.probs(paths))
    np.testing.assert_allclose(np.stack(table["features"][:7].tolist()), seen, atol=1e-5)
    probes = pd.read_csv("out.probes.csv")
    assert probes["measured"].tolist() == ["fitted on train"] * 2
    assert (probes["samples"] == 297 - 120).all()
    again = sightline("features", *words, tracked=False)
    assert again.status == 1
    assert "exists" in again.err
    rows = [f"{name},{name.split('/')[1]}" for name in table.index if name.startswith("test")]
    Path("list.csv").write_text("image,animal\n" + "\n".join(rows) + "\n")
    words = [f"run={run.folder}", "input=list.csv", f"root={run.root}", "output=b.parquet"]
    done = sightline("features", *words, "label_column=animal", tracked=False)
    assert done.status == 0, done.err
    assert "cross-validation" in Path("b.probes.csv").read_text()


def test_probes_against_scikit_learn_and_chance() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 8)).astype(np.float32)
    targets = (features[:, 0] + features[:, 1] > 0).astype(int)
    train = np.arange(300) < 200
    neighbours, logistic = probe_rows(features, targets, train)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    own = KNeighborsClassifier(20).fit(unit[train], targets[train])
    assert neighbours["accuracy"] == pytest.approx(own.score(unit[~train], targets[~train]))
    assert logistic["accuracy"] > 0.95
    for row in probe_rows(features, rng.integers(0, 2, 300), None):
        assert 0.38 < row["accuracy"] < 0.62
        assert row["samples"] == 300
    several = np.stack([targets, 1 - targets], axis=1)
    for row in probe_rows(features, several, None):
        assert row["accuracy"] > 0.75
