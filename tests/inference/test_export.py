"""`sightline export`: files that answer as the model does, or that are not written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Sightline
from support.runs import Trained
from support.tables import make_mode

from sightline import load
from sightline.errors import UserError
from sightline.inference import model_export
from sightline.inference.formats.base import Exportable, Run, facts_of
from sightline.inference.formats.torch_export import TorchExport
from sightline.inference.model import LoadedModel
from sightline.inference.model_export import Checks, export_model
from sightline.metrics.tuning import Tuning
from sightline.types import PreprocessSpec

Train = Callable[[str], Trained]


def tuned(run: Trained, path: Path) -> Path:
    """The run's checkpoint with a temperature and thresholds that change its answers."""
    state = torch.load(run.checkpoint, weights_only=True)
    thresholds = [0.45] if state["sightline"]["label_mode"] == "binary" else None
    biases = [0.3] if thresholds else [0.4, -0.3, 0.1]
    tuning = {"temperature": 0.5, "thresholds": thresholds, "aim": "f1", "biases": biases}
    state["sightline"]["tuning"] = tuning
    torch.save(state, path)
    return path


def test_torch_export_runs_without_sightline(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("binary")
    checkpoint = tuned(run, tmp_path / "tuned.ckpt")
    words = [f"run={checkpoint}", "format=torch_export", "output=out/model.pt2"]
    done = sightline("export", *words, f"input={run.root}/val", tracked=False)
    assert done.status == 0, done.err
    assert "torch_export" in done.out
    assert "0 of 50" in done.out
    facts = {
        "class_names.json": "", "thresholds.json": "", "temperature.json": "", "biases.json": "",
        "decision_rule.json": "",
    }  # fmt: skip
    with Path("out/model.pt2").open("rb") as stream:
        module = torch.export.load(stream, extra_files=facts).module()
    assert json.loads(facts["class_names.json"]) == ["cat", "dog"]
    assert json.loads(facts["thresholds.json"]) == [0.45]
    assert json.loads(facts["biases.json"]) == [0.3]
    assert json.loads(facts["decision_rule.json"]) == "tuned: dog over 0.45, fitted on val for f1"
    model = load(checkpoint)
    names = sorted(run.root.glob("test/*/*"))[:5]
    expected = model.predict(names)[["prob_cat", "prob_dog"]].to_numpy()
    for count in (1, 3, 5):
        probs, _ = module(model.prepare(names[:count]))
        np.testing.assert_allclose(probs.detach().numpy(), expected[:count], atol=1e-5)
    assert [p.name for p in Path("out").iterdir()] == ["model.pt2"]


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
def test_an_exported_module_calibrates_and_decides_as_the_model(mode: str) -> None:
    """By the default rule of a model with biases, which decides before them."""
    names = ("a", "b") if mode == "binary" else ("a", "b", "c")
    label_mode = make_mode(mode, len(names), names)
    biases = (0.8, -0.6, 0.3)[: label_mode.num_outputs]
    thresholds = None if label_mode.exclusive else (0.2,) * label_mode.num_outputs
    tuning = Tuning(1.5, thresholds, "f1", biases, "default")
    classifier = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, label_mode.num_outputs)
    )
    spec = PreprocessSpec(2, 3, (0.5,) * 3, (0.5,) * 3)
    model = LoadedModel(classifier, label_mode, spec, tuning)  # type: ignore[arg-type]
    images = torch.randn(200, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        probs, logits = Exportable(model)(images)
    raw = label_mode.probs(logits)
    torch.testing.assert_close(
        probs.double(), label_mode.calibrate(raw, 1.5, biases), atol=1e-6, rtol=0
    )
    facts = {key: json.loads(value) for key, value in facts_of(model).items()}
    if label_mode.exclusive:
        decided = (probs * torch.tensor(facts["decision_weights"])).argmax(dim=1)
    else:
        decided = label_mode.decide(probs, facts["thresholds"])
    assert torch.equal(decided, label_mode.decide(raw))
    assert not torch.equal(label_mode.decide(probs), decided)
    assert facts["decision_rule"].endswith("of the probabilities before calibration")
    rows = model.decisions().rows(raw.numpy()).to_pylist()
    plain = model.decisions(calibrated=False).rows(raw.numpy()).to_pylist()
    assert [row["pred"] for row in rows] == [row["pred"] for row in plain]


def test_eight_bits_say_what_they_cost(sightline: Sightline, trained: Train) -> None:
    import onnx

    run = trained("multiclass")
    for how in ("static", "dynamic"):
        words = [f"run={run.folder}", "format=onnx", f"output={how}.onnx", f"int8={how}"]
        done = sightline("export", *words, tracked=False)
        assert done.status == 0, done.err
        assert f"onnx int8 {how}" in done.out
        model = onnx.load(f"{how}.onnx")
        kinds = {node.op_type for node in model.graph.node}
        assert kinds & {"QuantizeLinear", "DynamicQuantizeLinear"}
        facts = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(facts["class_names"]) == ["bird", "cat", "dog"]
    assert {p.name for p in Path().iterdir()} == {"static.onnx", "dynamic.onnx"}


def test_a_file_that_answers_otherwise_is_not_written(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(TorchExport):
        shift = 2e-4

        def open(self, path: Path) -> Run:
            run = super().open(path)
            return lambda images: run(images) + self.shift

    run = trained("multiclass")
    model = load(run.checkpoint)
    images = model.prepare(sorted(run.root.glob("val/*/*"))[:9]).numpy()
    monkeypatch.setitem(model_export.FORMATS, "torch_export", Wrong)
    path = tmp_path / "model.pt2"
    with pytest.raises(UserError, match=r"differ from the model's by up to 0\.0002"):
        export_model(model, "torch_export", path, Checks(images, None), None, images)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Wrong, "shift", float("nan"))
    with pytest.raises(UserError, match="by up to nan"):
        export_model(model, "torch_export", path, Checks(images, None), None, images)
    assert not list(tmp_path.iterdir())


def test_without_the_runs_data_it_is_checked_on_photographs(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    run = trained("multilabel")
    state = torch.load(run.checkpoint, weights_only=True)
    state["sightline"]["config"]["data"]["path"] = str(tmp_path / "gone" / "labels.csv")
    torch.save(state, tmp_path / "moved.ckpt")
    words = [f"run={tmp_path / 'moved.ckpt'}", "format=torch_export", "output=model.pt2"]
    done = sightline("export", *words, tracked=False)
    assert done.status == 0, done.err
    assert "sample photographs" in done.out
    done = sightline(
        "export", words[0], "format=onnx", "output=m.onnx", "int8=static", tracked=False
    )
    assert done.status == 1
    assert "the accuracy is measured on the run's own images" in done.err


def test_what_cannot_be_exported_is_refused(
    sightline: Sightline, trained: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained("multiclass")
    Path("there.onnx").write_text("mine")
    cases = {
        "expected one of .onnx": ["format=onnx", "output=model.pt2"],
        "exists": ["format=onnx", "output=there.onnx"],
        "expected 'onnx' or 'torch_export'": ["format=tflite", "output=m.tflite"],
        "only format=onnx": ["format=torch_export", "output=m.pt2", "int8=static"],
    }
    for said, words in cases.items():
        done = sightline("export", f"run={run.folder}", *words, tracked=False)
        assert done.status == 1
        assert said in done.err
    monkeypatch.setitem(sys.modules, "onnx", None)
    words = [f"run={run.folder}", "format=onnx", "output=m.onnx", f"input={run.root}/val"]
    done = sightline("export", *words, tracked=False)
    assert done.status == 1
    assert "pip install 'sightline[export]'" in done.err
    assert {p.name for p in Path().iterdir()} == {"there.onnx"}
    assert Path("there.onnx").read_text() == "mine"
