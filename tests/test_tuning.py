"""What is fitted on val: temperature and thresholds, and what they do to probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_metrics import make_mode, random_table

from sightline.evaluation.tuning import Tuning
from sightline.predictions import Predictions

MODES = ["binary", "multiclass", "multilabel"]


def test_a_tuning_reads_back_as_it_was_stored() -> None:
    tuning = Tuning(1.7, (0.2, 0.8), "f1")
    assert Tuning.from_dict(tuning.to_dict()) == tuning
    assert Tuning.from_dict({}) == Tuning()


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_calibrating_stored_probabilities_divides_the_logits(name: str, temperature: float) -> None:
    mode = make_mode(name)
    logits = 4 * torch.randn(200, mode.num_outputs, generator=torch.Generator().manual_seed(1))
    calibrated = mode.calibrate(mode.probs(logits), temperature)
    exact = (logits / temperature).double()
    if name == "binary":
        expected = torch.cat([(-exact).sigmoid(), exact.sigmoid()], dim=1)
    else:
        expected = exact.softmax(dim=1) if name == "multiclass" else exact.sigmoid()
    # A float32 next to 1 has lost some of its logit.
    torch.testing.assert_close(calibrated, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", MODES)
def test_saturated_probabilities_stay_finite_and_certain(name: str) -> None:
    mode = make_mode(name)
    logits = torch.full((2, mode.num_outputs), -500.0)
    logits[0, 0] = 500.0
    probs = mode.probs(logits)
    calibrated = mode.calibrate(probs, 2.0)
    assert torch.isfinite(calibrated).all()
    assert torch.equal(mode.decide(calibrated), mode.decide(probs))


@pytest.mark.parametrize("name", MODES)
def test_metadata_is_stored_with_the_table(tmp_path, name: str) -> None:  # type: ignore[no-untyped-def]
    table = random_table(make_mode(name), 4)
    columns = {"hospital": np.array(["a", "b", "", "a"]), "age": np.array([1.5, np.nan, 3, 4])}
    table = Predictions(
        table.ids, table.targets, table.probs, table.class_names, table.label_mode, columns
    )
    table.write(tmp_path / "t.parquet")
    back = Predictions.read(tmp_path / "t.parquet")
    assert back.metadata.keys() == columns.keys()
    for key, column in columns.items():
        np.testing.assert_array_equal(back.metadata[key], column)
