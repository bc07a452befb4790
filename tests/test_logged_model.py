"""The model in MLflow: loaded by MLflow alone, it says what training's evaluation stored."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, Sightline
from PIL import Image

from sightline import load
from sightline.errors import UserError
from sightline.predictions import Predictions


@pytest.mark.parametrize("mode", ["binary", "multiclass"])
def test_loaded_by_mlflow_it_repeats_the_stored_probabilities(
    sightline: Sightline, photos: Path, mode: str
) -> None:
    done = sightline(
        "train", "data=folder", f"data.root={photos}", f"label_mode={mode}", "data.num_workers=0",
        *QUICK,
    )  # fmt: skip
    assert done.status == 0, done.err
    table = Predictions.read(done.download("predictions/test.parquet"))
    mlflow.set_tracking_uri(done.store)
    model = mlflow.pyfunc.load_model(f"runs:/{done.run.info.run_id}/model")
    contents = [(photos / name).read_bytes() for name in table.ids]
    answer = model.predict(pd.DataFrame({"image": contents}))
    assert tuple(answer.columns) == table.class_names
    np.testing.assert_allclose(answer.to_numpy(), table.probs, atol=1e-6)
    own = load(done.download("checkpoints/best.ckpt"))
    pictures = [Image.open(io.BytesIO(content)) for content in contents]
    np.testing.assert_allclose(own.probs(pictures), table.probs, atol=1e-6)
    as_text = [base64.b64encode(content).decode() for content in contents]
    unwrapped = model.unwrap_python_model()
    answer = unwrapped.predict(pd.DataFrame({"image": as_text}))
    np.testing.assert_allclose(answer.to_numpy(), table.probs, atol=1e-6)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no checkpoint"):
        load(tmp_path / "nowhere.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    with pytest.raises(UserError, match="not a checkpoint"):
        load(tmp_path / "text.ckpt")
    import torch

    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="not one of Sightline's"):
        load(tmp_path / "other.ckpt")
    torch.save({"sightline": tmp_path}, tmp_path / "pickle.ckpt")
    with pytest.raises(UserError, match="not a checkpoint that is safe"):
        load(tmp_path / "pickle.ckpt")
