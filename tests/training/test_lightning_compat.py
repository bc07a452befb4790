"""What is used of Lightning's internals: a release that changes it fails here, by name."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from sightline.training import lightning_compat as compat
from sightline.training.rank_processes import RankProcesses


class Line(pl.LightningModule):
    """One weight, of which every batch is one step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return (self.weight - batch[0]).square().mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val", self.weight.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.ones(6, 1)), batch_size=2)


def trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu", devices=1, logger=False, default_root_dir=folder, max_epochs=2,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
        num_sanity_val_steps=0, **options,
    )  # fmt: skip


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),  # Lightning's use of a newer torch
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable.*"),
]


def test_lightning_installs_no_signal_handler(tmp_path: Path) -> None:
    during = []

    class Look(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            during.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    quiet = trainer(tmp_path, Look(), enable_checkpointing=False)
    compat.disable_signal_handlers(quiet)
    quiet.fit(Line(), loader(), loader())
    assert set(during) == {before}
    during.clear()
    trainer(tmp_path, Look(), enable_checkpointing=False).fit(Line(), loader(), loader())
    assert before not in during  # without it, Lightning has its own


def test_ranks_are_started_with_the_given_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that it is put back
        monkeypatch.delenv(name)
    two = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False,
                     enable_checkpointing=False, default_root_dir=tmp_path)  # fmt: skip
    code = (
        "import os, sys; open(sys.argv[1], 'w').write(os.environ['LOCAL_RANK'] + os.getenv('OWN'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "rank")]
    ranks = RankProcesses(command, {"OWN": "a"})
    compat.start_ranks_with(two, ranks.start)
    launcher: Any = two.strategy.launcher
    launcher._call_children_scripts()
    assert [process.wait() for process in ranks._processes.values()] == [0]
    ranks.leave()
    assert launcher.procs == []  # Lightning's own observer has none to watch
    assert (tmp_path / "rank").read_text() == "1a"
    assert "OWN" not in os.environ
    assert os.environ["LOCAL_RANK"] == "0"
    assert os.environ["WORLD_SIZE"] == "2"
    assert os.environ["MASTER_PORT"].isdigit()


def test_counters_of_a_checkpoint_are_where_they_are_expected(tmp_path: Path) -> None:
    saved: list[dict[str, Any]] = []

    class Save(pl.callbacks.Checkpoint):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 4:  # one batch of the second epoch is done
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

        def on_save_checkpoint(
            self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
        ) -> None:
            compat.set_resume_point(checkpoint, trainer.global_step, before_validation=False)
            saved.append(checkpoint)

    model = Line()
    whole = trainer(tmp_path, Save())
    whole.fit(model, loader(), loader())
    assert compat.finished_epochs(whole) == 2
    assert not compat.stopped_early(whole)
    [checkpoint] = saved
    assert compat.finished_epochs_of(checkpoint) == 1

    seen: list[int] = []

    class Count(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            seen.append(trainer.global_step)

    again = Line()
    trainer(tmp_path, Count(), enable_checkpointing=False).fit(
        again, loader(), loader(), ckpt_path=tmp_path / "middle.ckpt", weights_only=True
    )
    assert seen == [5, 6]
    assert torch.equal(again.weight, model.weight)
    assert compat.rescale_batches(checkpoint, before=1, world=1) == 1
    assert compat.rescale_batches(checkpoint, before=2, world=1) == 2


def test_a_training_that_is_asked_to_stop_says_so(tmp_path: Path) -> None:
    class Stop(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            trainer.should_stop = True

    stopped = trainer(tmp_path, Stop(), enable_checkpointing=False)
    stopped.fit(Line(), loader(), loader())
    assert compat.stopped_early(stopped)
    assert compat.finished_epochs(stopped) == 1


def test_a_moved_checkpoint_knows_its_best_score(tmp_path: Path) -> None:
    def best(kind: type[ModelCheckpoint], folder: Path) -> ModelCheckpoint:
        return kind(folder, filename="best", monitor="val", mode="max")

    first = best(compat.MovableCheckpoint, tmp_path / "a")
    trainer(tmp_path, first).fit(Line(), loader(), loader())
    state = torch.load(tmp_path / "a" / "best.ckpt", weights_only=True)["callbacks"]
    state = state[first.state_key]
    moved = best(compat.MovableCheckpoint, tmp_path / "b")
    moved.load_state_dict(state)
    assert moved.best_model_score == state["best_model_score"]
    assert moved.best_model_path == str(tmp_path / "b" / "best.ckpt")
    left = best(ModelCheckpoint, tmp_path / "b")
    with pytest.warns(UserWarning, match="dirpath has changed"):
        left.load_state_dict(state)
    assert left.best_model_score is None  # Lightning's own forgets it


def test_the_average_tells_where_it_is_and_can_be_dropped(tmp_path: Path) -> None:
    inside = []

    class Look(pl.Callback):
        def on_validation_batch_end(self, *_: Any) -> None:
            inside.append(average.average_is_in_module)

    average = compat.ObservableAverage(avg_fn=lambda mean, new, count: 0 * new)
    model = Line()
    trainer(tmp_path, average, Look(), enable_checkpointing=False).fit(model, loader(), loader())
    assert inside == [True] * 6
    assert not average.average_is_in_module
    average.drop_average()
    assert average._average_model is None


class Accumulated(Line):
    """The gradient is the mean of a batch's inputs."""

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = (self.weight * batch[0]).mean()
        return loss * compat.accumulation_scale(self.trainer, batch_idx)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1.0)


@pytest.mark.parametrize("limit", [1.0, 5])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_incomplete_groups_are_divided_by_their_own_batches(size: int, limit: float) -> None:
    """Two epochs of 7 batches, the last of 2 samples, in groups of `size`, beside a plain loop."""
    inputs = torch.rand(20, 1, generator=torch.Generator().manual_seed(0))
    batches = list(inputs.split(3))[: int(limit) if limit > 1 else None]
    expected = 0.0
    for _ in range(2):
        for start in range(0, len(batches), size):
            group = batches[start : start + size]
            expected -= sum(float(batch.mean()) for batch in group) / len(group)
    module = Accumulated()
    trainer = pl.Trainer(
        max_epochs=2, accumulate_grad_batches=size, limit_train_batches=limit, accelerator="cpu",
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(inputs), batch_size=3), loader())
    assert module.weight.item() == pytest.approx(expected, rel=1e-6)
