"""Images that are not square, from the training to every place that the model answers in."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from support.commands import Sightline

from sightline import load
from sightline.data.reading.transforms import ImageTransform
from sightline.data.sources.folder import read_folder
from sightline.errors import UserError
from sightline.evaluation.overrides import read_data_overrides
from sightline.inference.explainer import SampleExplainer
from sightline.types import PreprocessSpec

CNN = ["model.widths=[4,8]", "model.hidden=16", "tracking.system_metrics_interval_s=null"]
END = 16  # pixels at either end that hold the label


def make_lines(root: Path, count: int = 32) -> None:
    """ROOT/{left,right}/*.png of 128×32 pixels: one end is bright; both classes share the rest."""
    rng = np.random.default_rng(0)
    for name in ("left", "right"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 100, (32, 128), dtype=np.uint8)
        for name, end in (("left", np.s_[:, :END]), ("right", np.s_[:, -END:])):
            drawn = pixels.copy()
            drawn[end] += 150
            Image.fromarray(drawn).save(root / name / f"{number:02d}.png")


def in_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        squashed = image.resize((64, 64), Image.Resampling.BILINEAR)
    return np.asarray(squashed)[None]


def test_a_label_in_the_ends_is_learnt_and_seen_everywhere(
    sightline: Sightline, tmp_path: Path
) -> None:
    """That ONNX is given the same pixels is in test_logged_model.py, whose images are fitted."""
    root = tmp_path / "lines"
    make_lines(root)
    fit = ["trainer.max_epochs=6", "data.batch_size=8", "optimizer.lr=0.01"]
    done = sightline("train", "data=folder", f"data.root={root}", *CNN, *fit)
    assert done.status == 0, done.err
    assert "images of 128×32 (median) are squashed to 64×64" in " ".join(done.out.split())
    assert done.run.data.metrics["test/accuracy"] == 1
    assert done.run.data.params["model.crop_mode"] == "squash"

    model = load(done.folder / "checkpoints" / "best.ckpt")
    paths = sorted(root.glob("*/0*.png"))
    pixels = np.stack([in_pillow(path) for path in paths])
    np.testing.assert_array_equal(model.prepare(paths).numpy(), pixels)
    with torch.inference_mode():
        expected = model.classifier(torch.from_numpy(pixels)).softmax(dim=1).numpy()
    columns = ["prob_left", "prob_right"]
    predicted = model.predict(paths, calibrated=False)[columns].to_numpy()
    np.testing.assert_allclose(predicted, expected, atol=1e-6)

    mlflow.set_tracking_uri(done.store)
    folder = mlflow.artifacts.download_artifacts(f"runs:/{done.run.info.run_id}/model")
    served = mlflow.pyfunc.load_model(folder)
    content = pd.DataFrame({"image": [path.read_bytes() for path in paths]})
    answer = served.predict(content, params={"calibrated": False})[columns].to_numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-6)

    split = read_folder(str(root)).splits["train"]
    explainer = SampleExplainer(split, model.classifier, model.label_mode, torch.device("cpu"))
    shown, heat = explainer.explain(["left/00.png", "right/00.png"], np.array([0, 1]))
    np.testing.assert_array_equal(shown, np.stack([in_pillow(root / n) for n in
                                                   ("left/00.png", "right/00.png")]))  # fmt: skip
    assert heat.shape == (2, 64, 64)


def test_an_input_that_is_not_square_is_so_everywhere(
    sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoint, Grad-CAM in the report, prediction, and ONNX, which has the input's two sides."""
    import onnxruntime

    monkeypatch.chdir(tmp_path)
    make_lines(tmp_path / "lines")
    words = ["model=timm", "model.name=test_vit", "model.img_size=[32,80]"]
    words += ["data.geometry=squash", "augment=cifar", "trainer.max_epochs=1", "trainer=cpu",
              "report=[grad_cam]", "tracking.system_metrics_interval_s=null"]  # fmt: skip
    done = sightline("train", "data=folder", f"data.root={tmp_path}/lines", *words)
    assert done.status == 0, done.err
    assert done.run.data.params["model.input"] == "1x32x80"
    assert "squashed to 32×80" in " ".join(done.out.split())

    loaded = load(done.folder / "checkpoints" / "best.ckpt")
    assert loaded.preprocess.img_size == (32, 80)
    paths = sorted(tmp_path.glob("lines/*/00.png"))
    pixels = loaded.prepare(paths)
    assert pixels.shape == (2, 1, 32, 80)
    columns = ["prob_left", "prob_right"]
    expected = loaded.predict(paths, calibrated=False)[columns].to_numpy()
    split = read_folder(f"{tmp_path}/lines").splits["train"]
    explainer = SampleExplainer(split, loaded.classifier, loaded.label_mode, torch.device("cpu"))
    _, heat = explainer.explain(["left/00.png", "right/00.png"], np.array([0, 1]))
    assert heat.shape == (2, 32, 80)

    exported = sightline("export", f"run={done.folder}", "format=onnx", "output=m.onnx",
                         f"input={tmp_path}/lines", tracked=False)  # fmt: skip
    assert exported.status == 0, exported.err
    session = onnxruntime.InferenceSession("m.onnx")
    assert session.get_inputs()[0].shape[1:] == [1, 32, 80]
    logits = session.run(["logits"], {session.get_inputs()[0].name: pixels.numpy()})[0]
    answer = torch.from_numpy(logits).softmax(1).numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_the_middle_of_these_lines_says_nothing(tmp_path: Path) -> None:
    """So that whatever is learnt from a crop is right for one of each two images."""
    make_lines(tmp_path / "lines", 4)
    crop = ImageTransform(PreprocessSpec(32, 1, (0.5,), (0.2,)))
    for path in (tmp_path / "lines" / "left").iterdir():
        other = path.parent.parent / "right" / path.name
        with Image.open(path) as left, Image.open(other) as right:
            assert torch.equal(crop(left), crop(right))


@pytest.mark.parametrize("word", ["data.geometry=crop", "data.background=black"])
def test_an_evaluation_prepares_images_as_the_training_did(word: str) -> None:
    with pytest.raises(UserError, match=f"{word}: images are prepared as in the training"):
        read_data_overrides([word], ["run"], "RUN")
