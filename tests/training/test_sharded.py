"""Parameters shared out over ranks (FSDP): the same numbers, and checkpoints as of ddp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.demos.boring_classes import BoringModel
from support.commands import QUICK, finish, start
from torch.utils.data import DataLoader

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.training.lightning_compat import remake_train_loader
from sightline.training.sharded_checks import check_sharded

SHARED = [
    *QUICK, "report=none", "trainer.accelerator=cpu", "trainer.devices=2", "ema.decay=0.9",
    "model.dropout=0", "augment=none", "evaluate_test=false",
    # One kernel rounds the ends of each memory block otherwise, and shares have other ends.
    "model.channels_last=false", "+optimizer.fused=false",
]  # fmt: skip


def assert_equal(one: Any, two: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_equal(one[key], two[key])
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.usefixtures("ready_store")
@pytest.mark.xdist_group("ranks")
def test_a_checkpoint_is_that_of_ddp(tmp_path: Path) -> None:
    """Weights, their average, and the state of an optimizer with two groups, to the last bit."""
    found = {}
    for kind in ("ddp", "fsdp"):
        folder = tmp_path / kind
        process = start(tmp_path, "train", *SHARED, f"trainer={kind}", f"hydra.run.dir={folder}")
        code, _, err = finish(process)
        assert code == 0, err
        path = folder / "checkpoints" / "last.ckpt"
        found[kind] = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "current_model_state"):
        assert_equal(found["ddp"][key], found["fsdp"][key])
    one, two = (found[kind]["optimizer_states"][0] for kind in ("ddp", "fsdp"))
    assert_equal(one["state"], two["state"])
    assert [each["params"] for each in one["param_groups"]] == [
        each["params"] for each in two["param_groups"]
    ]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*")  # Lightning's use of a newer torch
def test_lightning_makes_a_loader_where_it_has_none() -> None:
    """A sharded training resumes within an epoch only with a loader made after its checkpoint."""
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
    loop, data = trainer.fit_loop, DataLoader([torch.zeros(1)])
    trainer.strategy.connect(BoringModel())
    loop._data_source.instance = data
    loop.setup_data()
    first = loop._combined_loader
    loop.setup_data()
    assert loop._combined_loader is first
    remake_train_loader(trainer)
    loop.setup_data()
    assert loop._combined_loader is not first


@pytest.mark.parametrize("word", [
    "optimizer.agc=0.01", "trainer.gradient_clip_val=1.0", "swa.start_epoch=2", "method=sam",
    "optimizer=muon", "optimizer=schedule_free", "model.compile=true",
])  # fmt: skip
def test_what_needs_whole_parameters_is_refused(word: str) -> None:
    config, _ = compose_job(["trainer=fsdp", word])
    with pytest.raises(UserError, match=word.split("=")[0].split("_clip")[0]):
        check_sharded(config)


def test_a_cpu_computes_in_one_precision() -> None:
    config, _ = compose_job(
        ["trainer=fsdp", "trainer.accelerator=cpu", "trainer.precision=bf16-mixed"]
    )
    with pytest.raises(UserError, match="32-true alone"):
        check_sharded(config)
