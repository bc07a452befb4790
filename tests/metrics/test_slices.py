"""Slices, corruptions and averaged views, from arrays alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from support.random_tables import make_mode, random_table

from sightline.errors import UserError
from sightline.inference.corruptions import CORRUPTIONS, SEVERITIES
from sightline.inference.views import CorruptedView, averaged_views
from sightline.metrics.robustness import curves, robustness_rows
from sightline.metrics.slice_differences import difference_of
from sightline.metrics.slices import measure_slices, slice_values
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions

FLIPPED = {"transforms": [{"_target_": "torchvision.transforms.v2.RandomHorizontalFlip"}]}


def with_sites(samples: int = 300) -> Predictions:
    table = random_table(make_mode("multiclass"), samples)
    sites = np.array(["a", "b", "c"], dtype="U4")[np.arange(samples) % 3]
    sites[:5] = "rare"
    targets = np.where(sites == "b", (table.targets + 1) % 5, table.targets)  # b is labelled badly
    return replace(table, targets=targets, metadata={"site": sites, "age": np.arange(samples)})


def test_slices_are_measured_by_themselves_and_the_worst_is_named() -> None:
    table = with_sites()
    found = measure_slices(make_mode("multiclass"), table, Tuning(), "site")
    assert found.worst == "b"
    assert found.small == {"rare": 5}
    for site, evaluation in found.found.items():
        rows = table.metadata["site"] == site
        expected = sk.f1_score(
            table.targets[rows], table.probs[rows].argmax(axis=1), average="macro"
        )
        assert evaluation.metrics["f1_macro"] == pytest.approx(expected)
        assert "f1_macro" in evaluation.intervals
    rows = {row["value"]: row for row in found.rows()}
    assert rows["b"]["worst"] is True
    assert rows["rare"]["samples"] == 5
    assert rows["rare"]["accuracy"] is None
    assert rows["b"]["difference_to_rest_high"] < 0
    rest = table.metadata["site"] != "b"
    right = table.probs.argmax(axis=1) == table.targets
    difference = right[~rest].mean() - right[rest].mean()
    assert rows["b"]["difference_to_rest"] == pytest.approx(difference)
    assert rows["rare"]["difference_to_rest"] is None
    by_loss = measure_slices(make_mode("multiclass"), table, Tuning(), "site", "log_loss")
    assert by_loss.worst == "b"  # the highest


def test_a_slice_that_is_lowest_by_chance_is_not_called_the_worst() -> None:
    mode, named = make_mode("multiclass"), 0
    for seed in range(40):
        table = random_table(mode, 300, seed)
        site = np.random.default_rng(seed).integers(0, 6, 300)
        for value in range(6):
            sides = [table.select(np.flatnonzero(rows)) for rows in (site == value, site != value)]
            found = difference_of(mode, *sides, Tuning(), "accuracy", 6)
            named += found.is_worse(higher_is_better=True)
    assert named <= 4  # 2.5 % of 40 tables: 1, and at most 4 in 99 of 100


def test_a_slice_whose_interval_is_withheld_is_not_compared() -> None:
    table = with_sites()
    decided = table.probs.argmax(axis=1)
    sites = table.metadata["site"]
    table = replace(table, targets=np.where(sites == "a", decided, table.targets))
    found = measure_slices(make_mode("multiclass"), table, Tuning(), "site", "f1_macro")
    assert found.differences["a"].withheld == "0 wrong decisions"
    assert "too few to say: 0 wrong decisions" in found.differences["a"].words()
    assert found.worst == "b"


def test_slices_that_cannot_be_compared_are_refused() -> None:
    mode, table = make_mode("multiclass"), with_sites()
    table = replace(table, metadata=table.metadata | {"patient": table.ids})
    with pytest.raises(UserError, match="Did you mean 'site'"):
        measure_slices(mode, table, Tuning(), "sites")
    with pytest.raises(UserError, match="0 have at least 30"):
        measure_slices(mode, table, Tuning(), "site", minimum=30_000)
    with pytest.raises(UserError, match=r"slice_metric=acuracy: .* Did you mean 'accuracy'"):
        measure_slices(mode, table, Tuning(), "site", "acuracy")


def test_many_numbers_are_cut_into_quarters() -> None:
    ages = np.arange(100).astype(str)
    ages[7] = ""
    values, counts = np.unique(slice_values(ages), return_counts=True)
    assert len(values) == 5
    assert "(missing)" in values
    assert sorted(counts.tolist())[1:] == pytest.approx([25, 25, 25, 25], abs=1)
    assert set(slice_values(np.array([1.0, 2.0, np.nan]))) == {"1", "2", "(missing)"}


@pytest.mark.parametrize("name", list(CORRUPTIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_corruption_is_the_same_again_and_grows_with_its_severity(
    name: str, channels: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (12, channels, 48, 48), dtype=torch.uint8, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise.float(), 5, 1, 2).to(torch.uint8)
    harm = []
    for severity in SEVERITIES:
        changed = CorruptedView(name, severity)(smooth)
        assert changed.shape == smooth.shape
        assert changed.dtype == torch.uint8
        assert torch.equal(changed, CorruptedView(name, severity)(smooth))
        harm.append((changed.float() - smooth.float()).abs().mean().item())
    assert harm[0] > 0
    for weaker, stronger in pairwise(harm):
        assert stronger > 0.8 * weaker  # of few images, whose draws differ
    assert harm[-1] > harm[0]


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_a_corruption_takes_images_of_any_size(name: str) -> None:
    for side, channels in ((1, 1), (2, 3), (3, 5), (7, 2), (130, 1)):
        image = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
        for severity in SEVERITIES:
            changed = CORRUPTIONS[name](image, severity, torch.Generator().manual_seed(0))
            assert changed.shape == image.shape
            assert changed.isfinite().all()


def test_robustness_is_a_curve_from_the_clean_images_on() -> None:
    mode = make_mode("multiclass")
    clean = random_table(mode, 200)
    worse = random_table(mode, 200, seed=9).probs
    corrupted = {("noise", s): clean.probs if s < 3 else worse for s in (1, 2, 3)}
    corrupted |= {("blur", s): clean.probs for s in (1, 2, 3)}
    found = curves(robustness_rows(mode, clean, corrupted), "accuracy")
    right = sk.accuracy_score(clean.targets, clean.probs.argmax(axis=1))
    wrong = sk.accuracy_score(clean.targets, worse.argmax(axis=1))
    assert found["noise"] == pytest.approx([right, right, right, wrong])
    assert found["mean"] == pytest.approx([right, right, right, (right + wrong) / 2])


def test_views_mirror_and_move_images() -> None:
    image = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).remainder(251).to(torch.uint8)
    with pytest.raises(UserError, match="never mirrored"):
        averaged_views(["flip"], {"transforms": []})
    mirrored = [view(image) for view in averaged_views(["flip"], FLIPPED).values()]
    assert torch.equal(mirrored[0], image)
    assert torch.equal(mirrored[1], image.flip(3))
    views = averaged_views(["shift", "flip"], FLIPPED)
    assert len(views) == 10
    down = views["shift 1 0"](image)
    assert torch.equal(down[:, :, 2:], image[:, :, :-2])
    assert torch.equal(down[:, :, 0], image[:, :, 0])
