"""1,001 samples evaluated in each label mode: by test_ranks itself, and by two of torchrun.

usage: two_ranks.py FOLDER DEVICES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.runs.folder import RunFolder
from sightline.training.agreement import SameConfig
from sightline.training.epoch_sums import EpochSums, weight_of
from sightline.training.losses.cross_entropy import cross_entropy
from sightline.training.module import LitClassifier
from sightline.training.outputs import of_all_ranks
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.trainer import build_trainer

MODES = {
    "binary": "data.test_fraction=0.55704",
    "multiclass": "data.test_fraction=0.55704",
    "multilabel": "data.canvases=[40,40,1001]",
}

KINDS: dict[str, LabelMode] = {
    "binary": Binary(("no", "yes"), None),
    "multiclass": Multiclass(("a", "b", "c")),
    "multilabel": Multilabel(("a", "b", "c")),
}


def outputs(mode: str) -> tuple[LabelMode, torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A label mode with a weighted loss, and 101 samples' logits and targets."""
    kind = KINDS[mode]
    rng = np.random.default_rng(0)
    several = kind.multi_label
    target = (rng.random((101, 3) if several else 101) < 0.3).astype(np.int8 if several else int)
    if several:
        target[rng.random(target.shape) < 0.2] = -1
    logits = torch.from_numpy(rng.standard_normal((101, kind.num_outputs))).float()
    return kind, cross_entropy(kind, target, "balanced", 0.1), logits, torch.from_numpy(target)


def epoch_loss(module: LitClassifier, mode: str, rows: slice) -> float:
    """The epoch's training loss of all ranks, each with its share of the samples, 16 a batch."""
    kind, criterion, logits, target = outputs(mode)
    sums = EpochSums(torch.device("cpu"))
    for x, y in zip(logits[rows].split(16), target[rows].split(16), strict=True):
        inputs = kind.loss_inputs(x, y)
        sums.add_loss(criterion(*inputs), weight_of(criterion, inputs[1]), len(y))
    ranks = of_all_ranks(module, sums.values())
    return sums.metrics([sum(each) for each in zip(*ranks, strict=True)], 1.0)["train/loss"]


def evaluate(folder: Path, mode: str, devices: int) -> None:
    quiet_libraries()
    several = ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={devices}"]
    trained_by = several if devices > 1 else ["trainer=cpu"]
    small = ["model.widths=[4,8]", "model.hidden=16", "data.cache=none", "data.batch_size=64"]
    config, job = compose_job([f"label_mode={mode}", MODES[mode], *small, *trained_by])
    pl.seed_everything(config.seed, workers=True, verbose=False)
    setup = set_up(config)
    trainer = build_trainer(config, [], RunFolder(job.output_dir), setup.speed.precision)
    trainer.test(setup.module, datamodule=setup.datamodule, verbose=False)
    if trainer.is_global_zero:
        table = setup.module.predictions["test"]
        table.write(folder / f"{mode}.parquet")
        matrices = [each.counts.tolist() for each in setup.label_mode.confusion_matrices(table)]
        facts = {"metrics": setup.module.epoch_metrics, "matrices": matrices}
        (folder / f"{mode}.json").write_text(json.dumps(facts))
    rows = slice(trainer.global_rank, None, devices)
    loss = epoch_loss(setup.module, mode, rows)
    if trainer.is_global_zero:
        (folder / f"{mode}_loss.json").write_text(json.dumps(loss))
    if devices > 1:
        own = config.model_copy(update={"seed": trainer.global_rank})
        try:
            SameConfig(own).setup(trainer, setup.module, "fit")
        except UserError as error:
            (folder / f"refused{trainer.global_rank}").write_text(str(error))


if __name__ == "__main__":
    for name in MODES:
        evaluate(Path(sys.argv[1]), name, int(sys.argv[2]))
