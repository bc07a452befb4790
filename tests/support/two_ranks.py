"""1,001 samples evaluated in each label mode: by test_ranks itself, and by two of torchrun.

usage: two_ranks.py FOLDER DEVICES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytorch_lightning as pl

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.training.agreement import SameConfig
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.trainer import build_trainer

MODES = {
    "binary": "data.test_fraction=0.55704",
    "multiclass": "data.test_fraction=0.55704",
    "multilabel": "data.canvases=[40,40,1001]",
}


def evaluate(folder: Path, mode: str, devices: int) -> None:
    quiet_libraries()
    several = ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={devices}"]
    trained_by = several if devices > 1 else ["trainer=cpu"]
    small = ["model.widths=[4,8]", "model.hidden=16", "data.cache=none", "data.batch_size=64"]
    config, job = compose_job([f"label_mode={mode}", MODES[mode], *small, *trained_by])
    pl.seed_everything(config.seed, workers=True, verbose=False)
    setup = set_up(config)
    trainer = build_trainer(config, [], RunFolder(job.output_dir))
    trainer.test(setup.module, datamodule=setup.datamodule, verbose=False)
    if trainer.is_global_zero:
        table = setup.module.predictions["test"]
        table.write(folder / f"{mode}.parquet")
        matrices = [each.counts.tolist() for each in setup.label_mode.confusion_matrices(table)]
        facts = {"metrics": setup.module.epoch_metrics, "matrices": matrices}
        (folder / f"{mode}.json").write_text(json.dumps(facts))
    if devices > 1:
        own = config.model_copy(update={"seed": trainer.global_rank})
        try:
            SameConfig(own).setup(trainer, setup.module, "fit")
        except UserError as error:
            (folder / f"refused{trainer.global_rank}").write_text(str(error))


if __name__ == "__main__":
    for name in MODES:
        evaluate(Path(sys.argv[1]), name, int(sys.argv[2]))
