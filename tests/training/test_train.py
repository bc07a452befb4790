"""One training end to end: everything about it is in MLflow, in each label mode."""

import json

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from support.commands import QUICK, Done, Sightline, few_canvases

MODES = ["binary", "multiclass", "multilabel"]


@pytest.mark.parametrize("mode", MODES)
def test_run_holds_everything(sightline: Sightline, mode: str) -> None:
    words = [f"label_mode={mode}", *QUICK, *few_canvases(mode), "trainer.max_epochs=2"]
    done = sightline("train", *words)
    assert done.status == 0, done.err
    run = done.run
    assert run.info.status == "FINISHED"
    assert run.data.params["label_mode"] == mode
    assert run.data.params["seed"] == "0"
    assert run.data.params["model"] == "cnn"
    assert run.data.params["model.widths"] == "[4, 8]"
    for key in ("train/loss", "val/loss", "test/accuracy", "test/average_precision_macro"):
        assert key in run.data.metrics
    assert run.data.metrics["train/images_per_second"] > 0
    history = done.client.get_metric_history(run.info.run_id, "val/loss")
    assert [point.step for point in history] == [0, 1]
    test_history = done.client.get_metric_history(run.info.run_id, "test/accuracy")
    assert len(test_history) == 1
    wanted = {
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "predictions/val.parquet",
        "predictions/test.parquet",
        "confusion_matrix/val.png",
        "confusion_matrix/test.png",
        "confusion_matrix/test_by_row.png",
        "confusion_matrix/test.json",
        "per_class/test.csv",
        "samples/train_batch.png",
        "config/config.yaml",
        "config/overrides.yaml",
        "provenance/environment.json",
    }
    artifacts = done.artifacts()
    assert wanted <= artifacts
    series = [
        p
        for p in artifacts
        if p.startswith("images/val_images~confusion_matrix") and p.endswith("png")
    ]
    assert len(series) == 2
    note = run.data.tags["mlflow.note.content"]
    assert "| average_precision_macro |" in note
    inputs = {given.tags[0].value: given.dataset for given in run.inputs.dataset_inputs}
    assert set(inputs) == {"train", "val", "test"}
    profile = json.loads(inputs["test"].profile)
    table = pq.read_table(done.download("predictions/test.parquet"))
    assert profile["num_samples"] == len(table)
    assert inputs["test"].digest == run.data.params["data.digest.test"]
    config = yaml.safe_load(done.download("config/config.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 2
    assert run.info.run_id in done.out
    assert "test (best checkpoint)" in done.out
    check_confusion_matrices(done, mode, samples=len(table))


def check_confusion_matrices(done: Done, mode: str, samples: int) -> None:
    """They count every sample."""
    record = json.loads(done.download("confusion_matrix/test.json").read_text())
    assert record["samples"] == samples
    summed = [matrix for matrix in record["matrices"] if matrix["sums_to_n"]]
    assert len(summed) == (10 if mode == "multilabel" else 1)
    for matrix in summed:
        assert sum(map(sum, matrix["counts"])) == samples


def test_binary_states_its_positive_class(sightline: Sightline) -> None:
    done = sightline("train", "label_mode=binary", *QUICK)
    assert done.run.data.params["label_mode.positive_class"] == "odd"
    assert "odd (positive)" in done.out
    even = sightline("train", "label_mode=binary", "label_mode.positive_class=even", *QUICK)
    assert "even (positive)" in even.out
    newest = even.runs[0]
    assert newest.data.params["label_mode.positive_class"] == "even"


def test_same_seed_gives_identical_metrics(sightline: Sightline) -> None:
    for _ in range(2):
        done = sightline("train", *QUICK, "trainer.max_epochs=2")
    first, second = (
        {k: v for k, v in run.data.metrics.items() if "per_second" not in k} for run in done.runs
    )
    assert first == second


def test_seed_changes_the_training_but_not_the_samples(sightline: Sightline) -> None:
    for seed in (0, 1):
        done = sightline("train", *QUICK, f"seed={seed}")
    newest, oldest = done.runs
    assert newest.data.metrics["train/loss"] != oldest.data.metrics["train/loss"]
    for split in ("train", "val", "test"):
        key = f"data.digest.{split}"
        assert newest.data.params[key] == oldest.data.params[key]
    resplit = sightline("train", *QUICK, "data.split_seed=1").runs[0]
    assert resplit.data.params["data.digest.test"] != newest.data.params["data.digest.test"]


def test_checkpoints_are_self_contained_plain_and_truly_last(sightline: Sightline) -> None:
    # A learning rate this high makes validation worse: the last epoch is not the best one.
    done = sightline(
        "train", *QUICK, "trainer.max_epochs=3", "optimizer.lr=0.05", "monitor=val/loss"
    )
    states = {
        name: torch.load(done.download(f"checkpoints/{name}.ckpt"), weights_only=True)
        for name in ("best", "last")
    }
    assert states["last"]["epoch"] == 2
    assert states["best"]["epoch"] == int(done.run.data.metrics["val_best/epoch"])
    identity = states["best"]["sightline"]
    assert identity["class_names"] == [str(digit) for digit in range(10)]
    assert identity["label_mode"] == "multiclass"
    assert identity["preprocess"]["img_size"] == 32
    assert identity["config"]["seed"] == 0


def test_best_values_are_of_the_best_checkpoint(sightline: Sightline) -> None:
    done = sightline("train", *QUICK, "trainer.max_epochs=4", "optimizer.lr=0.03")
    run_id = done.run.info.run_id
    history = done.client.get_metric_history(run_id, "val/loss")
    best = min(history, key=lambda point: point.value)
    assert done.run.data.metrics["val_best/loss"] == pytest.approx(best.value, abs=1e-6)
    assert done.run.data.metrics["val_best/epoch"] == best.step


def test_non_finite_loss_ends_the_run_as_failed(sightline: Sightline) -> None:
    done = sightline("train", *QUICK, "optimizer=sgd", "optimizer.lr=1e30")
    assert done.status == 1
    assert "not finite at step" in done.err
    assert "learning rate" in done.err
    assert "Traceback" not in done.err
    assert done.run.info.status == "FAILED"
    assert "not finite" in done.run.data.tags["error"]


def test_the_best_epoch_follows_from_the_monitored_metric(sightline: Sightline) -> None:
    quick = [word for word in QUICK if not word.startswith("trainer.max_epochs")]
    done = sightline("train", *quick, "trainer.max_epochs=4", "monitor=val/accuracy", "report=none")
    assert done.status == 0, done.err
    history = done.client.get_metric_history(done.run.info.run_id, "val/accuracy")
    values = [each.value for each in sorted(history, key=lambda each: each.step)]
    assert min(values) < max(values)
    metrics = done.run.data.metrics
    assert metrics["val_best/accuracy"] == pytest.approx(max(values))
    assert values[int(metrics["val_best/epoch"])] == max(values)
