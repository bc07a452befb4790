"""Sections of report.html: what they find, against independent references, in every label mode."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score
from support.tables import HOSTILE, make_evaluated

from sightline.data.reading.decode import ImageData, UnreadableImage
from sightline.errors import UserError
from sightline.label_modes.base import ConfusionMatrix
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_metrics, per_class_rows
from sightline.reports.confusion_clusters import confusion_order
from sightline.reports.metric_tables import metric_tables
from sightline.reports.parts import Chart, Gallery, Section, Table, WithInterval
from sightline.reports.sections.confusion import confused_pairs, confusion_report
from sightline.reports.sections.curves import curves_report, precision_recall_curves, roc_curves
from sightline.reports.sections.embedding import embed_2d, embedding_report
from sightline.reports.sections.gallery import gallery_report, least_certain
from sightline.reports.sections.grad_cam import grad_cam_report
from sightline.reports.sections.label_errors import find_suspects, label_errors_report
from sightline.reports.sections.learning_curves import learning_curves_report
from sightline.reports.sections.per_class import per_class_report
from sightline.reports.sections.reliability import reliability_report
from sightline.reports.thumbnails import draw_contact_sheet, thumbnail

MODES = ["binary", "multiclass", "multilabel"]
SIZES = [("binary", 2), ("multiclass", 10), ("multiclass", 200), ("multilabel", 10),
         ("multilabel", 200)]  # fmt: skip


def read_image(name: str) -> ImageData:
    return Image.new("RGB", (30, 20), (int(name[6:11]) % 255, 90, 20))


def charts(section: Section) -> dict[str, Chart]:
    return {part.name: part for part in section.parts if isinstance(part, Chart)}


def tables(section: Section) -> dict[str | None, Table]:
    return {part.name: part for part in section.parts if isinstance(part, Table)}


@pytest.mark.parametrize(("mode", "classes"), SIZES)
def test_figures_of_any_number_of_classes_keep_a_readable_size(mode: str, classes: int) -> None:
    evaluated = make_evaluated(mode, classes)
    sections = [
        confusion_report(evaluated, 15),
        curves_report(evaluated),
        per_class_report(evaluated, per_class_rows(evaluated.label_mode, evaluated.table)),
        reliability_report(evaluated),
    ]
    drawn = {name: chart for section in sections for name, chart in charts(section).items()}
    wanted = {"confusion_count", "confusion_row", "confusion_column", "roc", "precision_recall"}
    mixed = {"confusion_mixed"} if mode == "multilabel" else set()
    assert drawn.keys() == wanted | mixed | {"per_class", "reliability"}
    for chart in drawn.values():
        image = Image.open(io.BytesIO(chart.png)).convert("L")
        assert image.width == pytest.approx(2 * chart.width, abs=2)  # two pixels a CSS pixel
        assert image.width <= 1100
        assert image.height <= 2000
        assert np.asarray(image).std() > 10, f"{chart.name} is blank"
        assert chart.alt


def test_small_matrices_have_numbers_and_large_ones_a_list() -> None:
    small = confusion_report(make_evaluated("binary", 2), 15)
    assert list(tables(small)) == []
    large = confusion_report(make_evaluated("multiclass", 200, samples=3000), 15)
    assert len(tables(large)["confused_pairs"].rows) == 15
    assert all(chart.shrinks for chart in charts(large).values())
    assert "confused_groups" in tables(large)
    labels = confusion_report(make_evaluated("multilabel", 50), 15)
    assert len(tables(labels)["confusion_labels"].rows) == 50


def test_classes_that_are_confused_are_put_together() -> None:
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(20), 5))  # 100 classes in 20 groups of five
    counts = 80 * np.eye(100, dtype=int)
    counts += 20 * (group[:, None] == group[None])
    order, groups = confusion_order(counts)
    assert sorted(order) == list(range(100))
    assert sorted(size for _, size in groups) == [5] * 20
    for start, size in groups:
        assert len(set(group[order[start : start + size]])) == 1


def test_pairs_are_listed_by_how_often_they_are_confused() -> None:
    counts = np.array([[5, 0, 3], [1, 9, 0], [0, 7, 2]])
    matrix = ConfusionMatrix("classes", counts, ("a", "b", "c"), ("a", "b", "c"))
    rows = [tuple(row) for row in confused_pairs(matrix, 10, "default rule").rows]
    assert rows == [("c", "b", 7, 7 / 9), ("a", "c", 3, 3 / 8), ("b", "a", 1, 0.1)]
    assert len(confused_pairs(matrix, 2, "default rule").rows) == 2


@pytest.mark.parametrize("mode", MODES)
def test_areas_under_the_curves_are_scikit_learns(mode: str) -> None:
    evaluated = make_evaluated(mode, 2 if mode == "binary" else 6)
    truth, probs = evaluated.truth, evaluated.table.probs
    roc = {curve.name: curve.area for curve in roc_curves(evaluated)}
    precision = {curve.name: curve.area for curve in precision_recall_curves(evaluated)}
    for index in evaluated.one_vs_rest:
        known = ~np.isnan(truth[:, index])
        columns = truth[known, index], probs[known, index]
        name = evaluated.class_names[index]
        assert roc[name] == pytest.approx(roc_auc_score(*columns), abs=1e-6)
        assert precision[name] == pytest.approx(average_precision_score(*columns), abs=1e-6)
    metrics = compute_metrics(evaluated.label_mode, evaluated.table)
    assert np.mean(list(roc.values())) == pytest.approx(metrics["auroc_macro"], abs=1e-5)
    mean = np.mean(list(precision.values()))
    assert mean == pytest.approx(metrics["average_precision_macro"], abs=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_curves_as_drawn_have_the_areas_that_are_said(mode: str) -> None:
    evaluated = make_evaluated(mode, 2 if mode == "binary" else 6, samples=2000)
    for curve in roc_curves(evaluated):
        assert np.trapezoid(curve.heights, dx=1 / 500) == pytest.approx(curve.area, abs=0.01)
        assert (np.diff(curve.heights) >= 0).all()
    for curve in precision_recall_curves(evaluated):
        assert np.trapezoid(curve.heights, dx=1 / 500) == pytest.approx(curve.area, abs=0.01)


def test_a_class_without_samples_is_named_and_has_no_curve() -> None:
    evaluated = make_evaluated("multiclass", 4)
    there = evaluated.table.targets != 2
    section = curves_report(evaluated.select(np.flatnonzero(there)))
    assert "Without samples, and so without a curve: class 2." in section.text
    row = next(row for row in tables(section)["areas"].rows if row[0] == "class 2")
    assert list(row) == ["class 2", 0, None, None]


def test_curves_of_a_huge_table_are_of_a_part_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.reports.sections.curves.MAX_CELLS", 300)
    section = curves_report(make_evaluated("multiclass", 3))
    assert "Of 100 samples, chosen at random from 400." in section.text
    assert sum(int(str(row[1])) for row in tables(section)["areas"].rows) == 100


def test_worst_errors_are_wrong_and_worst_first() -> None:
    evaluated = make_evaluated("multiclass", 3)
    rows = evaluated.worst_errors(10)
    targets, probs = evaluated.table.targets, evaluated.table.probs
    assert (probs[rows].argmax(axis=1) != targets[rows]).all()
    wrong = np.flatnonzero(probs.argmax(axis=1) != targets)
    by_hand = sorted(wrong, key=lambda i: probs[i, targets[i]])
    assert rows.tolist() == by_hand[:10]


@pytest.mark.parametrize("mode", MODES)
def test_the_least_certain_are_nearest_to_another_decision(mode: str) -> None:
    tuning = Tuning(1.0, {"binary": (0.3,), "multilabel": (0.2, 0.5, 0.7)}.get(mode), None)
    evaluated = make_evaluated(mode, 2 if mode == "binary" else 3, tuning=tuning)
    probs = evaluated.probs
    by_hand = {
        "binary": lambda p: abs(p[1] - 0.3),
        "multiclass": lambda p: sorted(p)[-1] - sorted(p)[-2],
        "multilabel": lambda p: min(abs(p - np.array([0.2, 0.5, 0.7]))),
    }[mode]
    margins = np.array([by_hand(row) for row in probs])
    rows = least_certain(evaluated, 5)
    np.testing.assert_allclose(margins[rows], np.sort(margins)[:5], atol=1e-9)


def test_a_gallery_says_target_decision_and_probabilities() -> None:
    evaluated = make_evaluated("multiclass", 3)
    section = gallery_report(evaluated, read_image, 6)
    worst, uncertain = (part for part in section.parts if isinstance(part, Gallery))
    assert len(worst.tiles) == len(uncertain.tiles) == 6
    row = evaluated.worst_errors(1)[0]
    target, decided = evaluated.table.targets[row], evaluated.decisions[row]
    tile = worst.tiles[0]
    assert list(tile.lines[:3]) == [
        f"image {row:05d}.png", f"target: class {target}", f"decided: class {decided}",
    ]  # fmt: skip
    said = {line.split(": ")[0]: float(line.split(": ")[1]) for line in tile.lines[3:]}
    assert said[f"class {target}"] == pytest.approx(evaluated.probs[row, target], abs=5e-4)
    assert said[f"class {decided}"] == pytest.approx(evaluated.probs[row, decided], abs=5e-4)
    sheet = Image.open(io.BytesIO(draw_contact_sheet(worst, "test")))
    assert sheet.width > 4 * 128


def test_an_image_that_cannot_be_read_is_said_in_its_tile() -> None:
    def unreadable(name: str) -> ImageData:
        raise UnreadableImage(f"Cannot read the image {name}: it is gone.")

    gallery = gallery_report(make_evaluated("binary", 2), unreadable, 2).parts[0]
    assert isinstance(gallery, Gallery)
    assert gallery.tiles[0].jpeg is None
    assert "it is gone" in gallery.tiles[0].lines[-1]
    assert draw_contact_sheet(gallery, "test")


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (8, 8), 7), Image.new("RGBA", (900, 30)), Image.new("1", (3, 5)),
        np.zeros((20, 30, 2), np.uint8), np.zeros((20, 30, 7), np.uint8),
    ],
)  # fmt: skip
def test_thumbnails_of_any_image_are_small(image: ImageData) -> None:
    small = Image.open(io.BytesIO(thumbnail(image)))
    assert max(small.size) == 128
    assert small.mode == "RGB"


def flip(mode: str, share: float) -> tuple[object, set[tuple[int, int]]]:
    """A table of a good model with some labels made wrong, and which (row, class) they are."""
    evaluated = make_evaluated(mode, 2 if mode == "binary" else 4, samples=1500)
    rng = np.random.default_rng(1)
    targets = evaluated.table.targets.copy()
    if targets.ndim == 2:
        probs = np.clip(np.where(targets == 1, 0.97, 0.03) + rng.normal(0, 0.01, targets.shape),
                        0.001, 0.999).astype(np.float32)  # fmt: skip
        wrong = (rng.random(targets.shape) < share) & (targets >= 0)
        targets[wrong] = 1 - targets[wrong]
        flipped = {(int(i), int(c)) for i, c in zip(*np.nonzero(wrong), strict=True)}
    else:
        count = len(evaluated.class_names)
        probs = np.full((len(targets), count), 0.03 / (count - 1), np.float32)
        probs[np.arange(len(targets)), targets] = 0.97
        wrong = rng.random(len(targets)) < share
        targets[wrong] = (targets[wrong] + 1) % count
        flipped = {(int(i), -1) for i in np.flatnonzero(wrong)}
    table = replace(evaluated.table, targets=targets, probs=probs)
    return replace(evaluated, table=table), flipped


@pytest.mark.parametrize("mode", MODES)
def test_flipped_labels_are_found(mode: str) -> None:
    evaluated, flipped = flip(mode, 0.04)
    several = mode == "multilabel"
    found = {(s.row, s.classes[0] if several else -1) for s in find_suspects(evaluated)}
    assert len(found & flipped) >= 0.9 * len(flipped)
    assert len(found & flipped) >= 0.9 * len(found)


def test_label_errors_are_shown_with_the_likelier_label() -> None:
    evaluated, flipped = flip("multiclass", 0.04)
    section = label_errors_report(evaluated, read_image, 3, 10_000)
    rows = tables(section)["label_errors"].rows
    names = [f"class {i}" for i in range(4)]
    for _, given, likely, _ in rows[: len(flipped) // 2]:
        assert names[(names.index(likely) + 1) % 4] == given
    bounded = label_errors_report(evaluated, read_image, 3, 100)
    assert "among 100 samples" in bounded.text


def test_without_cleanlab_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(UserError, match=r"pip install 'sightline\[labels\]'"):
        find_suspects(make_evaluated("multiclass", 3))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_map_keeps_apart_what_is_apart_and_repeats(method: str) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (60, 16)) + 20 * np.repeat(np.eye(16)[:2], 30, axis=0)
    places = embed_2d(features, method, seed=3)  # type: ignore[arg-type]
    middles = places[:30].mean(axis=0), places[30:].mean(axis=0)
    own = np.linalg.norm(places[:30] - middles[0], axis=1)
    other = np.linalg.norm(places[:30] - middles[1], axis=1)
    assert (own < other).all()
    np.testing.assert_array_equal(places, embed_2d(features, method, seed=3))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2, 5), (3, 1), (6, 2)])
def test_a_map_of_few_samples_or_features_is_finite(shape: tuple[int, int]) -> None:
    places = embed_2d(np.random.default_rng(0).normal(size=shape), "tsne", 0)
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("mode", MODES)
def test_the_map_is_drawn_of_a_bounded_sample(mode: str) -> None:
    evaluated = make_evaluated(mode, 2 if mode == "binary" else 30)
    asked: list[str] = []

    def embed(names: list[str]) -> np.ndarray:
        asked.extend(names)
        return np.random.default_rng(0).normal(size=(len(names), 8))

    section = embedding_report(evaluated, embed, "pca", 50, seed=1)  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)) == 50
    assert len(tables(section)["embedding"].rows) == 50
    assert [row[0] for row in tables(section)["embedding"].rows] == asked


def test_heat_is_asked_for_the_most_probable_class() -> None:
    evaluated = make_evaluated("multilabel", 4)

    def explain(names: list[str], classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for name, c in zip(names, classes, strict=True):
            assert evaluated.probs[int(name[6:11])].argmax() == c
        return np.zeros((len(names), 2, 9, 9), np.uint8), np.ones((len(names), 9, 9))

    section = grad_cam_report(evaluated, explain, 3, seed=0)  # type: ignore[arg-type]
    errors, right = (part for part in section.parts if isinstance(part, Gallery))
    assert len(errors.tiles) == len(right.tiles) == 3


def test_learning_curves_hold_every_epoch_once_the_last_value() -> None:
    history = [("train/loss", 0, 2.0), ("val/loss", 0, 1.0), ("val/loss", 1, 0.5),
               ("train/loss", 1, 0.9), ("val/loss", 1, 0.4), ("val/accuracy", 1, 0.8)]  # fmt: skip
    section = learning_curves_report(history, best_epoch=1)
    assert [list(row) for row in tables(section)["epochs"].rows] == [
        [1, 2.0, 1.0, None], [2, 0.9, 0.4, 0.8],
    ]  # fmt: skip
    assert "epoch 2" in section.text
    with pytest.raises(UserError, match="no epochs"):
        learning_curves_report([], None)


def test_intervals_are_shown_where_there_are_any() -> None:
    evaluated = make_evaluated("binary", 2)
    rows = per_class_rows(evaluated.label_mode, evaluated.table)
    plain = per_class_report(evaluated, rows)
    assert "interval" not in plain.text
    for row in rows:
        row |= {"recall_low": 0.5, "recall_high": 0.9, "f1_low": None, "f1_high": None}
    section = per_class_report(evaluated, rows)
    assert "95 % intervals" in section.text
    table = tables(section)[None]
    recall, f1 = (table.rows[0][list(table.columns).index(name)] for name in ("recall", "f1"))
    assert isinstance(recall, WithInterval)
    assert isinstance(f1, WithInterval)
    assert (recall.low, recall.high, f1.interval) == (0.5, 0.9, None)


def test_metrics_of_splits_stand_side_by_side() -> None:
    rows = {
        "test": [{"metric": "accuracy", "value": 0.9, "low": 0.8, "high": 0.95},
                 {"metric": "kappa", "value": 0.7, "low": None, "high": None}],
        "val": [{"metric": "accuracy", "value": 0.8}],
    }  # fmt: skip
    headline, further = metric_tables(rows, ["accuracy", "auroc"])
    assert [list(row) for row in headline.rows] == [
        ["accuracy", WithInterval(0.9, 0.8, 0.95), WithInterval(0.8)]
    ]
    assert [list(row) for row in further.rows] == [["kappa", WithInterval(0.7), None]]
    assert further.folded


def test_reliability_before_and_after_the_temperature() -> None:
    untuned = reliability_report(make_evaluated("multiclass", 5))
    assert "No temperature was fitted." in untuned.text
    tuned = reliability_report(make_evaluated("multiclass", 5, tuning=Tuning(2.0)))
    names = {row[0] for row in tables(tuned)["reliability"].rows}
    assert names == {"as trained", "with the temperature 2"}
    for name in names:
        counts = [row[1] for row in tables(tuned)["reliability"].rows if row[0] == name]
        assert sum(counts) == 400


@pytest.mark.parametrize(
    ("mode", "case"),
    [
        *((mode, "hostile names") for mode in MODES),
        ("binary", "one class"), ("multiclass", "one sample"), ("multilabel", "one class"),
        ("multilabel", "all right"),
    ],
)  # fmt: skip
def test_odd_tables_make_a_report_all_the_same(mode: str, case: str) -> None:
    names = HOSTILE[:2] if mode == "binary" else HOSTILE
    evaluated = make_evaluated(mode, len(names), names=names if case == "hostile names" else None)
    table = evaluated.table
    if case == "one sample":
        evaluated = evaluated.select(slice(1))
    elif case == "one class":
        evaluated = replace(evaluated, table=replace(table, targets=np.zeros_like(table.targets)))
    elif case == "all right":
        evaluated = replace(evaluated, table=replace(table, targets=evaluated.decisions))
    rows = per_class_rows(evaluated.label_mode, evaluated.table)
    for section in (
        confusion_report(evaluated, 15),
        curves_report(evaluated),
        per_class_report(evaluated, rows),
        reliability_report(evaluated),
        gallery_report(evaluated, read_image, 4),
        label_errors_report(evaluated, read_image, 4, 1000),
    ):
        assert section.text
        for chart in charts(section).values():
            assert np.asarray(Image.open(io.BytesIO(chart.png)).convert("L")).std() > 5
