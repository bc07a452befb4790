"""One model, from training to every place that it answers in: the same everywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement
from PIL import Image, ImageOps
from support.commands import ONE_THREAD, QUICK, Sightline
from support.images import make_folder
from support.runs import MODES, Trained
from support.served import Served

from sightline import load
from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.predictions import Predictions
from sightline.tracking.mlflow.delivery import Delivery
from sightline.tracking.mlflow.store import open_store

Train = Callable[[str], Trained]


def model_of(run: Trained) -> Path:
    """The logged model's files."""
    mlflow.set_tracking_uri(run.store)
    return Path(mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/model"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[Trained], Served]]:
    started: list[Served] = []

    def serve(run: Trained) -> Served:
        words = ["serve", f"run={run.run_id}", f"tracking.uri={run.store}", "port=0"]
        started.append(Served(words, tmp_path / "serve.log"))
        return started[-1]

    yield serve
    for server in started:
        server.stop()


@pytest.mark.parametrize("mode", MODES)
def test_the_same_answers_from_training_to_onnx(
    sightline: Sightline, trained: Train, served: Callable[[Trained], Served], mode: str
) -> None:
    """100 test images: stored by training, predicted, by pyfunc, served over HTTP, by ONNX.

    That `sightline evaluate` finds the same again is in test_evaluate.py, over the same runs.
    """
    import onnxruntime

    run = trained(mode)
    stored = Predictions.read(run.folder / "predictions" / "test.parquet")
    ids = stored.ids[:100]
    assert len(ids) == 100
    columns = [f"prob_{name}" for name in stored.class_names]
    words = [f"run={run.folder}", f"input={run.root}", "output=predicted.parquet"]
    done = sightline("predict", *words, tracked=False)
    assert done.status == 0, done.err
    predicted = pq.read_table("predicted.parquet").to_pandas().set_index("id").loc[ids]
    probs, preds = predicted[columns].to_numpy(), [_plain(p) for p in predicted["pred"]]
    raw = load(run.checkpoint).probs([run.root / name for name in ids])
    np.testing.assert_allclose(raw, stored.probs[:100], atol=1e-6)

    contents = [(run.root / name).read_bytes() for name in ids]
    folder = model_of(run)
    answer = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame({"image": contents}))
    np.testing.assert_allclose(answer[columns].to_numpy(), probs, atol=1e-6)
    assert [_plain(p) for p in answer["pred"]] == preds

    described = mlflow.models.Model.load(str(folder)).metadata
    tags = MlflowClient(run.store).get_run(run.run_id).data.tags
    assert described["decision_rule"] == tags["decision_rule"]

    data = [[base64.b64encode(content).decode()] for content in contents]
    Path("body.json").write_text(json.dumps({"dataframe_split": {"columns": ["image"],
                                                                 "data": data}}))  # fmt: skip
    served_answer = pd.DataFrame(served(run).curl(Path("body.json")))
    np.testing.assert_allclose(served_answer[columns].to_numpy(), probs, atol=1e-6)
    assert served_answer["pred"].tolist() == preds

    words = [f"run={run.folder}", "format=onnx", "output=model.onnx"]
    done = sightline("export", *words, tracked=False)
    assert done.status == 0, done.err
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    prepared = np.stack(
        [_prepare(run.root / name, json.loads(facts["preprocess"])) for name in ids]
    )
    from_onnx = session.run(["probs"], {"image": prepared})[0]
    np.testing.assert_allclose(from_onnx, probs, atol=1e-4)
    names, thresholds = json.loads(facts["class_names"]), json.loads(facts["thresholds"])
    assert _decide(json.loads(facts["label_mode"]), names, thresholds, from_onnx) == preds


def _plain(pred: object) -> object:
    return pred if isinstance(pred, str) else list(pred)  # type: ignore[call-overload]


def _prepare(path: Path, spec: dict[str, object]) -> np.ndarray:
    """What the file's metadata says, in Pillow and NumPy alone."""
    assert (spec["crop_mode"], spec["crop_pct"], spec["in_chans"]) == ("letterbox", 1, 3)
    side = int(str(spec["img_size"]))
    filter_ = getattr(Image.Resampling, str(spec["interpolation"]).upper())
    image = ImageOps.contain(Image.open(path).convert("RGB"), (side, side), filter_)
    canvas = Image.new("RGB", (side, side), str(spec["background"]))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas).transpose(2, 0, 1)


def _decide(
    mode: str, names: list[str], thresholds: list[float] | None, probs: np.ndarray
) -> list[object]:
    if mode == "multiclass":
        return [names[i] for i in probs.argmax(axis=1)]
    if mode == "binary":
        over = probs[:, 1] > (thresholds or [0.5])[0]
        return [names[int(yes)] for yes in over]
    over = probs > np.array(thresholds or [0.5] * len(names))
    return [[n for n, yes in zip(names, row, strict=True) if yes] for row in over]


def test_images_as_bytes_text_and_arrays(trained: Train) -> None:
    run = trained("binary")
    model = mlflow.pyfunc.load_model(str(model_of(run)))
    path = run.root / "test" / "cat" / "000.png"
    content = path.read_bytes()
    text = base64.b64encode(content).decode()
    array = np.asarray(Image.open(path))
    expected = load(run.checkpoint).predict([path])["prob_dog"][0]
    for picture in (content, text, f"data:image/png;base64,{text}", array, array.tolist()):
        [answer] = model.predict(pd.DataFrame({"image": [picture]}))["prob_dog"]
        assert answer == pytest.approx(expected, abs=1e-6)
    two = model.predict({"image": np.stack([array, array])})
    assert two["prob_dog"].tolist() == pytest.approx([expected] * 2, abs=1e-6)
    for bad, said in ((b"no image", "not an image"), ("%%%", "base64"), (array / 255, "whole")):
        with pytest.raises(MlflowException, match=said):
            model.predict(pd.DataFrame({"image": [bad]}))
    example = model.input_example
    assert model.predict(example)["pred"][0] in ("cat", "dog")
    schema = model.metadata.signature.outputs
    assert schema.input_names() == ["pred", "prob_cat", "prob_dog"]


def test_its_metrics_are_linked_and_it_is_registered_once(
    sightline: Sightline, tmp_path: Path
) -> None:
    """Delivered a second time, as after a crash, nothing is doubled."""
    make_folder(tmp_path / "photos", {"cat": 24, "dog": 24})
    words = ["data=folder", f"data.root={tmp_path}/photos", *QUICK, "data.num_workers=0"]
    done = sightline("train", *words, "tracking.register=pets", "tracking.flush_timeout_s=600")
    assert done.status == 0, done.err
    client, run_id = done.client, done.run.info.run_id
    [model] = client.search_logged_models([done.run.info.experiment_id])
    linked = {metric.key: metric.value for metric in model.metrics}
    stored = {
        k: v for k, v in done.run.data.metrics.items() if k.startswith(("val_best/", "test/"))
    }
    assert linked == stored
    record = {
        "op": "model", "checkpoint": "checkpoints/best.ckpt", "class_names": ["cat", "dog"],
        "multi_label": False, "plugins": [], "time_ms": int(model.tags["told_ms"]),
    }  # fmt: skip
    config = TrackingConfig(
        uri=done.store, experiment="again", run_name=None, register="pets", offline=False,
        start_timeout_s=5, flush_timeout_s=5, system_metrics_interval_s=None,
    )  # fmt: skip
    Delivery(open_store(config), done.folder, run_id, "pets").upload([record])
    assert len(client.search_logged_models([done.run.info.experiment_id])) == 1
    [version] = client.search_model_versions("name = 'pets'")
    assert version.run_id == run_id
    assert all(len(client.get_metric_history(run_id, key)) == 1 for key in stored)
    mlflow.set_tracking_uri(done.store)
    assert mlflow.pyfunc.load_model("models:/pets/1").metadata.signature is not None


ALONE = """
import socket
def refuse(*arguments, **options):
    raise OSError("no network here")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model({model!r})
import sightline
answer = model.predict(pd.DataFrame({{"image": [open({image!r}, "rb").read()]}}))
print(sightline.__file__, answer["prob_dog"][0], sep="\\n")
"""


def closure(requirements: list[str]) -> set[str]:
    """Names of the installed distributions that these need, and theirs."""
    needed: set[str] = set()
    waiting = [Requirement(line).name for line in requirements]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in needed:
            continue
        try:
            further = [Requirement(line) for line in distribution(name).requires or []]
        except PackageNotFoundError:
            continue  # of another platform
        needed.add(name)
        waiting += [r.name for r in further if not r.marker or r.marker.evaluate({"extra": ""})]
    return needed


def test_it_loads_with_its_requirements_alone(trained: Train, tmp_path: Path) -> None:
    """Without Sightline installed, its conf/, a network, or anything that is not required.

    In an environment of its own, of links to what of this one the requirements name.
    """
    run = trained("binary")
    model = model_of(run)
    assert not list(model.rglob("conf"))
    requirements = (model / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in requirements)
    venv.create(tmp_path / "fresh", with_pip=False)
    site = next((tmp_path / "fresh" / "lib").glob("python*/site-packages"))
    for name in closure(requirements):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(installed.locate_file(top)))
    assert not (site / "pytorch_lightning").exists()
    picture = run.root / "test" / "dog" / "001.jpg"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [tmp_path / "fresh" / "bin" / "python", "-c",
         ALONE.format(model=str(model), image=str(picture))],
        cwd=tmp_path, env=environment | ONE_THREAD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    where, prob = done.stdout.splitlines()[-2:]
    assert where.startswith(str(model))
    expected = mlflow.pyfunc.load_model(str(model)).predict(
        pd.DataFrame({"image": [picture.read_bytes()]})
    )
    assert float(prob) == pytest.approx(expected["prob_dog"][0], abs=1e-6)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no checkpoint"):
        load(tmp_path / "nowhere.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    with pytest.raises(UserError, match="not a checkpoint"):
        load(tmp_path / "text.ckpt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="not one of Sightline's"):
        load(tmp_path / "other.ckpt")


class Malicious:
    """Pickled, it asks for a shell command to be run."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.file}",)


def test_a_strangers_checkpoint_runs_nothing(
    trained: Train, sightline: Sightline, tmp_path: Path
) -> None:
    run = trained("binary")
    mark = tmp_path / "was_here"
    state = torch.load(run.checkpoint, weights_only=True)
    torch.save(state | {"extra": Malicious(mark)}, "pickle.ckpt")
    with pytest.raises(UserError, match=r"holds a pickle that needs \w+\.system"):
        load("pickle.ckpt")
    picture = f"input={run.root}/test/cat/000.png"
    done = sightline("predict", "run=pickle.ckpt", picture, "output=out.csv", tracked=False)
    assert done.status == 1
    assert "holds a pickle" in done.err
    config = state["sightline"]["config"]
    for part in ("model", "label_mode"):
        for target in ("os.system", "sightline.training.run.train", "torch.hub.load"):
            node = config[part] | {"_target_": target}
            about = state["sightline"] | {"config": config | {part: node, "plugins": ["os"]}}
            torch.save(state | {"sightline": about}, "target.ckpt")
            with pytest.raises(UserError, match=r"could run any code"):
                load("target.ckpt")
    assert not mark.exists()


def test_another_versions_and_anothers_checkpoint_is_refused(
    trained: Train, tmp_path: Path
) -> None:
    run = trained("multiclass")
    state = torch.load(run.checkpoint, weights_only=True)

    def changed(**fields: object) -> Path:
        torch.save(state | {"sightline": state["sightline"] | fields}, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    with pytest.raises(UserError, match=r"Sightline 99\.0, and this is"):
        load(changed(version="99.0"))
    with pytest.raises(UserError, match="weights do not fit the model of 2 classes"):
        load(changed(class_names=["cat", "dog"]))
    about = {k: v for k, v in state["sightline"].items() if k != "preprocess"}
    torch.save(state | {"sightline": about}, tmp_path / "older.ckpt")
    with pytest.raises(UserError, match="has no preprocess that Sightline"):
        load(tmp_path / "older.ckpt")
    with pytest.raises(UserError, match="cannot rebuild its model"):
        load(changed(preprocess={"size": 3}))
    whole = run.checkpoint.read_bytes()
    (tmp_path / "torn.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="safe to load: it is damaged"):
        load(tmp_path / "torn.ckpt")


def test_a_run_that_never_finished_is_refused(sightline: Sightline, trained: Train) -> None:
    run = trained("binary")
    client = MlflowClient(run.store)
    client.update_run(run.run_id, status="KILLED")
    try:
        done = sightline(
            "predict", f"run={run.run_id}", f"tracking.uri={run.store}", f"input={run.root}",
            "output=out.csv", tracked=False,
        )  # fmt: skip
    finally:
        client.update_run(run.run_id, status="FINISHED")
    assert done.status == 1
    assert "is KILLED: it never finished" in done.err
    assert not Path("out.csv").exists()


def test_saving_a_model_needs_no_torch() -> None:
    """It is saved by a process of its own, which would import for seconds and hold 500 MB."""
    script = "import sys, sightline.inference.pyfunc; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
