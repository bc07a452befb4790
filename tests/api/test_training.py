"""Trainings from Python: objects for data, model and callbacks, and the run that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback
from support.figures import draw_each_form_once
from support.forked import ForkServer
from support.stores import copy_store
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import sightline
from sightline.errors import UserError
from sightline.paths import project_root

pytestmark = pytest.mark.xdist_group("api")
QUICK = [
    "trainer.max_epochs=2", "trainer.accelerator=cpu", "data.num_workers=0", "report=none",
    "augment=none", "tracking.system_metrics_interval_s=null", "optimizer.lr=0.02",
]  # fmt: skip


class Squares(Dataset[tuple[Any, int]]):
    """Bright and dark squares of 8×8 pixels, as tensors, arrays or images."""

    classes = ("dark", "bright")

    def __init__(self, count: int, kind: str, seed: int) -> None:
        sampled = np.random.default_rng(seed)
        self.targets = [i % 2 for i in range(count)]
        levels = np.array(self.targets)[:, None, None] * 120 + 20
        self.pixels = (levels + sampled.integers(0, 60, (count, 8, 8))).astype(np.uint8)
        self.kind = kind

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        array = self.pixels[index]
        made = {"image": Image.fromarray, "array": np.asarray, "tensor": torch.from_numpy}
        return made[self.kind](array), self.targets[index]


class Epochs(Callback):
    """The number of epochs that ended."""

    seen = 0

    def on_train_epoch_end(self, *_: object) -> None:
        self.seen += 1


Given: TypeAlias = tuple[sightline.Run, Epochs, nn.Module]


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path, forked_processes: ForkServer
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    copy_store(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        draw_each_form_once(patch, forked_processes.figures)
        project_root.cache_clear()
        yield folder
    project_root.cache_clear()


@pytest.fixture(scope="module")
def given(project: Path) -> Given:
    """A run of an own model, own data and an own callback, that the tests below only read."""
    epochs, model = Epochs(), network()
    data = {"train": Squares(64, "tensor", 0), "test": Squares(32, "image", 1)}
    run = sightline.train(
        [*QUICK, "data.val_fraction=0.25"], data=data, model=model, callbacks=[epochs]
    )
    return run, epochs, model


def test_objects_are_trained_and_come_back_as_a_run(given: Given, project: Path) -> None:
    run, epochs, model = given
    assert epochs.seen == 2
    assert run.status == "FINISHED"
    assert run.folder is not None
    assert run.folder.is_relative_to(project)
    test = run.metrics[run.metrics.split == "test"].set_index("metric")
    table = run.predictions("test")
    own = float((table[["prob_dark", "prob_bright"]].to_numpy().argmax(1) == table.target).mean())
    assert own == pytest.approx(test.value["accuracy"])
    assert own > 0.9
    assert test.low["accuracy"] <= own <= test.high["accuracy"]
    assert len(run.predictions("val")) == 16  # a quarter of train
    assert run.config is not None
    assert run.config["data"]["_target_"].endswith("given_source")
    # One model everywhere: the object's own logits are those of the loaded model.
    loaded = sightline.load(run.folder, model=network())
    images = Squares(32, "image", 1)
    batch = loaded.prepare([images[i][0] for i in range(32)])
    spec = loaded.preprocess
    normal = (batch / 255 - torch.tensor(spec.mean).view(1, -1, 1, 1)) / torch.tensor(
        spec.std
    ).view(1, -1, 1, 1)
    expected = torch.softmax(loaded.classifier.network(normal), 1).detach().numpy()
    np.testing.assert_allclose(expected, table[["prob_dark", "prob_bright"]], atol=1e-6)
    assert type(model) is type(loaded.classifier.network)
    assert repr(run).startswith(f"<Run {run.name}")
    assert "<table" in run._repr_html_()


def test_a_model_that_was_given_is_not_loaded_without_it(
    given: Given,
) -> None:
    run, _, _ = given
    assert run.folder is not None
    with pytest.raises(UserError, match=r"sightline.load\(RUN, model=NETWORK\)"):
        sightline.load(run.folder)
    with pytest.raises(UserError, match="the weights do not fit"):
        sightline.load(run.folder, model=nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    with pytest.raises(UserError, match=r"sightline.train\(\[...\], data=DATA\)"):
        sightline.train([f"resume={run.folder}", "trainer.max_epochs=3"])


def test_a_run_is_evaluated_on_other_data_of_its_classes(given: Given, project: Path) -> None:
    run, _, _ = given
    other = Squares(20, "image", 7)
    for index in range(20):
        path = project / "other" / other.classes[other.targets[index]] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        other[index][0].save(path)
    table = run.evaluate(
        ["data=folder", f"data.root={project}/other", "data.splits=auto"], name="other",
        report=False,
    )  # fmt: skip
    found = table[table.part == "other"].set_index("metric")
    own = run.predict(sorted((project / "other").rglob("*.png")))
    right = [Path(path).parent.name == pred for path, pred in zip(own.path, own.pred, strict=True)]
    assert found.value["accuracy"] == pytest.approx(np.mean(right))
    assert "other/accuracy" in sightline.Run(str(run.id)).logged
    with pytest.raises(UserError, match=r"Unknown argument 'slice'\. Did you mean 'slices'"):
        run.evaluate(slice=["site"])


def test_runs_are_listed_filtered_and_compared(given: Given, project: Path) -> None:
    run, _, _ = given
    listed = sightline.search_runs()
    assert list(listed.id) == [run.id]
    assert float(listed["val_best/accuracy"][0]) == pytest.approx(
        run.metrics.set_index(["split", "metric"]).value["val", "accuracy"]
    )
    assert len(sightline.search_runs("`val_best/accuracy` > 0.5 and seed == '0'")) == 1
    assert len(sightline.search_runs("`val_best/accuracy` > 1")) == 0
    with pytest.raises(UserError, match=r"no column val_best/acuracy\. Did you mean"):
        sightline.search_runs("`val_best/acuracy` > 1")
    with pytest.raises(UserError, match="where="):
        sightline.search_runs("import os")
    board = sightline.compare([run], metric="accuracy").leaderboard
    assert list(board["run ids"]) == [run.id]
    with pytest.raises(UserError, match=r"Unknown argument 'metrik'\. Did you mean 'metric'"):
        sightline.compare([run], metrik="accuracy")
    assert not (project / "comparisons").exists()


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({"data": DataLoader(TensorDataset(torch.zeros(2, 1, 8, 8), torch.zeros(2)))},
         "data is a DataLoader; expected a sightline.SourceData"),
        ({"data": {"training": Squares(8, "array", 0)}}, r"data\['training'\] is a Squares"),
        ({"data": {"test": Squares(8, "array", 0)}}, "no split train"),
        ({"data": [1, 2, 3]}, r"an item of list is a int; expected \(image, target\)"),
        ({"callbacks": [print]}, "expected a Callback of pytorch_lightning"),
    ],
)  # fmt: skip
def test_other_objects_are_refused_and_leave_nothing(
    project: Path, objects: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sightline.train([*QUICK, f"hydra.run.dir={project}/refused"], **objects)
    assert not (project / "refused").exists()


def test_a_choice_beside_an_object_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match="model: an object is given, and model=cnn too"):
        sightline.train(["model=cnn"], model=network())
    with pytest.raises(UserError, match=r"trainer\.devices=1"):
        sightline.train(
            [*QUICK, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"],
            data=Squares(32, "array", 0),
        )


def test_images_of_every_kind_are_predicted_alike(given: Given, project: Path) -> None:
    run, _, _ = given
    arrays = Squares(6, "array", 3).pixels
    model = run.model
    expected = model.predict(list(arrays))
    assert list(expected.id) == [str(i) for i in range(6)]
    path = project / "one.png"
    Image.fromarray(arrays[0]).save(path)
    images: list[Any] = [
        Image.fromarray(arrays[0]), arrays[0], torch.from_numpy(arrays[0])[None],
        path.read_bytes(), path, str(path),
    ]  # fmt: skip
    table = model.predict(images)
    np.testing.assert_allclose(table.prob_dark, expected.prob_dark[0], rtol=1e-6)
    assert list(table.path)[-2:] == [str(path)] * 2
    for single in (images[0], arrays[0], images[2], images[3], path):
        assert model.predict(single).prob_dark[0] == pytest.approx(expected.prob_dark[0])
    batch: Tensor = torch.from_numpy(arrays)[:, None]
    np.testing.assert_allclose(model.predict(batch).prob_dark, expected.prob_dark, rtol=1e-6)
    mixed = model.predict([arrays[1], 7])
    assert "a int; expected an image, an array or a path" in mixed.error[1]
    assert mixed.prob_dark[0] == pytest.approx(expected.prob_dark[1])
    with pytest.raises(UserError, match="root: for paths alone"):
        model.predict([arrays[0]], root="photos")
    assert repr(model) == "<LoadedModel Sequential, multiclass, 2 classes, 8×8 pixels, on cpu>"


def test_a_finished_run_is_resumed_with_its_objects_for_more_epochs(
    given: Given,
) -> None:
    run, epochs, _ = given
    data = {"train": Squares(64, "tensor", 0), "test": Squares(32, "image", 1)}
    more = sightline.train(
        [f"resume={run.folder}", "trainer.max_epochs=3"], data=data, model=network(),
        callbacks=[epochs],
    )  # fmt: skip
    assert more.folder == run.folder
    assert epochs.seen == 3
    changed = {**data, "train": Squares(64, "tensor", 5)}
    with pytest.raises(UserError, match="holds a run on other data"):
        sightline.train(
            [f"resume={run.folder}", "trainer.max_epochs=4"], data=changed, model=network()
        )


def test_a_sweep_comes_back_with_its_runs_board_and_best(project: Path) -> None:
    words = ["model.widths=[4]", "model.hidden=4,32", *QUICK, "trainer.max_epochs=1",
             "data.batch_size=512"]  # fmt: skip
    swept = sightline.sweep(words)
    assert swept.name == "hidden"
    assert [run.params["model.hidden"] for run in swept.runs] == ["4", "32"]
    board = swept.board.leaderboard
    losses = {str(run.folder): run.logged["val_best/loss"] for run in swept.runs}
    means = [np.mean([losses[each] for each in ids.split()]) for ids in board["run ids"]]
    assert list(board["val_best/loss mean"]) == pytest.approx(means)
    assert means[0] < means[1]
    assert swept.best.params["model.hidden"] == board["model.hidden"][0]
    assert len(swept.table) == 2
    assert repr(swept) == "<SweepRuns hidden, 2 finished runs>"
    assert "<table" in swept._repr_html_()
    with pytest.raises(UserError, match="no sweep of Sightline"):
        sightline.SweepRuns(project)
