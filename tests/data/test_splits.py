"""Splits: stratified in every mode, by group, in folds, and given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.model_selection import StratifiedGroupKFold
from support.configs import data_config

from sightline.data.reading.images import ArrayImages, Images
from sightline.data.source_data import SPLITS, SourceData, Split, once_per_images, take
from sightline.data.splits.make import make_splits, split_digest, split_table
from sightline.data.splits.stratify import assign
from sightline.errors import UserError

N = 3000


def pool(targets: np.ndarray, groups: np.ndarray | None = None) -> SourceData:
    images = ArrayImages(np.zeros((len(targets), 2, 2), np.uint8))
    split = replace(take([f"{i:05d}" for i in range(len(targets))], targets, images), groups=groups)
    count = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    return SourceData("made up", "here", tuple(map(str, range(count))), {"train": split})


def several(seed: int = 0) -> np.ndarray:
    """20 labels, the rarest on 1 in 100 samples, a tenth not known."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((N, 20)) < np.linspace(0.01, 0.5, 20)).astype(np.int8)
    targets[rng.random((N, 20)) < 0.1] = -1
    return targets


def names(split: Split) -> list[str]:
    return [str(name) for name in split.ids.to_pylist()]


def test_labels_are_shared_out_evenly() -> None:
    targets = several()
    data = make_splits(pool(targets), data_config(val_fraction=0.15, test_fraction=0.15))
    everywhere = [name for split in SPLITS for name in names(data.splits[split])]
    assert sorted(everywhere) == [f"{i:05d}" for i in range(N)]
    for name, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        split = data.splits[name]
        assert len(split) == pytest.approx(share * N, rel=0.03)
        wanted = share * (targets == 1).sum(axis=0)
        assert np.abs((split.targets == 1).sum(axis=0) - wanted).max() <= max(
            3, 0.05 * wanted.max()
        )


def test_it_is_about_as_even_as_the_papers_algorithm() -> None:
    """Label distribution (Sechidis et al. 2011, section 4), beside the library that deals samples
    one by one, and beside a random split."""

    def distance(part: np.ndarray) -> float:
        whole = labels.mean(axis=0)
        odds = whole / (1 - whole)
        values = [labels[part == k].mean(axis=0) for k in range(10)]
        return float(np.mean([np.abs(v / (1 - v) - odds).mean() for v in values]))

    labels = several() == 1
    theirs = np.empty(N, np.int64)
    library = MultilabelStratifiedKFold(10, shuffle=True, random_state=0)
    for k, (_, members) in enumerate(library.split(np.zeros(N), labels)):
        theirs[members] = k
    ours = assign(several(), [0.1] * 10, None, seed=0)
    random = np.random.default_rng(0).permutation(np.arange(N) % 10)
    assert distance(ours) < 1.25 * distance(theirs)
    assert distance(ours) < 0.7 * distance(random)


@pytest.mark.parametrize("multi_label", [False, True])
def test_groups_stay_together_and_classes_in_proportion(multi_label: bool) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 400, N)
    targets = several() if multi_label else rng.choice(4, N, p=[0.6, 0.25, 0.1, 0.05])
    data = make_splits(pool(targets, groups), data_config())
    found = [set(data.splits[name].groups.tolist()) for name in SPLITS]  # type: ignore[union-attr]
    assert sum(map(len, found)) == len(set.union(*found)) == len(np.unique(groups))
    for name, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        assert len(data.splits[name]) == pytest.approx(share * N, rel=0.05)
    if not multi_label:
        whole = np.bincount(targets) / N
        mine = np.bincount(data.splits["test"].targets, minlength=4) / len(data.splits["test"])
        folds = StratifiedGroupKFold(7, shuffle=True, random_state=0)
        _, theirs = next(folds.split(targets, targets, groups))
        reference = np.abs(np.bincount(targets[theirs], minlength=4) / len(theirs) - whole).max()
        assert np.abs(mine - whole).max() <= max(reference, 0.01)


@pytest.mark.parametrize("kind", ["classes", "labels", "groups"])
def test_folds_cover_everything_once_and_leave_the_test_alone(kind: str) -> None:
    rng = np.random.default_rng(0)
    targets = several() if kind == "labels" else rng.integers(0, 3, N)
    groups = rng.integers(0, 200, N) if kind == "groups" else None
    folds = [
        make_splits(pool(targets, groups), data_config(folds=5, fold=fold)) for fold in range(5)
    ]
    tests = [names(data.splits["test"]) for data in folds]
    assert all(test == tests[0] for test in tests)
    vals = [name for data in folds for name in names(data.splits["val"])]
    assert len(vals) == len(set(vals))
    assert sorted([*vals, *tests[0]]) == [f"{i:05d}" for i in range(N)]
    for data in folds:
        assert not set(names(data.splits["train"])) & set(names(data.splits["val"]))
        assert len(data.splits["val"]) == pytest.approx((N - len(tests[0])) / 5, rel=0.05)


def test_a_fold_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.fold=5: expected 0 to 4"):
        make_splits(pool(np.arange(30) % 3), data_config(folds=5, fold=5))


def test_splits_depend_on_the_split_seed_alone() -> None:
    digests = [
        split_digest(make_splits(pool(several()), data_config(split_seed=seed)).splits)
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_stored_split_can_be_given_back(suffix: str, tmp_path: Path) -> None:
    data = make_splits(pool(np.arange(60) % 3), data_config(split_seed=7))
    table = split_table(data.splits)
    path = tmp_path / f"split{suffix}"
    if suffix == ".csv":
        path.write_text(table.to_pandas().to_csv(index=False))
    else:
        pq.write_table(table, path)
    again = make_splits(pool(np.arange(60) % 3), data_config(split_file=str(path)))
    assert split_digest(again.splits) == split_digest(data.splits)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"id": ["00000"], "split": ["train"]}, "expected train, val and test"),
        ({"name": ["00000"], "split": ["train"]}, "the column 'id' is missing"),
        ({"id": ["x", "00001", "00002"], "split": ["train", "val", "test"]}, "'x' is not among"),
        (
            {"id": ["00000", "00001", "00002", "00002"], "split": ["train", "val", "test", "val"]},
            "'00002' is there twice",
        ),
    ],
)
def test_a_stored_split_that_does_not_fit_is_refused(
    rows: dict[str, list[str]], expected: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table(rows), tmp_path / "split.parquet")
    with pytest.raises(UserError, match="split_file") as error:
        make_splits(pool(np.arange(9) % 3), data_config(split_file=str(tmp_path / "split.parquet")))
    assert expected in str(error.value)


def test_images_that_a_stored_split_does_not_list_join_train(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    targets = np.arange(70) % 3
    before = make_splits(pool(targets[:60]), data_config(split_seed=7))
    pq.write_table(split_table(before.splits), tmp_path / "split.parquet")
    given = data_config(split_file=str(tmp_path / "split.parquet"))
    with caplog.at_level("INFO"):
        after = make_splits(pool(targets), given)
    assert "10 images are not in" in caplog.text
    assert "10 to train" in caplog.text
    for name in ("val", "test"):
        assert names(after.splits[name]) == names(before.splits[name])
    assert set(names(after.splits["train"])) == {
        *names(before.splits["train"]), *(f"{i:05d}" for i in range(60, 70)),
    }  # fmt: skip
    with pytest.raises(UserError, match=r"the \w+ sample '000\d\d' is not among"):
        make_splits(pool(targets[:50]), given)


def test_a_new_image_joins_the_split_of_its_group(tmp_path: Path) -> None:
    groups = np.arange(60) // 3
    targets = np.arange(66) % 3
    before = make_splits(pool(targets[:60], groups), data_config())
    pq.write_table(split_table(before.splits), tmp_path / "split.parquet")
    in_test = before.splits["test"].groups
    assert in_test is not None
    more = np.concatenate([groups, [in_test[0], 90, 90, 90, 90, 90]])
    given = data_config(split_file=str(tmp_path / "split.parquet"))
    after = make_splits(pool(targets, more), given)
    assert set(names(after.splits["test"])) == {*names(before.splits["test"]), "00060"}
    assert {"00061", "00065"} < set(names(after.splits["train"]))


def test_new_images_of_an_official_test_split_are_refused(tmp_path: Path) -> None:
    whole = pool(np.arange(66) % 3)
    train = whole.splits["train"]
    official = {"train": train.select(np.arange(50)), "test": train.select(np.arange(50, 60))}
    before = make_splits(replace(whole, splits=official), data_config())
    pq.write_table(split_table(before.splits), tmp_path / "split.parquet")
    more = official | {"test": train.select(np.arange(50, 66))}
    with pytest.raises(UserError, match="does not list 6 of the data's test samples"):
        make_splits(
            replace(whole, splits=more), data_config(split_file=str(tmp_path / "split.parquet"))
        )


def rare(kind: str, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Targets and groups of 400 samples of which `count`, or as many groups, have the rarest."""
    targets = np.zeros(400, np.int64)
    targets[:count] = 1
    if kind == "labels":
        labels = np.zeros((400, 3), np.int8)
        labels[:count, 0] = 1
        labels[::3, 1] = 1
        labels[::7, 1] = -1
        return labels, None
    groups = np.arange(400) // 4 if kind == "groups" else None
    if groups is not None:
        targets = np.zeros(400, np.int64)
        targets[: 4 * count : 4] = 1
    return targets, groups


@pytest.mark.parametrize("split_by", ["seed", "hash"])
@pytest.mark.parametrize("kind", ["classes", "labels", "groups"])
def test_a_rare_class_is_in_every_split(kind: str, split_by: str) -> None:
    """Where it has 3 images (or is in 3 groups); of 2, one is in train and one in test."""
    for count, share, seeds in ((8, 0.1, 50), (2, 0.1, 9), (3, 0.1, 9), (4, 0.02, 9), (8, 0.3, 9)):
        targets, groups = rare(kind, count)
        for seed in range(seeds):
            config = data_config(
                split_seed=seed, split_by=split_by, val_fraction=share, test_fraction=share
            )
            data = make_splits(pool(targets, groups), config)
            present = {
                name: ((s.targets == 1) if s.targets.ndim == 1 else s.targets[:, 0] == 1).sum()
                for name, s in data.splits.items()
            }
            assert present["train"] >= 1
            assert present["test"] >= 1
            assert present["val"] >= (count > 2)
            if split_by == "seed":
                for name in ("val", "test"):
                    assert len(data.splits[name]) == pytest.approx(share * 400, abs=4)


def test_splits_are_as_they_were_where_every_class_is_there_anyway() -> None:
    digests = {
        "classes": "a95e30abb5d62c1a0d1b230e837c79bb",
        "labels": "9964247ab82e9947e7f455fd74b1a998",
        "groups": "9c26e28eb5b97320a90ee6500ca2903d",
    }
    for kind, digest in digests.items():
        groups = np.arange(N) // 5 if kind == "groups" else None
        data = make_splits(
            pool(several() if kind == "labels" else np.arange(N) % 4, groups), data_config()
        )
        assert split_digest(data.splits) == digest


@pytest.mark.parametrize("kind", ["classes", "labels", "groups"])
@pytest.mark.parametrize("added", [1, 10, 100])
def test_by_hash_added_images_move_hardly_any_other(kind: str, added: int) -> None:
    rng = np.random.default_rng(added)
    targets = several() if kind == "labels" else rng.choice(4, N, p=[0.7, 0.2, 0.08, 0.02])
    groups = rng.integers(0, 400, N) if kind == "groups" else None
    whole = pool(targets, groups)
    shuffled = whole.splits["train"].select(rng.permutation(N))  # also in another order
    few = shuffled.select(np.arange(N - added))
    config = data_config(split_by="hash")
    less = make_splits(replace(whole, splits={"train": few}), config)
    more = make_splits(replace(whole, splits={"train": shuffled}), config)
    for name in SPLITS:
        ours, theirs = set(names(less.splits[name])), set(names(more.splits[name]))
        assert len(ours & theirs) >= 0.99 * len(ours)
    for name, share in (("val", 0.15), ("test", 0.15)):
        limit = 0.03 if kind != "groups" else 0.06  # of so many random samples, or groups
        assert len(more.splits[name]) / N == pytest.approx(share, abs=limit)


def test_by_hash_every_fold_is_stable_and_groups_go_by_their_names() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, N)
    folds = [
        set(names(make_splits(pool(labels), data_config(split_by="hash", folds=5, fold=k))
                  .splits["val"]))
        for k in range(5)
    ]  # fmt: skip
    assert len(set.union(*folds)) == sum(map(len, folds)) > 0.8 * N
    fewer = make_splits(pool(labels[:-100]), data_config(split_by="hash", folds=5, fold=2))
    kept = {name for name in folds[2] if int(name) < N - 100}
    assert set(names(fewer.splits["val"])) == kept
    codes = rng.integers(0, 200, N)
    patients = tuple(f"patient {code}" for code in range(200))
    one = make_splits(replace(pool(labels, codes), group_names=patients),
                      data_config(split_by="hash"))  # fmt: skip
    reversed_names = tuple(reversed(patients))
    other = make_splits(replace(pool(labels, 199 - codes), group_names=reversed_names),
                        data_config(split_by="hash"))  # fmt: skip
    assert split_digest(one.splits) == split_digest(other.splits)


def test_by_content_copies_are_in_one_split_whatever_their_names() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 4, 4), dtype=np.uint8)
    images[150:] = images[:150]
    split = take([f"{i:05d}" for i in range(300)], np.arange(300) % 2, ArrayImages(images))
    renamed = take([f"x{i}" for i in range(300)], np.arange(300) % 2, ArrayImages(images))
    config = data_config(split_by="content")
    found = []
    for each in (split, renamed):
        data = make_splits(SourceData("made up", "here", ("a", "b"), {"train": each}), config)
        part = np.empty(300, "U5")
        for name, made in data.splits.items():
            part[made.rows] = name
        found.append(part)
    assert (found[0] == found[1]).all()
    assert (found[0][:150] == found[0][150:]).all()
    assert set(found[0]) == set(SPLITS)


def test_an_official_test_split_stays_as_it_is(tmp_path: Path) -> None:
    targets = np.arange(60) % 3
    source = pool(targets)
    whole = source.splits["train"]
    official = {"train": whole.select(np.arange(50)), "test": whole.select(np.arange(50, 60))}
    data = make_splits(replace(source, splits=official), data_config(folds=5, fold=2))
    assert names(data.splits["test"]) == [f"{i:05d}" for i in range(50, 60)]
    assert len(data.splits["val"]) == 10


def test_a_function_is_called_once_for_splits_that_share_their_images() -> None:
    shared = ArrayImages(np.zeros((6, 4, 4), np.uint8))
    own = ArrayImages(np.ones((3, 4, 4), np.uint8))
    pool = take([f"s{i}" for i in range(6)], np.zeros(6, np.int64), shared)
    splits = {
        "train": pool.select(np.arange(4)),
        "val": take(["o0", "o1", "o2"], np.zeros(3, np.int64), own),
        "test": pool.select(np.arange(4, 6)),
    }
    calls: list[str] = []

    def count(name: str, images: Images) -> int:
        calls.append(name)
        return len(images)

    assert once_per_images(splits, count) == {"train": 6, "val": 3, "test": 6}
    assert calls == ["train", "val"]


@pytest.mark.parametrize("split_by", ["seed", "hash", "content"])
def test_a_class_of_fewer_images_than_folds_is_refused(split_by: str) -> None:
    labels = np.arange(N) % 4
    labels[:5] = 4  # one of them at least is in test
    config = data_config(split_by=split_by, folds=5)
    with pytest.raises(UserError, match=r"data\.folds=5: a class has only [1-4] images"):
        make_splits(pool(labels), config)
