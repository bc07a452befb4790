"""Every way in which Lightning can stop or validate: it ends with results, or is refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import pytorch_lightning as pl
from support.commands import QUICK, Sightline

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.training.fit import Results, fit_and_evaluate
from sightline.training.logging.progress import EpochLines
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.signals import Signals
from sightline.training.speed import FULL
from sightline.training.trainer import build_trainer

# Of 60 training images 8 batches, of 20 in val and in test 3 each.
SMALL = [
    "label_mode=multilabel", "data.canvases=[60,20,20]", "data.batch_size=8", "data.num_workers=0",
    "trainer=cpu", "model.widths=[4,8]", "model.hidden=16", "report=none",
]  # fmt: skip
AT_ONCE = "+trainer.max_time={microseconds:1}"  # over when the first batch ends
PATIENCE_0 = "early_stopping.patience_epochs=1"
WORSE = "early_stopping.min_delta=1000"  # no validation counts as better
STOPS = {
    "epochs": (["trainer.max_epochs=2"], 2, False),
    "steps within an epoch": (["+trainer.max_steps=3"], 1, False),
    "steps within the second epoch": (["+trainer.max_steps=11"], 2, False),
    "steps at the end of an epoch": (["+trainer.max_steps=8"], 1, False),
    "no time": ([AT_ONCE], 1, True),
    "no time, no limit of epochs": (
        [AT_ONCE, "trainer.max_epochs=-1", "+trainer.max_steps=99"], 1, True,
    ),
    "no time but two epochs": ([AT_ONCE, "+trainer.min_epochs=2"], 2, True),
    "no time but ten steps": ([AT_ONCE, "+trainer.min_steps=10"], 2, True),
    "no time, no validation": ([AT_ONCE, "+trainer.check_val_every_n_epoch=2"], 1, True),
    "early, between epochs": ([PATIENCE_0, WORSE], 2, True),
    "early, within an epoch": ([PATIENCE_0, WORSE, "+trainer.val_check_interval=0.25"], 1, True),
    "early, by batches": (
        [PATIENCE_0, WORSE, "+trainer.val_check_interval=5",
         "+trainer.check_val_every_n_epoch=null"], 2, True,
    ),
    "accumulated over the end": (
        ["trainer.accumulate_grad_batches=50", "trainer.max_epochs=2"], 2, False,
    ),
    "validated every second epoch": (
        ["+trainer.check_val_every_n_epoch=2", "trainer.max_epochs=3"], 3, False,
    ),
    "never validated": (["+trainer.check_val_every_n_epoch=5", "trainer.max_epochs=2"], 2, False),
    "averaged and never validated": (
        ["+trainer.check_val_every_n_epoch=5", "trainer.max_epochs=2", "ema.decay=0.9"], 2, False,
    ),
    "few batches": (
        ["+trainer.limit_train_batches=2", "+trainer.limit_val_batches=1",
         "+trainer.limit_test_batches=2", "trainer.max_epochs=1"], 1, False,
    ),
    "overfit": (["+trainer.overfit_batches=2", "trainer.max_epochs=2"], 2, False),
    "reloaded": (
        ["+trainer.reload_dataloaders_every_n_epochs=1", "trainer.max_epochs=2"], 2, False,
    ),
}  # fmt: skip


def fit(overrides: list[str], folder: Path) -> Results:
    quiet_libraries()
    config, _ = compose_job([*SMALL, *overrides])
    pl.seed_everything(config.seed, workers=True, verbose=False)
    return fit_and_evaluate(
        config, RunFolder(folder), set_up(config), Signals(), [EpochLines()], with_test=True
    )


@pytest.mark.filterwarnings("ignore:You requested to overfit")
@pytest.mark.parametrize("name", STOPS)
def test_it_ends_with_results(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    overrides, epochs, early = STOPS[name]
    found = fit(overrides, tmp_path)
    few = name == "few batches"
    val = 8 if few else 16 if name == "overfit" else 20
    assert {split: len(table) for split, table in found.predictions.items()} == {
        "val": val, "test": 16 if few else 20,
    }  # fmt: skip
    assert (found.epochs, found.stopped_early) == (epochs, early)
    assert 0 <= found.best_epoch < epochs
    assert caplog.text.count("images/s") == epochs
    assert caplog.text.count("train/loss") == epochs
    unvalidated = ("steps within an epoch", "no time, no validation", "never validated",
                   "averaged and never validated")  # fmt: skip
    assert ("before its first validation" in caplog.text) == (name in unvalidated)
    again = fit(overrides, tmp_path)  # as after a failure behind the fit
    assert again.predictions["test"].probs.tolist() == found.predictions["test"].probs.tolist()
    assert (again.best_epoch, again.stopped_early) == (found.best_epoch, early)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+trainer.fast_dev_run=true", "trainer.fast_dev_run"),
        ("+trainer.max_steps=0", "trainer.max_steps=0"),
        ("+trainer.limit_train_batches=0", "trainer.limit_train_batches=0"),
        ("+trainer.limit_val_batches=0", "trainer.limit_val_batches=0"),
        ("+trainer.limit_test_batches=0.0", "trainer.limit_test_batches=0"),
        ("+trainer.barebones=true", "barebones"),
        ("+trainer.val_check_interval=2.5", "val_check_interval"),
    ],
)
def test_what_would_train_or_keep_nothing_is_refused(
    override: str, said: str, tmp_path: Path
) -> None:
    config, _ = compose_job([*SMALL, override])
    with pytest.raises(UserError, match=said):
        build_trainer(config, [], RunFolder(tmp_path), FULL)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+trainer.val_check_interval=9", "must be less than or equal"),
        ("+trainer.limit_val_batches=0.1", "limit_val_batches"),
        ("+trainer.limit_train_batches=0.01", "limit_train_batches"),
        ("+trainer.max_time={seconds:0}", "nothing was trained"),
        ("trainer.max_epochs=-1", "has no last step"),
    ],
)
def test_a_refusal_of_lightnings_is_one_message(override: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"trainer.*{said}"):
        fit([override], tmp_path)


def test_a_run_that_stops_within_its_first_epoch_is_finished(sightline: Sightline) -> None:
    words = [word for word in QUICK if not word.startswith("trainer.max_epochs")]
    done = sightline(
        "train", *words, PATIENCE_0, WORSE, "+trainer.val_check_interval=0.25", "report=per_class",
        "hydra.run.dir=run",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.run.info.status == "FINISHED"
    assert {"train/loss", "val/loss", "test/accuracy"} <= set(done.run.data.metrics)
    folder = Path(done.run.data.tags["run_folder"])
    assert (folder / "report.html").is_file()
    results = json.loads((folder / "results.json").read_text())
    assert (results["epochs"], results["stopped_early"]) == (1, True)
    assert len(Predictions.read(folder / "predictions/test.parquet")) == 359
    again = sightline("train", f"resume={folder}", "report=per_class")
    assert again.status == 0, again.err
    assert "This run is finished" in again.out + again.err
