"""What to label next: each order against a plain one, ties, and `sightline predict rank=`."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from support.commands import Sightline
from support.runs import MODES
from test_predict import Train, predict, refused

from sightline import load
from sightline.inference.ranking import by_probabilities, farthest_first, of_each_cluster
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel

NAMES = ("a", "b", "c")


def points(count: int = 60, width: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)


def test_the_least_sure_come_first_and_ties_keep_the_order_of_the_input() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 50).astype(np.float32)
    probs[20] = probs[7]
    order, scores = by_probabilities("uncertainty", Multiclass(NAMES), probs, None, 50)
    theirs = entropy(probs.astype(np.float64), axis=1)
    assert np.allclose(scores, theirs[order], atol=1e-6)
    assert (np.diff(scores) <= 0).all()
    assert list(order).index(7) == list(order).index(20) - 1
    order, scores = by_probabilities("margin", Multiclass(NAMES), probs, None, 9)
    ranked = np.sort(probs, axis=1)
    apart = ranked[:, -1] - ranked[:, -2]
    assert np.allclose(scores, np.sort(apart)[:9], atol=1e-6)
    assert np.allclose(apart[order], scores, atol=1e-6)


def test_of_several_labels_each_counts() -> None:
    probs = np.random.default_rng(1).random((40, 3)).astype(np.float32)
    mode = Multilabel(NAMES)
    order, scores = by_probabilities("uncertainty", mode, probs, None, 40)
    pairs = np.stack([probs, 1 - probs], axis=-1).astype(np.float64)
    theirs = entropy(pairs, axis=-1).sum(axis=1)
    assert np.allclose(scores, theirs[order], atol=1e-6)
    thresholds = (0.2, 0.5, 0.9)
    order, scores = by_probabilities("margin", mode, probs, thresholds, 5)
    near = np.abs(probs - np.array(thresholds)).min(axis=1)
    assert order[0] == near.argmin()
    assert (np.diff(near[order]) >= -1e-6).all()
    assert (np.diff(scores) >= 0).all()


def test_the_next_one_is_the_farthest_from_all_before() -> None:
    features, labelled = points(), points(80)[60:]
    for known in (labelled, None):
        order, scores = farthest_first(features, 12, known)
        assert len(set(order)) == 12
        centers = [] if known is None else list(known)
        for place, (chosen, score) in enumerate(zip(order, scores, strict=True)):
            if not centers:  # the image nearest to the mean
                assert chosen == cdist(features, features.mean(axis=0)[None]).argmin()
            else:
                away = cdist(features, np.array(centers)).min(axis=1)
                away[order[:place]] = -1
                assert chosen == away.argmax()
                assert score == pytest.approx(away.max(), rel=1e-6)
            centers.append(features[chosen])


def test_it_covers_at_most_twice_as_far_as_the_best_choice() -> None:
    """Gonzalez (1985): for any first center; the optimum is found by trying all."""
    features = points(14, 2)
    order, _ = farthest_first(features, 3)
    reach = cdist(features, features[order]).min(axis=1).max()
    best = min(
        cdist(features, features[list(each)]).min(axis=1).max()
        for each in combinations(range(len(features)), 3)
    )
    assert best <= reach <= 2 * best


def test_each_cluster_gives_the_image_nearest_to_its_center() -> None:
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])
    sizes = [5, 30, 10, 20]
    blobs = np.concatenate(
        [c + rng.normal(size=(n, 2)) for c, n in zip(centers, sizes, strict=True)]
    )
    of_blob = np.repeat(np.arange(4), sizes)
    order, scores = of_each_cluster(blobs, 4)
    assert of_blob[order].tolist() == [1, 3, 2, 0]  # the largest first
    assert scores.tolist() == [30, 20, 10, 5]
    for chosen in order:
        members = np.flatnonzero(of_blob == of_blob[chosen])
        away = np.linalg.norm(blobs[members] - blobs[members].mean(axis=0), axis=1)
        assert chosen == members[away.argmin()]
    assert np.array_equal(of_each_cluster(blobs, 9)[0], of_each_cluster(blobs, 9)[0])


def test_equal_images_are_chosen_once_each() -> None:
    features = np.repeat(points(3), 4, axis=0)
    for order in (of_each_cluster(features, 7)[0], farthest_first(features, 7)[0]):
        assert len(set(order)) == 7
        assert len({tuple(each) for each in features[order[:3]]}) == 3


@pytest.mark.parametrize("mode", MODES)
def test_the_table_holds_the_first_of_all_predictions(
    mode: str, trained: Train, sightline: Sightline
) -> None:
    run = trained(mode)
    folder = f"input={run.root}/test"
    whole = predict(sightline, run, folder, "output=all.parquet").set_index("id")
    table = predict(sightline, run, folder, "output=next.csv", "rank=uncertainty", "budget=7")
    probs = whole[[name for name in whole if name.startswith("prob_")]].to_numpy(np.float64)
    if mode == "multilabel":
        sure = entropy(np.stack([probs, 1 - probs], axis=-1), axis=-1).sum(axis=1)
    else:
        sure = entropy(probs, axis=1)
    assert table["rank"].tolist() == list(range(1, 8))
    assert table["score"].to_numpy() == pytest.approx(np.sort(sure)[::-1][:7], abs=1e-5)
    name = next(name for name in whole if name.startswith("prob_"))
    assert np.allclose(table[name], whole.loc[table["id"], name], atol=1e-6)
    with Image.open("next.png") as sheet:
        assert sheet.width > 1000


def test_images_to_label_stay_away_from_labelled_ones(
    trained: Train, sightline: Sightline, tmp_path: Path
) -> None:
    """They and what is chosen are the centers; an unreadable image takes no part."""
    run = trained("multiclass")
    pool = tmp_path / "pool"
    pool.mkdir()
    for name in ("bird", "cat", "dog"):
        for path in sorted((run.root / "test" / name).iterdir())[:4]:
            (pool / f"{name}_{path.name}").write_bytes(path.read_bytes())
    (pool / "damaged.png").write_bytes(b"nothing")
    labelled = pd.DataFrame({"image": sorted(map(str, (run.root / "test" / "cat").iterdir()))})
    labelled.to_csv("labelled.csv", index=False)
    words = [f"input={pool}", "rank=coreset", "labelled=labelled.csv"]
    table = predict(sightline, run, *words, "budget=12", "output=next.parquet")
    assert len(table) == 12
    assert "features" not in table
    model = load(run.checkpoint)
    paths = sorted(path for path in pool.iterdir() if path.name != "damaged.png")
    features = model.features(model.prepare(paths)).numpy()
    known = model.features(model.prepare(labelled["image"].tolist())).numpy()
    order, scores = farthest_first(features, 12, known)
    assert table["id"].tolist() == [paths[place].name for place in order]
    assert table["score"].to_numpy() == pytest.approx(scores, abs=1e-4)


def test_options_without_effect_are_refused(trained: Train, sightline: Sightline) -> None:
    run = trained("multiclass")
    words = [f"run={run.run_id}", f"tracking.uri={run.store}", f"input={run.root}/test"]
    words.append("output=next.csv")
    for more, said in (
        (["budget=3"], "budget=3 has no effect without rank"),
        (["rank=margin"], "Give budget=NUMBER"),
        (["rank=margin", "budget=3", f"labelled={run.root}"], "rank=coreset alone"),
        (["rank=margin", "budget=9999"], "give that many at most"),
        (["rank=coreset", "budget=3", "labelled=nowhere"], "nowhere"),
    ):
        assert said in refused(sightline, *words, *more)
