"""Rows of the soak: a short training for each option of the configs, and for each setting.

Options are read from conf/ and choices from the schema of the data's config: what is added there
has a row without a change here, except for words that it cannot do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin

import timm
from safetensors.torch import save_file

from sightline.config.schema import DataConfig
from sightline.paths import conf_dir
from support.commands import SMALL, few_canvases, finish, start
from support.data_sets import make_shards
from support.images import make_folder

# Groups that say where and on what is trained, not how.
OF_A_PLACE = ("data", "experiment", "hydra", "report", "tracking", "trainer")
BASE = [*SMALL, "trainer=cpu", "trainer.max_epochs=3", "checkpoint.every_n_steps=3",
        "data.batch_size=200", "tracking.system_metrics_interval_s=null"]  # fmt: skip
TIMM = ["model=timm", "model.name=test_resnet", "model.drop_path_rate=0.2", "model.drop_rate=0.1"]
MULTILABEL = ["label_mode=multilabel", *few_canvases("multilabel"), "data.batch_size=20"]
# What an option needs beside its name.
NEEDED = {
    "model=timm": TIMM[1:],
    "optimizer=timm": ["optimizer.name=lamb"],
    "optimizer=schedule_free": ["scheduler=constant"],
    "method=distill": ["method.teacher=teacher/checkpoints/best.ckpt"],
    "scheduler=multistep": ["scheduler.milestones=[1,2]"],
    "label_mode=multilabel": MULTILABEL[1:],
    "loss=asymmetric": MULTILABEL,
}
FILES = ["data=folder", "data.root=photos", "data.batch_size=9"]
SHARDS = ["data=webdataset", "label_mode=binary", "data.class_names=[even,odd]",
          "data.batch_size=7",
          *(f"data.{name}=shards/{name}-*.tar" for name in ("train", "val", "test"))]  # fmt: skip
PRETRAINED = [*FILES, *TIMM, "model.img_size=32", "model.pretrained_path=test_resnet.safetensors"]
TWO_RANKS = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
SETTINGS = {
    "averaged weights": ["ema.decay=0.9"],
    "averaged weights, warmed up": ["ema.decay=0.99", "ema.warmup=true"],
    "stochastic average": ["swa.start_epoch=1"],
    "schedule-free, averaged state within epochs": [
        "optimizer=schedule_free", "scheduler=constant", "+trainer.val_check_interval=2",
    ],
    "compiled": ["model.compile=true"],
    "averaged weights of a timm model": [*TIMM, "ema.decay=0.9", "trainer.gradient_clip_val=0.5"],
    "accumulation": ["trainer.accumulate_grad_batches=2"],
    "clipping by norm": ["trainer.gradient_clip_val=0.1"],
    "adaptive clipping": ["optimizer.agc=0.01"],
    "early stopping that fires": ["early_stopping.patience_epochs=1", "early_stopping.min_delta=9"],
    "validated within epochs": ["+trainer.val_check_interval=2", "ema.decay=0.5"],
    "a limit of steps": ["+trainer.max_steps=13", "trainer.max_epochs=-1"],
    "workers": [*FILES, "data.cache=none", "data.num_workers=2", "mix=mixup"],
    "workers of a stream": [*SHARDS, "data.num_workers=2"],
    "a stream": [*SHARDS, "data.num_workers=0"],
    "two ranks": TWO_RANKS,
    "two ranks, averaged, accumulated": [*TWO_RANKS, "ema.decay=0.9", "mix=mixup_cutmix",
                                         "trainer.accumulate_grad_batches=2"],
    "features computed once": [*PRETRAINED, "model.freeze_backbone=true", "augment=none"],
    "low-rank updates": [*PRETRAINED, "model.name=test_vit", "model.lora_rank=2",
                         "model.pretrained_path=test_vit.safetensors", "ema.decay=0.9"],
    "unfrozen by epoch": [
        *PRETRAINED, "model.freeze_batch_norm=true",
        "optimizer.param_groups=[{pattern:fc.*,lr_factor:3},{pattern:'*',freeze_epochs:1}]",
    ],
    "crops of batches, repeated, mixed at first": [
        *FILES, "augment=random_resized_crop", "augment.form=batches", "augment.repeats=3",
        "mix=mixup", "mix_off_epochs=1",
    ],
    "sizes that grow, not square": [*FILES, *TIMM, "model.img_size=[40,32]",
                                    "data.img_size_schedule=[[0,24],[1,[32,40]]]"],
    "a part of train": [*FILES, "data.train_fraction=0.6", "data.draw_seed=1", "mix=mixup"],
    "a report": ["report=[learning_curves,confusion,per_class]"],
    "a full config": [*TIMM, "mix=mixup_cutmix", "ema.decay=0.9", "data.sampler=balanced",
                      "trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.5",
                      "augment=randaugment", "optimizer.head_lr_factor=3"],
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A short training that the soak interrupts.

    Attributes:
        name: for the table.
        words: of `sightline train`.
    """

    name: str
    words: tuple[str, ...]


def make_data(folder: Path, row: Row) -> None:
    """The images, weights and the teacher that a row names by a relative path."""
    for name in ("test_resnet", "test_vit"):
        save_file(timm.create_model(name).state_dict(), folder / f"{name}.safetensors")
    make_folder(folder / "photos", {"cat": 30, "dog": 30})
    make_shards(folder / "shards", {"train": [12, 9, 11, 6], "val": [9], "test": [9]})
    if any(word.startswith("method.teacher=teacher/") for word in row.words):
        code, _, err = finish(start(folder, "train", *BASE, "seed=5", "hydra.run.dir=teacher"))
        assert code == 0, err


def rows() -> Iterator[Row]:
    """Every row."""
    for group in sorted(path for path in conf_dir().iterdir() if path.is_dir()):
        if group.name in OF_A_PLACE:
            continue
        for option in sorted(group.glob("*.yaml")):
            word = f"{group.name}={option.stem}"
            yield Row(word, _words(word, *NEEDED.get(word, [])))
    for key, field in DataConfig.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            for value in get_args(kind) if get_origin(kind) is Literal else ():
                yield Row(f"data.{key}={value}", _words(*FILES, f"data.{key}={value}"))
    for name, words in SETTINGS.items():
        yield Row(name, _words(*words))


def _words(*own: str) -> tuple[str, ...]:
    """The words of a row: the base too, but for the small network's keys beside another model."""
    timms = "model=timm" in own
    return (*(word for word in BASE if not (timms and word.startswith("model."))), *own)


FULL = Row("a full config with a report", _words(*SETTINGS["a full config"], *SETTINGS["a report"]))
