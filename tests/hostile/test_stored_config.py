"""Config of a stranger's: whatever its containers and names, nothing that it names is called."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import instantiate
from support.marks import LEFT, NAMES, arm, hostile, plant

from sightline import __version__
from sightline.config.components import build, check_components
from sightline.config.compose import compose_job
from sightline.config.job_words import job_words
from sightline.config.schema import TrainConfig
from sightline.config.stored import PLUGINS, stored_config
from sightline.config.stored_words import check_composed, check_words
from sightline.errors import UserError
from sightline.evaluation.overrides import UNCHANGED, DataOverrides, overridden_config
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.models.build import rebuild_classifier
from sightline.runs.frozen import Frozen, read_frozen, write_frozen
from sightline.runs.resume import no_download
from sightline.sweeps.relaunch import _frozen_job
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.training import job as training_job
from sightline.training.rerun import _config_of
from sightline.types import PreprocessSpec

SEEDS = range(60)
COMPONENTS = ("label_mode", "model", "data", "loss", "optimizer", "scheduler", "trainer", "mix")
SPEC = PreprocessSpec(8, 1, (0.5,), (0.5,))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainConfig]:
    """A sound config, of which tests make hostile ones; the marks are within reach."""
    monkeypatch.chdir(tmp_path)
    config, _ = compose_job(["model.widths=[4]", "model.hidden=4", "tracking.uri=sqlite:///x.db"])
    arm(monkeypatch.setattr)
    LEFT.clear()
    yield config
    assert LEFT == []


def checkpoint_of(path: Path, config: dict[str, Any]) -> Path:
    about = {"version": __version__, "class_names": list("0123456789"),
             "preprocess": SPEC.to_dict(), "config": config}  # fmt: skip
    torch.save({"state_dict": {}, "sightline": about}, path)
    return path


def build_all(config: TrainConfig) -> None:
    """Build each part as a training or an evaluation would, with what the config allows."""
    check_components(config)
    for name in COMPONENTS:
        if node := getattr(config, name):
            build(node, name, config.plugins)


def refused(action: Callable[[], Any]) -> bool:
    """Whether it is refused in words; any other error fails the test."""
    try:
        action()
    except UserError:
        return True
    return False


def test_the_marks_are_left_by_hydras_own_instantiate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that the tests below can fail: every name is reached, and most nestings call one."""
    arm(monkeypatch.setattr)
    for name in NAMES:
        LEFT.clear()
        instantiate({"_target_": name})
        assert LEFT, name
    LEFT.clear()
    for seed in SEEDS:
        try:
            instantiate({"x": hostile(random.Random(seed))}, _convert_="all")
        except Exception:  # noqa: BLE001  what it refuses itself
            continue
    assert len(LEFT) > len(SEEDS) / 3
    LEFT.clear()


@pytest.mark.parametrize("place", ["model", "label_mode"])
def test_a_checkpoints_config(own: TrainConfig, tmp_path: Path, place: str) -> None:
    """What predict, features, export and the served model load."""
    sound = own.model_dump(exclude={"tracking"})
    classifier = rebuild_classifier(own.model, SPEC, 10, [])
    path = checkpoint_of(tmp_path / "sound.ckpt", sound)
    state = torch.load(path, weights_only=True)
    weights = {f"classifier.{key}": value for key, value in classifier.state_dict().items()}
    torch.save(state | {"state_dict": weights}, path)
    assert len(load_checkpoint(path).class_names) == 10
    for seed in SEEDS:
        config = plant(sound, place, random.Random(seed))
        assert refused(lambda c=config: load_checkpoint(checkpoint_of(tmp_path / "h.ckpt", c)))
    assert LEFT == []


@pytest.mark.parametrize("place", COMPONENTS)
def test_the_config_that_an_evaluation_reads_data_by(
    own: TrainConfig, tmp_path: Path, place: str
) -> None:
    """What evaluate and export read their own data by: the checkpoint's config."""
    sound = own.model_dump(exclude={"tracking"})
    for seed in SEEDS[:20]:
        path = checkpoint_of(tmp_path / "h.ckpt", plant(sound, place, random.Random(seed)))

        def evaluate(path: Path = path) -> None:
            stored = read_checkpoint(path)["sightline"].config
            build_all(overridden_config(stored, own, (), UNCHANGED))

        assert refused(evaluate)
    assert LEFT == []


@pytest.mark.parametrize("place", COMPONENTS)
def test_the_config_of_a_runs_folder_and_of_mlflow(
    own: TrainConfig, tmp_path: Path, place: str
) -> None:
    """What resume, jobs of sweeps and reproduce train by."""
    sound = own.model_dump(mode="json")
    (tmp_path / "config").mkdir()
    facts: dict[str, Any] = {"choices": {}, "overrides": [], "sweep": None, "command": "",
                             "arguments": [], "version": __version__, "data": {}}  # fmt: skip
    for seed in SEEDS[:20]:
        config = plant(sound, place, random.Random(seed))
        try:
            text = json.dumps(facts | {"config": config}, default=list)
        except ValueError:  # a cycle, which JSON does not have
            text = "{}"
        (tmp_path / "run.json").write_text(text)
        (tmp_path / "config/config.yaml").write_text(yaml.dump(config))
        stored = StoredRun("1", None, None, None, "r", "FINISHED", {}, {}, {}, str(tmp_path))
        assert refused(lambda: build_all(read_frozen(tmp_path / "run.json").config))  # type: ignore[union-attr]
        assert refused(lambda run=stored: build_all(_config_of(run, None, [])))
    assert LEFT == []


def test_nothing_is_downloaded_that_only_a_file_names(own: TrainConfig, tmp_path: Path) -> None:
    """data.download=true with any data.root would write there; a command says it itself."""
    data = own.model_dump()["data"] | {"download": True, "root": "/home/somebody"}
    stored = own.model_dump(mode="json") | {"data": data}
    config = overridden_config(stored, own, (), UNCHANGED)
    assert config.data["download"] is False
    changes = DataOverrides(["data.download=true"], False, [])
    assert overridden_config(stored, own, (), changes).data["download"] is True
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(stored))
    run = StoredRun("1", None, None, None, "r", "FINISHED", {}, {}, {}, str(tmp_path))
    uri = "sqlite:///x.db"
    assert _config_of(run, uri, []).data["download"] is False
    assert _config_of(run, uri, ["data.download=true"]).data["download"] is True
    assert no_download(config) == ["++data.download=false"]
    assert no_download(own) == []


def test_a_job_downloads_only_what_its_command_allows(
    own: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its config can come from a stranger's sweep folder."""
    words = ["data=torchvision", "data.name=CIFAR10", "data.root=/home/x", "data.download=true",
             "tracking.uri=sqlite:///x.db"]  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    config, job = compose_job(words)
    without, _ = compose_job([word for word in words if "download" not in word])
    folder = tmp_path / "0"
    folder.mkdir()
    write_frozen(folder / "run.json", Frozen(config, job, __version__, {}))
    ran: list[Any] = []
    monkeypatch.setattr(training_job, "run_job", lambda each, job, **more: ran.append(each))
    for allowed in ([], ["data.download=true"], ["package", "data.download=true"], ["package"]):
        training_job.run_frozen(folder, allowed)
        assert ran.pop().data["download"] is ("data.download=true" in allowed)
    assert job_words([config]) == ["data.download=true"]
    assert job_words([own]) == []
    for known in (config, without):
        again = _frozen_job(tmp_path, "0", config.tracking, [], [known])
        assert again.config.data["download"] is known.data["download"]


def test_what_is_refused_is_named() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    wide: Any = list(range(10))
    for _ in range(6):
        wide = [wide] * 10  # a million values from 70
    for values, message in (
        ({"model": {"x": (1, 2)}}, "at model.x .*got tuple"),
        ({"model": {"x": {1}}}, "got set"),
        ({"model": {"x": [b"a"]}}, r"at model\.x\[0\] .*got bytes"),
        ({"model": {"_args_": []}}, "Hydra acts on"),
        ({"x": "a${oc.env:HOME}"}, "interpolation"),
        ({1: 2}, "not a plain name"),
        ([1], "expected a mapping"),
        ({"x": deep}, "nested too deep"),
        ({"x": wide}, "too large"),
        ({"data": {"train": "pipe:touch x"}}, "command of the shell"),
        ({"data": {"train": ["a.tar::{p,x}ipe:touch x"]}}, "command of the shell"),
        ({"data": {"val": "pi\\pe:touch x"}}, "command of the shell"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            stored_config(values, "x.ckpt")
    shards = {"data": {"train": "https://host/{0000..0099}.tar", "val": "/data/{00..09}.tar"}}
    assert stored_config(shards, "x.ckpt") == shards


@pytest.mark.parametrize(("where", "target", "message"), [
    ("model", "torch.nn.modules.module.torch.hub.load", "no module"),
    ("model", "torch.nn.functional.relu", "takes a torch module"),
    ("model", "torch.nn.init.zeros_", "takes a torch module"),
    ("model", "torch.nn.modules.loss._Loss", "public name"),
    ("model", "sightline.models.weight_file.load_file", "defined in safetensors"),
    ("model", "sightline.models.backbone.fetch_weights", "takes a torch module"),
    ("model", "sightline.training.run.train", "could run any code"),
    ("model", "torch.nn", "no module|neither|could run"),
    ("loss", "torch.nn.Linear", "takes a loss"),
    ("loss", "torch.optim.SGD", "plugins|Expected a loss"),
    ("optimizer", "torch.optim.lr_scheduler.StepLR", "takes an optimizer"),
    ("scheduler", "torch.optim.SGD", "Expected a scheduler"),
    ("trainer", "pytorch_lightning.LightningModule", "takes a Trainer"),
    ("data", "sightline.data.sources.folder.existing_folder", "takes a data source"),
    ("label_mode", "sightline.types.MISSING", "could run any code"),
    ("report.x", "sightline.reports.sections.curves.draw_curves", "takes a section"),
])  # fmt: skip
def test_a_place_takes_its_own_kind_alone(where: str, target: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build({"_target_": target}, where, [])


def test_a_plugins_own_module_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import support.runs as plugin

    monkeypatch.setattr(plugin, "marks_leave", LEFT.append, raising=False)
    monkeypatch.setattr(plugin, "os_system", __import__("os").system, raising=False)
    assert build({"_target_": "support.marks.leave"}, "loss", ["support"]) is not None
    LEFT.clear()
    for name in ("marks_leave", "os_system"):
        with pytest.raises(UserError, match=r"neither|could run any code"):
            build({"_target_": f"support.runs.{name}"}, "loss", ["support"])


@pytest.mark.parametrize("word", [
    "hydra.callbacks={x:{_target_:support.marks.leave}}", "+hydra.callbacks.x._target_=os.system",
    "hydra/job_logging=evil", "+experiment@hydra.job=evil", "--config-path=/tmp", "--cfg=job",
    "data.root=${oc.env:HOME}", "++hydra.job.env_set.PYTHONPATH=/tmp", "~hydra.run",
])  # fmt: skip
def test_a_stored_argument_that_hydra_acts_on_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="is not taken from a file"):
        check_words(["seed=1", "--config-dir", "hydra", word], "run")
    check_words(["seed=1", "--config-dir", "configs", "+model.x=1", "~augment"], "run")


def test_the_configs_of_a_strangers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of configs that a run's arguments name: what it gives to Hydra, and its plugins."""
    evil = "hydra:\n  callbacks:\n    x:\n      _target_: support.marks.leave\n"
    (tmp_path / "experiment").mkdir()
    words = [f"--config-dir={tmp_path}", "experiment=evil"]
    for text, message in (
        (evil, r"set hydra\.callbacks"),
        ("hydra:\n  job:\n    env_set:\n      PYTHONPATH: /tmp\n", r"set hydra\.job\.env_set"),
        ("plugins: [support]\n", r"names plugins=\[support\]"),
    ):
        (tmp_path / "experiment/evil.yaml").write_text(f"# @package _global_\n{text}")
        with pytest.raises(UserError, match=message):
            check_composed(words, [], "run", None)
    check_composed(words, ["support"], "run", None)
    monkeypatch.setenv(PLUGINS, "other")
    with pytest.raises(UserError, match="plugins"):
        check_composed(words, ["other"], "run", None)
    assert LEFT == []
