"""Keys without effect under the others: refused where they are set, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.config.compose import compose_job
from sightline.config.data_effects import DataFacts, check_data_effects
from sightline.config.effects import RULES, check_effects
from sightline.data.from_config import read_source
from sightline.data.labels.columns import LabelColumns
from sightline.errors import UserError
from sightline.training.launch import launch

HUB = ["data=huggingface", "data.name=x"]
IDLE = {
    "data.fold": ["data.fold=1"],
    "data.fold, the first": ["data.fold=0"],
    "data.folds": ["data.folds=5", "data.split_file=x.csv"],
    "data.split_by": ["data.split_by=hash", "data.split_file=x.csv"],
    "data.test_fraction": ["data.test_fraction=0.2", "data.split_file=x.csv"],
    "data.val_fraction": ["data.val_fraction=0.2", "data.split_file=x.csv"],
    "data.val_fraction, folds": ["data.val_fraction=0.2", "data.folds=5"],
    "data.draw_seed": ["data.draw_seed=1"],
    "data.draw_seed, the first": ["data.draw_seed=0"],
    "data.train_fraction": [*HUB, "data.streaming=true", "data.train_fraction=0.1"],
    "data.per_class": [*HUB, "data.streaming=true", "data.per_class=2"],
    "data.bits": ["data.bits=12", "data.range=[0,1]"],
    "data.max_skipped_fraction": ["data.max_skipped_fraction=0.1"],
    "data.cache_max_gib": ["data.cache_max_gib=3", "data.cache=none"],
    "data.num_workers": ["data.num_workers=2", "data.cache=device"],
    "data.train_samples": [*HUB, "data.train_samples=9"],
    "data.shuffle_buffer": [*HUB, "data.shuffle_buffer=9"],
    "data.group_column": [*HUB, "data.streaming=true", "data.group_column=x"],
    "data.label_columns": [*HUB, "data.streaming=true", "data.label_columns=[x]"],
    "data.metadata_columns": [*HUB, "data.streaming=true", "data.metadata_columns=[x]"],
    "data.effective_batch_size": ["data.effective_batch_size=32"],
    "trainer.accumulate_grad_batches": [
        "data.batch_size=auto", "trainer.accumulate_grad_batches=2",
    ],
    "optimizer.lr_base_size": ["optimizer.lr_base_size=64"],
    "model.max_img_size": ["model.max_img_size=32", "model.img_size=32"],
    "model.max_img_size, pretrained": [
        "model=timm", "model.pretrained=true", "model.max_img_size=99",
    ],
    "model.head_std": ["model=timm", "model.head_std=0.1"],
    "model.cache_features": ["model=timm", "model.pretrained=true", "model.cache_features=true"],
    "model.cache_features, augmented": [
        "model=timm", "model.pretrained=true", "model.freeze_backbone=true",
        "model.cache_features=true",
    ],
    "model.lora_alpha": ["model=timm", "model.pretrained=true", "model.lora_alpha=8"],
    "model.lora_layers": ["model=timm", "model.pretrained=true", "model.lora_layers=[a]"],
    "early_stopping.min_delta": [
        "early_stopping.min_delta=0.1", "early_stopping.patience_epochs=null",
    ],
    "scheduler.final_lr_factor": [
        "scheduler.final_lr_factor=0.1", "scheduler.warmup_epochs=20", "trainer.max_epochs=20",
    ],
    **{
        f"scheduler.{key}": [
            f"scheduler={schedule}", f"scheduler.{key}={value}", "scheduler.warmup_epochs=20",
            "trainer.max_epochs=20",
        ]
        for key, value, schedule in (
            ("cooldown_epochs", 1, "linear"), ("cycles", 2, "cosine_restarts"),
            ("decay_fraction", 0.5, "wsd"), ("decay", "linear", "wsd"),
            ("decay_epochs", 3, "step"), ("decay_rate", 0.5, "step"),
            ("milestones", "[3]", "multistep"),
        )
    },
    "scheduler.warmup_start_factor": ["scheduler=step", "scheduler.warmup_start_factor=0.1"],
    "scheduler.cycle_mul": ["scheduler=cosine_restarts", "scheduler.cycle_mul=2"],
    "scheduler.cycle_decay": ["scheduler=cosine_restarts", "scheduler.cycle_decay=0.5"],
    "scheduler.base_momentum": [
        "scheduler=one_cycle", "scheduler.cycle_momentum=false", "scheduler.base_momentum=0.8",
    ],
    "scheduler.max_momentum": [
        "scheduler=one_cycle", "scheduler.cycle_momentum=false", "scheduler.max_momentum=0.99",
    ],
    "optimizer.dampening": ["optimizer=sgd", "+optimizer.dampening=0.1", "optimizer.momentum=0"],
    "trainer.gradient_clip_algorithm": ["+trainer.gradient_clip_algorithm=norm"],
    "ema.warmup": ["ema.warmup=true"],
    "method.temperature": [
        "method=distill", "method.teacher=x", "method.kind=features", "method.temperature=4",
    ],
    "sweep.max_failures": ["sweep.max_failures=3"],
    "tuning.hold": ["tuning.hold=0.9"],
    "augment.transforms": ["augment.transforms=[]", "data.cache=device"],
    "augment.transforms, one value": ["augment.transforms.0.degrees=9", "data.cache=device"],
    "augment.batch_transforms": ["augment.batch_transforms=[]", "data.cache=ram"],
    "augment.frame_size": ["augment.frame_size=64"],
    "mix_off_epochs": ["mix_off_epochs=2"],
    "mix_off_epochs, all": ["mix=mixup", "mix_off_epochs=5", "trainer.max_epochs=5"],
    "augment.form": ["augment=none", "augment.form=images"],
    "augment.repeats": ["augment=none", "augment.repeats=3"],
    "loss.target_threshold": ["loss=bce", "label_mode=multilabel", "loss.target_threshold=0.2"],
    "tuning.raps_penalty": ["tuning.coverage=0.9", "tuning.sets=aps", "tuning.raps_penalty=0.1"],
    "tuning.raps_rank": ["tuning.raps_rank=2"],
    "tuning.ood_false_alarms": ["tuning.ood_false_alarms=0.1"],
    "model.freeze_batch_norm": [
        "model=timm", "model.pretrained=true", "model.freeze_backbone=true",
        "model.freeze_batch_norm=true",
    ],
    "optimizer.layer_decay": [
        "model=timm", "model.pretrained=true", "model.freeze_backbone=true",
        "optimizer.layer_decay=0.7",
    ],
    "optimizer.decay_all": ["optimizer.decay_all=true", "optimizer.weight_decay=0"],
}  # fmt: skip


@pytest.mark.parametrize("case", list(IDLE))
def test_a_key_without_effect_is_refused(case: str) -> None:
    with pytest.raises(UserError) as error:
        compose_job(IDLE[case])
    assert case.split(",")[0] in str(error.value)
    assert "effect" in str(error.value) or "does not take" in str(error.value)


def test_every_rule_is_tested() -> None:
    assert {rule.key for rule in RULES} <= {case.split(",")[0] for case in IDLE}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["data.folds=5", "data.fold=4"],
        ["data.train_fraction=1", "data.draw_seed=1"],
        ["data.per_class=4", "data.draw_seed=1"],
        ["data.folds=5", "data.test_fraction=0.1"],
        ["data.split_file=x.csv"],
        ["data.on_error=skip", "data.max_skipped_fraction=0.1"],
        ["data.num_workers=2", "data.cache=ram"],
        [*HUB, "data.streaming=true", "data.train_samples=9", "data.shuffle_buffer=9"],
        ["model.max_img_size=32"],
        ["early_stopping.min_delta=0.1"],
        [
            "model=timm",
            "model.pretrained=true",
            "model.head_std=0.1",
            "model.lora_rank=2",
            "model.lora_alpha=8",
        ],
        [
            "model=timm",
            "model.pretrained=true",
            "model.freeze_backbone=true",
            "augment=none",
            "model.cache_features=true",
        ],
        ["trainer.gradient_clip_val=1.0", "+trainer.gradient_clip_algorithm=norm"],
        ["augment.transforms=[]", "augment.batch_transforms=[]"],
        ["augment.transforms=[]", "augment.batch_transforms=null"],
        ["augment.transforms=[]"],
        ["augment.transforms.0.degrees=9", "data.cache=ram"],
        ["augment.batch_transforms=null"],
        ["augment.batch_transforms=[]"],
        ["augment=random_resized_crop", "augment.frame_size=64"],
        ["mix=mixup", "mix_off_epochs=2"],
        ["augment=none", "mix=mixup", "augment.repeats=3"],
        ["augment=none", "data.cache=ram", "data.cache_max_gib=3"],
        ["loss=bce", "label_mode=multilabel", "mix=mixup", "loss.target_threshold=0.2"],
        ["tuning.coverage=0.9", "tuning.sets=raps", "tuning.raps_rank=2"],
        ["tuning.ood=msp", "tuning.ood_false_alarms=0.1"],
        ["model=timm", "model.pretrained=true", "model.freeze_batch_norm=true"],
    ],
    ids=" ".join,
)
def test_a_key_with_effect_is_taken(words: list[str]) -> None:
    compose_job(words)


def test_a_value_in_a_file_counts_as_one_on_the_command_line(tmp_path: Path) -> None:
    """A recipe's fold without folds; a default that says nothing is no error."""
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "third.yaml").write_text("# @package _global_\ndata: {fold: 2}\n")
    words = ["--config-dir", str(tmp_path), "experiment=third"]
    with pytest.raises(UserError, match=r"data\.fold=2 has no effect"):
        compose_job(words)
    compose_job([*words, "data.folds=3"])


def test_a_resumed_run_keeps_what_it_began_with() -> None:
    began = ["augment=none", "++augment.form=batches"]
    with pytest.raises(UserError, match=r"augment\.form=batches has no effect"):
        compose_job(began)
    compose_job([*began, "trainer.max_epochs=9"], ["trainer.max_epochs=9"])
    with pytest.raises(UserError, match=r"mix_off_epochs=2 has no effect"):
        compose_job([*began, "mix_off_epochs=2"], ["mix_off_epochs=2"])


def test_max_failures_is_for_sweeps() -> None:
    config, _ = compose_job([])
    check_effects(config, ["sweep.max_failures=3"], in_sweep=True)


@pytest.mark.parametrize(
    "words",
    [
        ["hydra.launcher.n_jobs=4"],
        ["hydra.sweep.dir=jobs"],
        ["-m", "seed=0,1", "hydra.run.dir=job"],
    ],
    ids=" ".join,
)
def test_options_of_a_sweep_and_of_a_single_run_are_for_these_alone(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"hydra\.\w+\.\w+=\w+ has no effect"):
        launch(words)


@pytest.mark.parametrize(
    ("words", "own", "streamed", "refused"),
    [
        (["data.val_fraction=0.2"], {"val"}, False, True),
        (["data.val_fraction=0.2"], {"test"}, False, False),
        (["data.test_fraction=0.2"], {"test"}, False, True),
        (["data.split_seed=1"], {"val", "test"}, False, True),
        (["data.split_seed=1"], {"test"}, False, False),
        (["data.split_by=hash"], {"val", "test"}, False, True),
        (["data.split_seed=1", "data.folds=3"], {"val", "test"}, False, False),
        (["data.split_seed=1"], set(), True, True),
        (["data.split_seed=1", "data.split_file=x.csv"], set(), False, True),
        (["data.canvases=[9,9,9]"], set(), False, True),
    ],
)
def test_keys_without_effect_on_the_data_that_was_read(
    words: list[str], own: set[str], streamed: bool, refused: bool
) -> None:
    config, job = compose_job(words)
    facts = DataFacts(frozenset(own), streamed, composed=False)
    if refused:
        with pytest.raises(UserError, match=r"data\.\w+=.* has no effect"):
            check_data_effects(config, job.overrides, facts)
    else:
        check_data_effects(config, job.overrides, facts)


def test_the_content_of_images_does_not_split_groups() -> None:
    config, job = compose_job(["data.split_by=content"])
    facts = DataFacts(frozenset(), streamed=False, composed=False)
    check_data_effects(config, job.overrides, facts)
    with pytest.raises(UserError, match=r"data\.split_by=content has no effect: groups"):
        check_data_effects(config, job.overrides, replace(facts, grouped=True))


def test_canvases_are_composed_for_several_labels_alone() -> None:
    words = ["data.canvases=[40,20,20]", "data.split_seed=1"]
    config, job = compose_job([*words, "label_mode=multilabel"])
    assert len(read_source(config, job.overrides).splits["test"]) == 20
    config, job = compose_job(words)
    with pytest.raises(UserError, match=r"data\.canvases=.* has no effect"):
        read_source(config, job.overrides)


@pytest.mark.parametrize(
    ("given", "named"),
    [(LabelColumns("label", "|", None, None), "label_separator"),
     (LabelColumns("label", None, None, "none"), "none_label"),
     (LabelColumns(None, None, ["a", "b"], "none"), "none_label")],
)  # fmt: skip
def test_options_of_cells_with_several_labels_need_such_cells(
    given: LabelColumns, named: str
) -> None:
    import pyarrow as pa

    from sightline.data.labels.columns import read_labels
    from sightline.data.tables.files import LabelTable, TableOrigin

    columns = {"label": ["x", "y"], "a": [0, 1], "b": [1, 0]}
    table = pa.table(columns)
    rows = LabelTable(table, TableOrigin(["t.csv"], [2]), np.ones(2, bool), set())
    with pytest.raises(UserError, match=rf"data\.{named}=.* has no effect"):
        read_labels(rows, given, multi_label=False, class_names=None)


def test_transforms_of_images_alone_are_what_is_used() -> None:
    config, _ = compose_job(["augment=light", "augment.transforms=[]"])
    assert config.augment.batch_transforms is None
    config, _ = compose_job(["augment=light", "augment.transforms=[]", "data.cache=ram"])
    assert config.augment.batch_transforms is None
    config, _ = compose_job(["augment=light"])
    assert config.augment.batch_transforms
