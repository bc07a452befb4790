"""Parts of the training samples: nested, stratified, by group, and what cannot be drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from support.configs import changed_config, data_config

from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import SourceData, Split, take
from sightline.data.splits.draw_order import first_samples
from sightline.data.splits.make import make_splits
from sightline.errors import UserError

N = 2000
SHARES = [0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02]
FRACTIONS = (0.05, 0.1, 0.3, 0.7)


def of_one(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(len(SHARES), N, p=SHARES)


def of_several(seed: int = 0) -> np.ndarray:
    """12 labels, the rarest on 1 in 50 samples, a tenth not known, some samples without any."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((N, 12)) < np.linspace(0.02, 0.4, 12)).astype(np.int8)
    targets[rng.random((N, 12)) < 0.1] = -1
    return targets


def patients(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 300, N)


def source(targets: np.ndarray, groups: np.ndarray | None = None) -> SourceData:
    """Train, beside a val and a test of one image each."""
    images = ArrayImages(np.zeros((len(targets), 2, 2), np.uint8))
    split = replace(take([f"{i:05d}" for i in range(len(targets))], targets, images), groups=groups)
    width = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    splits = {name: split.select(np.array([0])) for name in ("val", "test")}
    return SourceData(
        "made up", "here", tuple(f"c{i}" for i in range(width)), {"train": split} | splits
    )


def drawn(data: SourceData, **keys: float) -> Split:
    return make_splits(data, data_config(**keys)).splits["train"]


def ids(split: Split) -> set[str]:
    return set(split.ids.to_pylist())


def counts(targets: np.ndarray) -> np.ndarray:
    """Of each label; an independent count."""
    if targets.ndim == 2:
        return np.array([(column == 1).sum() for column in targets.T])
    return np.array([(targets == label).sum() for label in range(len(SHARES))])


MODES = {
    "one": (of_one(), None),
    "several": (of_several(), None),
    "one, groups": (of_one(), patients()),
    "several, groups": (of_several(), patients()),
}


@pytest.mark.parametrize("mode", list(MODES))
def test_a_smaller_part_is_within_each_larger_one(mode: str) -> None:
    data = source(*MODES[mode])
    fractions = [drawn(data, train_fraction=each) for each in FRACTIONS]
    of_each = [drawn(data, per_class=each) for each in (1, 3, 10)]
    for parts in (fractions, of_each):
        for small, large in pairwise(parts):
            assert ids(small) < ids(large)
    assert ids(drawn(data, train_fraction=0.1)) == ids(fractions[1])
    assert ids(drawn(data, train_fraction=0.1, draw_seed=1)) != ids(fractions[1])
    for fraction, part in zip(FRACTIONS, fractions, strict=True):
        groups = data.splits["train"].groups
        largest = 1 if groups is None else int(np.bincount(groups).max())
        assert abs(len(part) - fraction * N) <= largest / 2 + 0.5


@pytest.mark.parametrize("mode", ["one, groups", "several, groups"])
def test_a_group_is_taken_whole_or_not_at_all(mode: str) -> None:
    data = source(*MODES[mode])
    for part in (drawn(data, train_fraction=0.2), drawn(data, per_class=4)):
        assert part.groups is not None
        taken, rest = set(part.groups.tolist()), ids(data.splits["train"]) - ids(part)
        groups = data.splits["train"].groups
        assert groups is not None
        assert not taken & {int(groups[int(name)]) for name in rest}


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_classes_keep_their_share(fraction: float) -> None:
    """Within 1 of scikit-learn's, in each draw; of labels and groups closer than a random draw."""
    targets = of_one()
    theirs, _ = train_test_split(
        np.arange(N), train_size=round(fraction * N), stratify=targets, random_state=0
    )
    for seed in range(5):
        ours = drawn(source(targets), train_fraction=fraction, draw_seed=seed)
        assert np.abs(counts(ours.targets) - counts(targets[theirs])).max() <= 1
    for labels, groups in (MODES["several"], MODES["one, groups"], MODES["several, groups"]):
        wanted = fraction * counts(labels)
        own, random = [], []
        for seed in range(8):
            part = first_samples(labels, groups, round(fraction * N), seed)
            own.append(np.abs(counts(labels[part]) - part.mean() * counts(labels)).mean())
            chosen = np.random.default_rng(seed).permutation(N)[: round(fraction * N)]
            random.append(np.abs(counts(labels[chosen]) - wanted).mean())
        assert np.mean(own) < np.mean(random)


def test_every_sample_is_drawn_as_often_as_any_other() -> None:
    """Whatever its class, also one of a single sample: over many draws in proportion."""
    targets = np.repeat(np.arange(20), [1] * 10 + [3] * 5 + [20] * 5)
    draws = 400
    for groups in (None, np.arange(len(targets)) // 2):
        times = sum(
            first_samples(targets, groups, len(targets) // 2, seed).astype(int)
            for seed in range(draws)
        )
        # 5 standard deviations of a binomial at most, over 125 samples
        assert np.abs(times / draws - 0.5).max() < 5 * 0.5 / np.sqrt(draws)


def test_so_many_of_each_class() -> None:
    part = drawn(source(of_one()), per_class=16)
    assert counts(part.targets).tolist() == [16] * len(SHARES)
    for targets, groups in (MODES["several"], MODES["several, groups"], MODES["one, groups"]):
        part = drawn(source(targets, groups), per_class=16)
        assert counts(part.targets).min() >= 16
        assert len(part) < N / 2
    part = drawn(source(of_several()), per_class=16)
    assert counts(part.targets)[0] == 16  # the rarest label is taken first
    none = ~(part.targets == 1).any(axis=1)
    assert none.sum() == 16  # of samples without any label


@pytest.mark.parametrize("mode", list(MODES))
def test_a_class_without_a_sample_is_named_with_the_least_that_works(mode: str) -> None:
    data = source(*MODES[mode])
    with pytest.raises(UserError, match=r"data.train_fraction=0.001 is \d+ of 2,000") as error:
        drawn(data, train_fraction=0.001)
    assert re.search(r"leaves the class 'c\d+'", str(error.value))
    found = re.search(r"data.draw_seed=0 is ([\d.]+) \((\d+) images\)", str(error.value))
    assert found is not None
    part = drawn(data, train_fraction=float(found[1]))
    assert counts(part.targets).min() >= 1
    assert len(part) == int(found[2])
    largest = 1 if part.groups is None else int(np.bincount(data.splits["train"].groups).max())
    with pytest.raises(UserError, match=r"data\.train_fraction"):
        drawn(data, train_fraction=max(int(found[2]) - largest, 1) / N)


def test_what_cannot_be_drawn_is_refused() -> None:
    least = int(counts(of_one()).min())
    with pytest.raises(UserError, match=f"class 'c6' has only {least} training images, and 1 more"):
        drawn(source(of_one()), per_class=60)
    with pytest.raises(UserError, match="give one"):
        changed_config("data.train_fraction=0.1", "data.per_class=3")


def test_val_and_test_are_the_same_and_all_of_train_is_known() -> None:
    whole = SourceData(
        "made up", "here", tuple("abcdefg"), {"train": source(of_one()).splits["train"]}
    )
    plain = make_splits(whole, data_config())
    part = make_splits(whole, data_config(train_fraction=0.1, draw_seed=4))
    for name in ("val", "test"):
        assert part.splits[name].ids.equals(plain.splits[name].ids)
    assert part.whole_train.ids.equals(plain.splits["train"].ids)
    assert ids(part.splits["train"]) < ids(plain.splits["train"])
    every = make_splits(whole, data_config(train_fraction=1.0))
    assert every.drawn_from is None
    assert every.splits["train"].ids.equals(plain.splits["train"].ids)
