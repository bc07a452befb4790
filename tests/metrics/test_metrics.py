"""Every metric against scikit-learn, from the table alone; and from what a real run stored."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn import metrics as sk
from support.commands import QUICK, Sightline, few_canvases
from support.random_tables import make_mode, random_table

from sightline.metrics.values import compute_metrics, per_class_rows, undefined_metrics
from sightline.predictions import Predictions

BATCH_SIZES = (1, 7, 64)


def reference(table: Predictions) -> dict[str, float]:
    """The same metrics by scikit-learn, whose average is named in the key."""
    target, probs = table.targets, table.probs.astype(np.float64)
    macro = {"average": "macro", "zero_division": 0}
    if table.label_mode == "multiclass":
        preds = probs.argmax(axis=1)
        one_hot = np.eye(probs.shape[1])[target]
        ranked = {
            "auroc_macro": sk.roc_auc_score(one_hot, probs, average="macro"),
            "average_precision_macro": sk.average_precision_score(one_hot, probs),
        }
        extra = {"accuracy": sk.accuracy_score(target, preds)}
    elif table.label_mode == "binary":
        preds = (probs[:, 1] > 0.5).astype(int)
        ranked = {
            "auroc_macro": sk.roc_auc_score(target, probs[:, 1]),
            "average_precision_macro": sk.average_precision_score(target, probs[:, 1]),
        }
        extra = {
            "accuracy": sk.accuracy_score(target, preds),
            "precision": sk.precision_score(target, preds),
            "recall": sk.recall_score(target, preds),
            "f1": sk.f1_score(target, preds),
        }
    else:
        preds = (probs > 0.5).astype(int)
        ranked = {
            "auroc_macro": sk.roc_auc_score(target, probs, average="macro"),
            "average_precision_macro": sk.average_precision_score(target, probs),
            "average_precision_micro": sk.average_precision_score(target, probs, average="micro"),
        }
        extra = {
            "accuracy": 1 - sk.hamming_loss(target, preds),
            "accuracy_subset": sk.accuracy_score(target, preds),
            "f1_micro": sk.f1_score(target, preds, average="micro"),
        }
    return (
        extra
        | ranked
        | {
            "precision_macro": sk.precision_score(target, preds, **macro),
            "recall_macro": sk.recall_score(target, preds, **macro),
            "f1_macro": sk.f1_score(target, preds, **macro),
        }
    )


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("samples", [37, 10_000])
def test_every_metric_equals_scikit_learn(name: str, samples: int) -> None:
    mode = make_mode(name)
    table = random_table(mode, samples)
    ours, theirs = compute_metrics(mode, table), reference(table)
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value, abs=1e-6), key


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_per_class_rows_equal_scikit_learn(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 500)
    rows = per_class_rows(mode, table)
    preds = mode.decide(torch.from_numpy(table.probs)).numpy()
    precision, recall, f1, support = sk.precision_recall_fscore_support(table.targets, preds)
    for i, row in enumerate(rows):
        assert row["class"] == mode.class_names[i]
        assert row["support"] == support[i]
        assert row["precision"] == pytest.approx(precision[i], abs=1e-6)
        assert row["recall"] == pytest.approx(recall[i], abs=1e-6)
        assert row["f1"] == pytest.approx(f1[i], abs=1e-6)


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_confusion_matrices_equal_scikit_learn(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 301)
    preds = mode.decide(torch.from_numpy(table.probs)).numpy()
    matrices = mode.confusion_matrices(table)
    if name == "multilabel":
        expected = sk.multilabel_confusion_matrix(table.targets, preds)
        for matrix, counts in zip(matrices[:-1], expected, strict=True):
            np.testing.assert_array_equal(matrix.counts, counts)
        mixed_up = matrices[-1]
        assert not mixed_up.sums_to_n
        by_hand = np.zeros((5, 5), dtype=int)
        for target, pred in zip(table.targets, preds, strict=True):
            for i in np.flatnonzero((target == 1) & (pred == 0)):
                for j in np.flatnonzero((target == 0) & (pred == 1)):
                    by_hand[i, j] += 1
        np.testing.assert_array_equal(mixed_up.counts, by_hand)
    else:
        np.testing.assert_array_equal(matrices[0].counts, sk.confusion_matrix(table.targets, preds))
    for matrix in matrices:
        if matrix.sums_to_n:
            assert matrix.counts.sum() == 301


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_an_absent_class_is_named_and_left_out(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 50)
    targets = table.targets.copy()
    if name == "multilabel":
        targets[:, 0] = 0
    else:
        targets[targets == 0] = 1
    table = Predictions(table.ids, targets, table.probs, table.class_names, name)
    metrics = compute_metrics(mode, table)
    assert all(np.isfinite(list(metrics.values())))
    if name == "binary":
        assert undefined_metrics(mode, table) == ["auroc_macro"]
    else:
        present = per_class_rows(mode, table)[1:]
        mean = np.mean([row["average_precision"] for row in present])  # type: ignore[arg-type]
        assert metrics["average_precision_macro"] == pytest.approx(mean)


@pytest.mark.usefixtures("uploads_inline")
@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_stored_tables_reproduce_logged_metrics_at_any_batch_size(
    sightline: Sightline, name: str
) -> None:
    seen = []
    for size in BATCH_SIZES:
        # 211 training samples, so that even single-sample batches take a second.
        few = [*few_canvases(name), "data.test_fraction=0.45", "data.val_fraction=0.45"]
        done = sightline("train", f"label_mode={name}", f"data.batch_size={size}", *QUICK, *few)
        assert done.status == 0, done.err
        run = done.runs[0]
        for split, prefix in (("val", "val_best/"), ("test", "test/")):
            path = done.client.download_artifacts(run.info.run_id, f"predictions/{split}.parquet")
            raw = pq.read_table(path)
            table = Predictions.read(path)  # type: ignore[arg-type]
            assert raw.column_names[0] == "id"
            assert len(set(raw["id"].to_pylist())) == len(raw)
            expected = reference(table)
            for key, value in expected.items():
                assert run.data.metrics[prefix + key] == pytest.approx(value, abs=1e-6), key
            loss = -np.mean(_log_likelihood(table))
            assert run.data.metrics[f"{prefix}loss"] == pytest.approx(loss, abs=1e-4)
        seen.append(run)
    assert len(seen) == len(BATCH_SIZES)


def _log_likelihood(table: Predictions) -> np.ndarray:
    probs = np.clip(table.probs.astype(np.float64), 1e-7, 1 - 1e-7)
    if table.targets.ndim == 2:
        return np.log(np.where(table.targets == 1, probs, 1 - probs))
    return np.log(probs[np.arange(len(table)), table.targets])


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_a_table_reads_back_as_it_was_written(tmp_path, name: str) -> None:  # type: ignore[no-untyped-def]
    mode = make_mode(name)
    table = random_table(mode, 20)
    table.write(tmp_path / "deep" / "table.parquet")
    back = Predictions.read(tmp_path / "deep" / "table.parquet")
    np.testing.assert_array_equal(back.ids, table.ids)
    np.testing.assert_array_equal(back.targets, table.targets)
    np.testing.assert_array_equal(back.probs, table.probs)
    assert (back.class_names, back.label_mode) == (table.class_names, table.label_mode)
