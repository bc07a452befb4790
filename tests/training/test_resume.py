"""Going on after an interruption: nothing of what is trained tells that there was one."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from support.commands import SMALL
from support.data_sets import make_shards
from support.differences import checkpoint_differences
from support.images import make_folder

from sightline.config.compose import compose_job
from sightline.errors import Interrupted
from sightline.models.weight_file import zip_damage
from sightline.runs.find import find_unfinished
from sightline.runs.folder import RunFolder
from sightline.tracking.tracker import Tracker
from sightline.training.checkpointing.files import (
    LAST,
    PREVIOUS,
    AtomicCheckpointIO,
    find_checkpoint,
    read_progress,
)
from sightline.training.fit import fit_and_evaluate
from sightline.training.logging.results import Results
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.signals import Signals


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
    config, _ = compose_job([*own, *overrides, f"hydra.run.dir={folder}"])
    torch.manual_seed(config.seed)
    setup = set_up(config)
    torch.manual_seed(len(further))  # what was drawn before does not matter
    np.random.seed(len(further))
    return fit_and_evaluate(
        config, RunFolder(folder), setup, signals or Signals(), [*further, histories], True
    )


def assert_same_as(
    whole: tuple[Path, Histories, Results], other: Path, parts: Histories, again: Results
) -> None:
    one, histories, results = whole
    assert parts.epochs == histories.epochs
    assert not list(checkpoint_differences(one, other))
    assert results.losses == again.losses
    assert results.tuning == again.tuning
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
    "sam, plateau, groups": [
        "data=folder", "data.cache=ram", "method=sam", "scheduler=plateau",
        "scheduler.patience_epochs=0", "scheduler.threshold=0.5", "scheduler.warmup_epochs=0.5",
        "optimizer.param_groups=[{pattern:head.*,lr_factor:3},{pattern:neck.*,freeze:true}]",
    ],
    "crops of batches, repeated": [
        "data=folder", "data.cache=ram", "augment=random_resized_crop", "augment.form=batches",
        "augment.repeats=3", "mix=mixup", "mix_off_epochs=1", "model.img_size=[32,24]",
    ],
    "a recipe of timm's, workers": ["data=folder", "data.cache=none", "data.num_workers=2",
                                    "augment=timm_randaugment", "augment.frame_size=null"],
    "stream": ["data=webdataset", "data.num_workers=0"],
    "stream, workers": ["data=webdataset", "data.num_workers=2", "augment=randaugment"],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def impatience() -> Iterator[None]:
    """Loaders that a `Killed` left behind are told so by a time limit of 5 s, for each worker."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (torch.utils.data._utils, torch.utils.data._utils.worker):
            patch.setattr(module, "MP_STATUS_CHECK_INTERVAL", 0.2)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The data sets that the cases name: 38 training images in batches of 7."""
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


Whole = Callable[[str, list[str]], tuple[Path, Histories, Results]]


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Each case without an interruption, trained once, with checkpoints at the same steps."""

    @cache
    def train(case: str, overrides: tuple[str, ...]) -> tuple[Path, Histories, Results]:
        folder, histories = tmp_path_factory.mktemp("whole"), Histories()
        return folder, histories, run(folder, list(overrides), histories)

    return lambda case, overrides: train(case, tuple(overrides))


@pytest.mark.parametrize("case", CASES)
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    tmp_path: Path, data: dict[str, list[str]], whole_runs: Whole, case: str
) -> None:
    overrides = [*CASES[case], *data[CASES[case][0]], "checkpoint.every_n_steps=2"]
    parts = Histories()
    moments = [(0, 4, "train"), (1, 0, "val"), (1, 0, "epoch_end"), (2, 0, "final")]
    met = 0
    for moment in moments:
        try:
            run(tmp_path, overrides, parts, Meet(stop, *moment))
        except Killed:
            met += 1
    assert met >= 3  # other steps, other epochs: not every case meets all of them
    again = run(tmp_path, overrides, parts)
    assert_same_as(whole_runs(case, overrides), tmp_path, parts, again)


@pytest.mark.parametrize(
    ("case", "moment"),
    [
        ("accumulated", (0, 1, "train")),
        ("accumulated", (1, 0, "epoch_end")),
        ("validated often", (1, 0, "val")),
        ("none, workers", (0, 5, "train")),
    ],
    ids=str,
)
def test_a_stopped_training_loses_no_batch(
    tmp_path: Path, data: dict[str, list[str]], whole_runs: Whole, case: str,
    moment: tuple[int, int, str],
) -> None:  # fmt: skip
    """A signal comes; it saves where no checkpoint would be saved otherwise."""
    overrides = [*CASES[case], *data[CASES[case][0]]]
    parts, signals = Histories(), Signals()
    meeting = Meet(lambda: signals._handle(15, None), *moment)
    with pytest.raises(Interrupted):
        run(tmp_path, overrides, parts, meeting, signals=signals)
    step = torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)["global_step"]
    again = run(tmp_path, overrides, parts, Meet(stop, 9, 9, "train"))
    assert step > 0
    assert_same_as(whole_runs(case, overrides), tmp_path, parts, again)


def test_under_slurm_a_signal_saves_and_the_run_goes_on(
    tmp_path: Path, data: dict[str, list[str]], whole_runs: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = "accumulated"
    overrides = [*CASES[case], *data[CASES[case][0]]]
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    parts, signals, saved = Histories(), Signals(), []
    last = tmp_path / "checkpoints" / LAST

    def requeue(*_: object) -> None:  # what submitit does, once all is saved
        saved.append(read_progress(last).step)

    with signals.installed():
        signals._before[signal.SIGUSR2] = requeue
        moment = Meet(lambda: signal.raise_signal(signal.SIGUSR2), 1, 0, "train")
        again = run(tmp_path, overrides, parts, moment, signals=signals)
    assert saved == [4]  # before the group of batches that was to come
    assert_same_as(whole_runs(case, overrides), tmp_path, parts, again)


class Counts(Callback):
    """A user's callback, whose state changes in each hook of a training and of its validations."""

    HOOKS = (
        "on_train_epoch_start", "on_train_batch_start", "on_before_zero_grad", "on_after_backward",
        "on_before_optimizer_step", "on_train_batch_end", "on_validation_start",
        "on_validation_epoch_start", "on_validation_batch_start", "on_validation_batch_end",
        "on_validation_epoch_end", "on_validation_end", "on_train_epoch_end",
    )  # fmt: skip

    def __init__(self) -> None:
        self.counts = dict.fromkeys(self.HOOKS, 0)
        for hook in self.HOOKS:
            setattr(self, hook, partial(self._count, hook))

    def _count(self, hook: str, trainer: Trainer, *_: Any, **more: Any) -> None:
        self.counts[hook] += trainer.state.fn == "fit"

    def state_dict(self) -> dict[str, Any]:
        return self.counts

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = dict(state)


@pytest.mark.parametrize(
    ("every", "stopped", "moments"),
    [
        ("2", False, [(0, 3, "train"), (1, 2, "train"), (1, 0, "val"), (1, 0, "epoch_end")]),
        ("null", True, [(0, 3, "train"), (1, 2, "val"), (2, 0, "val"), (2, 0, "epoch_end")]),
    ],
)
def test_the_state_of_a_users_callback_is_that_of_an_uninterrupted_run(
    tmp_path: Path, data: dict[str, list[str]], every: str, stopped: bool,
    moments: list[tuple[int, int, str]],
) -> None:  # fmt: skip
    overrides = ["data=folder", "data.cache=ram", *data["data=folder"], "data.val_fraction=0.3",
                 f"checkpoint.every_n_steps={every}", "early_stopping.patience_epochs=null",
                 "evaluate_test=false"]  # fmt: skip
    whole = Counts()
    run(tmp_path / "whole", overrides, Histories(), whole)
    assert all(whole.counts.values()), whole.counts
    for moment in moments:
        signals = Signals()
        do = partial(signals._handle, 15, None) if stopped else stop
        with pytest.raises(Interrupted if stopped else Killed):
            run(tmp_path / "parts", overrides, Histories(), Counts(), Meet(do, *moment),
                signals=signals)  # fmt: skip
    resumed = Counts()
    run(tmp_path / "parts", overrides, Histories(), resumed)
    assert resumed.counts == whole.counts


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, data: dict[str, list[str]], whole_runs: Whole, caplog: pytest.LogCaptureFixture
) -> None:
    case = "disk, balanced"
    overrides = [*CASES[case], *data[CASES[case][0]], "checkpoint.every_n_steps=2"]
    parts = Histories()
    with pytest.raises(Killed):
        run(tmp_path, overrides, parts, Meet(stop, 1, 3, "train"))
    last = tmp_path / "checkpoints" / LAST
    last.write_bytes(last.read_bytes()[:-1000])
    with caplog.at_level(logging.WARNING), pytest.raises(Killed):
        run(tmp_path, overrides, parts, Meet(stop, 1, 5, "train"))
    assert f"{last} is damaged" in caplog.text
    previous = last.with_name(PREVIOUS)
    assert zip_damage(last) is None
    assert zip_damage(previous) is None  # the damaged one did not take its place
    again = run(tmp_path, overrides, parts)
    assert_same_as(whole_runs(case, overrides), tmp_path, parts, again)


def test_every_kind_of_damage_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = AtomicCheckpointIO(last_is_sound=True)
    state = {"weights": torch.randn(3000), "names": ["a", "b"]}
    for number in range(3):
        writer.save_checkpoint(state | {"number": number}, tmp_path / LAST)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, PREVIOUS}
    sound = (tmp_path / LAST).read_bytes()
    middle = len(sound) // 2
    harms = {
        "empty": b"",
        "truncated": sound[:middle],
        "cut by a byte": sound[:-1],
        "zeroed": bytes(len(sound)),
        "zeros in the middle": sound[:middle] + bytes(512) + sound[middle + 512 :],
        "garbage": np.random.default_rng(0).bytes(len(sound)),
        "one bit": sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :],
    }
    for harm, content in harms.items():
        (tmp_path / LAST).write_bytes(content)
        found = find_checkpoint(tmp_path / LAST)
        assert found == tmp_path / PREVIOUS, harm
        assert torch.load(found, weights_only=True)["number"] == 1
        (tmp_path / PREVIOUS).rename(tmp_path / "kept")
        assert find_checkpoint(tmp_path / LAST) is None, harm
        (tmp_path / "kept").rename(tmp_path / PREVIOUS)
    assert "is damaged" in caplog.text


def test_more_epochs_go_on_with_the_schedule_of_the_new_length(
    tmp_path: Path, data: dict[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    overrides = [*data["data=folder"], "data=folder", "data.cache=ram", "optimizer.lr=0.01"]
    first = run(tmp_path, [*overrides, "trainer.max_epochs=2"], Histories())
    with caplog.at_level(logging.INFO):
        more = run(tmp_path, [*overrides, "trainer.max_epochs=4"], Histories())
    assert (first.epochs, more.epochs) == (2, 4)
    assert "the learning rate goes from 0.0001 to 0.007" in caplog.text
    state = torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)
    assert state["global_step"] == 4 * 6
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-4)


def test_the_newest_unfinished_run_of_the_same_config_is_found(tmp_path: Path) -> None:
    def found(*words: str) -> Path | None:
        folder = find_unfinished(tmp_path, compose_job(list(words))[0])
        return None if folder is None else folder.path

    folders = [tmp_path / name for name in ("old", "new", "longer", "finished")]
    epochs = (3, 3, 5, 7)
    for age, (folder, count) in enumerate(zip(folders, epochs, strict=True)):
        config, job = compose_job([f"trainer.max_epochs={count}", f"hydra.run.dir={folder}"])
        RunFolder(folder).freeze(config, job)
        os.utime(folder / "run.json", (age, age))
    tracker = Tracker(RunFolder(folders[3]))
    tracker.start("finished", {})
    tracker.finish("FINISHED")
    assert found("trainer.max_epochs=3") == folders[1]
    assert found("trainer.max_epochs=5") == folders[2]
    assert found("trainer.max_epochs=4") is None
    assert found("trainer.max_epochs=7") is None
    assert found("trainer.max_epochs=3", "seed=1") is None
