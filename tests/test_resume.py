"""Going on after an interruption: nothing of what is trained tells that there was one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, make_folder
from pytorch_lightning import Callback, LightningModule, Trainer
from test_sources import make_shards

from sightline.compose import compose_job
from sightline.errors import Interrupted
from sightline.training.checkpoints import BEST, LAST
from sightline.training.interruption import Signals
from sightline.training.results import Results
from sightline.training.run import _fit_and_evaluate, quiet_libraries
from sightline.training.setup import set_up


class Killed(BaseException):
    """What a SIGKILL leaves, without a process of its own: nothing handles it, nothing is saved."""


class Meet(Callback):
    """Does something once, at the start of a given batch of training or of validation."""

    def __init__(self, do: Callable[[], None], epoch: int, batch: int, hook: str) -> None:
        self.do = do
        self.when = (epoch, batch, hook)
        self.met = False

    def _meet(self, epoch: int, batch: int, hook: str) -> None:
        if (epoch, batch, hook) == self.when and not self.met:
            self.met = True
            self.do()

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Any, index: int) -> None:
        self._meet(trainer.current_epoch, index, "train")

    def on_validation_batch_start(
        self, trainer: Trainer, module: Any, batch: Any, index: int, loader: int = 0
    ) -> None:
        self._meet(trainer.current_epoch, index, "val" if trainer.state.fn == "fit" else "final")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._meet(trainer.current_epoch, 0, "epoch_end")


class Histories(Callback):
    """Every epoch's metrics."""

    def __init__(self) -> None:
        self.epochs: dict[int, dict[str, float]] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics: Any = pl_module.epoch_metrics
        now = {k: v for k, v in metrics.items() if "per_second" not in k}
        before = self.epochs.setdefault(trainer.current_epoch, now)
        assert before == now  # an epoch that is trained again brings the same


def run(
    folder: Path, overrides: list[str], histories: Histories, *further: Callback,
    signals: Signals | None = None,
) -> Results:  # fmt: skip
    quiet_libraries()
    own = [*SMALL, "trainer=cpu", "trainer.max_epochs=3", "early_stopping.patience_epochs=2"]
    config, job = compose_job([*own, *overrides, f"hydra.run.dir={folder}"])
    torch.manual_seed(config.seed)
    setup = set_up(config)
    torch.manual_seed(len(further))  # what was drawn before does not matter
    np.random.seed(len(further))
    return _fit_and_evaluate(config, job, setup, signals or Signals(), [*further, histories])


def assert_same(one: Any, other: Any, where: str) -> None:
    """Equal bit for bit; times and places differ."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            if not any(word in str(key) for word in ("path", "seconds", "second", "best_k")):
                assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other or (one != one and other != other), f"{where}: {one} {other}"


def assert_same_runs(one: Path, other: Path, results: Results, again: Results) -> None:
    for name in (BEST, LAST):
        states = [torch.load(path / "checkpoints" / name, weights_only=True)
                  for path in (one, other)]  # fmt: skip
        assert_same(*states, name)
    assert results.metrics == again.metrics
    assert (results.epochs, results.best_epoch) == (again.epochs, again.best_epoch)
    for split, table in results.predictions.items():
        np.testing.assert_array_equal(table.probs, again.predictions[split].probs)
        np.testing.assert_array_equal(table.ids, again.predictions[split].ids)


def stop() -> None:
    raise Killed


CASES = {
    "device": ["data=digits", "data.cache=device", "data.batch_size=200", "augment=standard",
               "mix=mixup_cutmix", "ema.decay=0.9"],
    "ram, workers": ["data=folder", "data.cache=ram", "data.num_workers=2", "augment=randaugment"],
    "disk, balanced": ["data=folder", "data.cache=disk", "data.sampler=balanced"],
    "none, workers": ["data=folder", "data.cache=none", "data.num_workers=2", "mix=mixup",
                      "augment=augmix"],
    "accumulated": ["data=folder", "data.cache=ram", "trainer.accumulate_grad_batches=2"],
    "validated often": ["data=folder", "data.cache=ram", "+trainer.val_check_interval=2",
                        "ema.decay=0.5"],
    "by steps": ["data=folder", "data.cache=ram", "+trainer.max_steps=13",
                 "trainer.max_epochs=-1"],
    "stream": ["data=webdataset", "data.num_workers=0"],
    "stream, workers": ["data=webdataset", "data.num_workers=2", "augment=randaugment"],
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The data sets that the cases name: 38 training pictures in batches of 7."""
    root = tmp_path_factory.mktemp("data")
    make_folder(root / "photos", {"cat": 27, "dog": 27})
    make_shards(root / "s", {"train": [12, 9, 11, 6], "val": [9], "test": [9]})
    shards = [f"data.{name}={root}/s/{name}-*.tar" for name in ("train", "val", "test")]
    return {
        "data=digits": [],
        "data=folder": [f"data.root={root}/photos", "data.batch_size=7"],
        "data=webdataset": [*shards, "data.class_names=[even,odd]", "label_mode=binary",
                            "data.batch_size=7"],
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    tmp_path: Path, data: dict[str, list[str]], case: str
) -> None:
    overrides = [*CASES[case], *data[CASES[case][0]], "checkpoint.every_n_steps=2"]
    whole = Histories()
    results = run(tmp_path / "whole", overrides, whole)
    parts = Histories()
    moments = [(0, 0, "train"), (0, 4, "train"), (1, 3, "train"), (1, 0, "val"),
               (1, 0, "epoch_end"), (2, 1, "train"), (2, 0, "final")]  # fmt: skip
    met = 0
    for moment in moments:
        meeting = Meet(stop, *moment)
        try:
            again = run(tmp_path / "parts", overrides, parts, meeting)
        except Killed:
            met += 1
    assert met >= 5
    again = run(tmp_path / "parts", overrides, parts)
    assert parts.epochs == whole.epochs
    assert_same_runs(tmp_path / "whole", tmp_path / "parts", results, again)


@pytest.mark.parametrize("moment", [(0, 2, "train"), (1, 0, "val"), (1, 0, "epoch_end")], ids=str)
@pytest.mark.parametrize("case", ["accumulated", "validated often", "none, workers"])
def test_a_stopped_training_loses_no_batch(
    tmp_path: Path, data: dict[str, list[str]], case: str, moment: tuple[int, int, str]
) -> None:
    """A signal comes; no checkpoints are saved within epochs otherwise."""
    overrides = [*CASES[case], *data[CASES[case][0]]]
    whole, parts = Histories(), Histories()
    results = run(tmp_path / "whole", overrides, whole)
    signals = Signals()
    meeting = Meet(lambda: signals._handle(15, None), *moment)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", overrides, parts, meeting, signals=signals)
    again = run(tmp_path / "parts", overrides, parts)
    assert parts.epochs == whole.epochs
    assert_same_runs(tmp_path / "whole", tmp_path / "parts", results, again)


@pytest.mark.parametrize("harm", ["truncated", "zeroed", "garbage", "empty", "one byte"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, data: dict[str, list[str]], harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = [*CASES["disk, balanced"], *data["data=folder"], "checkpoint.every_n_steps=2"]
    whole, parts = Histories(), Histories()
    results = run(tmp_path / "whole", overrides, whole)
    with pytest.raises(Killed):
        run(tmp_path / "parts", overrides, parts, Meet(stop, 1, 3, "train"))
    last = tmp_path / "parts" / "checkpoints" / LAST
    content = bytearray(last.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    last.write_bytes({
        "truncated": bytes(content[:middle]),
        "zeroed": bytes(len(content)),
        "garbage": np.random.default_rng(0).bytes(len(content)),
        "empty": b"",
        "one byte": bytes(content),
    }[harm])  # fmt: skip
    with caplog.at_level(logging.WARNING):
        again = run(tmp_path / "parts", overrides, parts)
    assert f"{last} is damaged" in caplog.text
    assert parts.epochs == whole.epochs
    assert_same_runs(tmp_path / "whole", tmp_path / "parts", results, again)
