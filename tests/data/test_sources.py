"""Every data source, on small data that the test makes in that layout's true on-disk format."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.commands import QUICK, Sightline
from support.data_sets import (
    SIDE,
    encoded,
    huggingface_table,
    ids,
    make_celeba,
    make_files,
    make_gtsrb,
    make_image,
    make_lfw,
    make_mnist,
    make_shards,
    source,
    write,
)
from support.images import make_folder

from sightline.commands import run_command
from sightline.data.cache import mapped_tables as mapped
from sightline.errors import UserError
from sightline.paths import conf_dir


def assert_same_pixels(one: object, other: object) -> None:
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_folder_nested_and_linked(tmp_path: Path) -> None:
    make_files(tmp_path / "data", ["cat/a/1.png", "cat/b/2.png", "dog/3.png"])
    (tmp_path / "elsewhere").mkdir()
    make_files(tmp_path / "elsewhere", ["4.png"])
    (tmp_path / "data" / "dog" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "dog" / "loop").symlink_to(tmp_path / "data" / "dog")
    data = source("folder", root=str(tmp_path / "data"))
    assert ids(data) == ["cat/a/1.png", "cat/b/2.png", "dog/3.png", "dog/more/4.png"]
    assert data.splits["train"].targets.tolist() == [0, 0, 1, 1]


FORMS: dict[str, tuple[str, list[dict[str, object]], dict[str, object]]] = {
    "csv": ("m.csv", [{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": "dog"}], {}),
    "tsv": ("m.tsv", [{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": "dog"}], {}),
    "jsonl": (
        "m.jsonl", [{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": "dog"}], {},
    ),
    "parquet": (
        "m.parquet", [{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": "dog"}], {},
    ),
    "own column names": (
        "m.csv", [{"f": "a", "k": "cat"}, {"f": "b", "k": "dog"}],
        {"image_column": "f", "label_column": "k", "image_suffix": ".png"},
    ),
    "one-hot columns": (
        "m.csv",
        [{"image": "a.png", "cat": 1, "dog": 0}, {"image": "b.png", "cat": 0, "dog": 1}], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_manifest_of_one_class_a_row(form: str, tmp_path: Path) -> None:
    name, rows, options = FORMS[form]
    make_files(tmp_path, ["a.png", "b.png"])
    data = source("manifest", path=str(write(tmp_path / name, rows)), **options)
    assert data.class_names == ("cat", "dog")
    assert ids(data) == ["a.png", "b.png"]
    assert data.splits["train"].targets.tolist() == [0, 1]
    np.testing.assert_array_equal(
        np.asarray(data.splits["train"].read(1)), np.asarray(make_image(1))
    )


SEVERAL: dict[str, tuple[list[dict[str, object]], dict[str, object]]] = {
    "separator": (
        [{"image": "a.png", "label": "dog|cat"}, {"image": "b.png", "label": ""},
         {"image": "c.png", "label": "cat"}], {"label_separator": "|"},
    ),
    "json": (
        [{"image": "a.png", "label": '["cat", "dog"]'}, {"image": "b.png", "label": "[]"},
         {"image": "c.png", "label": '["cat"]'}], {},
    ),
    "columns": (
        [{"image": "a.png", "cat": "1", "dog": "true"}, {"image": "b.png", "cat": "0", "dog": "0"},
         {"image": "c.png", "cat": "True", "dog": "false"}], {},
    ),
    "none label": (
        [{"image": "a.png", "label": "dog|cat"}, {"image": "b.png", "label": "No Finding"},
         {"image": "c.png", "label": "cat"}],
        {"label_separator": "|", "none_label": "No Finding"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", SEVERAL)
def test_manifest_of_several_labels_a_row(form: str, tmp_path: Path) -> None:
    rows, options = SEVERAL[form]
    path = write(tmp_path / "m.csv", rows)
    data = source("manifest", multi_label=True, path=str(path), **options)
    assert data.class_names == ("cat", "dog")
    assert data.splits["train"].targets.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_labels_that_nobody_knows_are_missing(tmp_path: Path) -> None:
    values = ["1", "0", "", "-1", "nan", "1.0", "-1.0"]
    rows = [{"image": f"{i}.png", "x": value, "y": "0"} for i, value in enumerate(values)]
    data = source("manifest", multi_label=True, path=str(write(tmp_path / "m.csv", rows)))
    assert data.splits["train"].targets[:, 0].tolist() == [1, 0, -1, -1, -1, 1, -1]


def test_manifest_splits_groups_and_metadata(tmp_path: Path) -> None:
    rows = [
        {"image": f"{i}.png", "label": "ab"[i % 2], "fold": split, "patient": i // 2, "site": "x"}
        for i, split in enumerate(["train"] * 4 + ["valid"] * 2 + ["TEST"] * 2)
    ]
    data = source(
        "manifest", path=str(write(tmp_path / "m.csv", rows)), split_column="fold",
        group_column="patient",
    )  # fmt: skip
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 4, "val": 2, "test": 2,
    }  # fmt: skip
    assert data.splits["train"].groups is not None
    assert len(set(data.splits["train"].groups)) == 2
    assert data.splits["test"].metadata is not None
    assert data.splits["test"].metadata.column_names == ["site", "patient"]


def test_parquet_as_hugging_face_publishes_it(tmp_path: Path) -> None:
    pq.write_table(
        huggingface_table(range(4), [0, 1, 1, 0]), tmp_path / "train-00000-of-00002.parquet"
    )
    pq.write_table(
        huggingface_table(range(4, 6), [1, 0]), tmp_path / "train-00001-of-00002.parquet"
    )
    pq.write_table(huggingface_table(range(6, 8), [0, 1]), tmp_path / "test-00000-of-00001.parquet")
    data = source("parquet", root=str(tmp_path))
    assert data.class_names == ("cat", "dog")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 6, "test": 2}
    assert data.splits["train"].targets.tolist() == [0, 1, 1, 0, 1, 0]
    np.testing.assert_array_equal(
        np.asarray(data.splits["train"].read(5)), np.asarray(make_image(5))
    )


def test_parquet_of_plain_bytes_in_one_file(tmp_path: Path) -> None:
    table = pa.table({"image": [encoded(0), encoded(1)], "label": ["b", "a"]})
    pq.write_table(table, tmp_path / "all.parquet")
    data = source("parquet", path=str(tmp_path / "all.parquet"))
    assert data.class_names == ("a", "b")
    assert list(data.splits) == ["train"]


def test_parquet_larger_than_memory_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "photos.parquet"
    pq.write_table(huggingface_table(range(8), [0, 1] * 4), file, row_group_size=3)
    whole = source("parquet", path=str(file))
    monkeypatch.setattr(mapped, "SHARE", 0)
    for damaged in (False, False, True):
        if damaged:  # it is unpacked anew
            (unpacked,) = (tmp_path / "cache").rglob("*.arrow")
            unpacked.write_bytes(unpacked.read_bytes()[:-20])
        data = source("parquet", path=str(file))
        assert data.class_names == whole.class_names
        assert ids(data) == ids(whole)
        for row in range(8):
            np.testing.assert_array_equal(
                np.asarray(data.splits["train"].read(row)), np.asarray(make_image(row))
            )
        assert len(list((tmp_path / "cache").rglob("*.arrow"))) == 1
    [unpacked] = (tmp_path / "cache").rglob("*.arrow")
    content = bytearray(unpacked.read_bytes())
    content[len(content) // 2] ^= 1
    for damage in (content[:-1], content[: len(content) // 2], b"", bytes(content)):
        unpacked.write_bytes(damage)
        np.testing.assert_array_equal(
            np.asarray(source("parquet", path=str(file)).splits["train"].read(7)),
            np.asarray(make_image(7)),
        )
        assert f"{unpacked} is damaged" in caplog.text
        caplog.clear()
    assert run_command("cache", []) == 0
    assert "photos.parquet" in capsys.readouterr().out
    assert run_command("cache", ["clear"]) == 0
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_a_data_set_that_torchvision_unpickles_is_refused(tmp_path: Path) -> None:
    for name in ("LSUN", "LSUNClass"):
        with pytest.raises(UserError, match=rf"data\.name={name}: .*pickle.* use data=folder"):
            source("torchvision", name=name, root=str(tmp_path), download=False)


def test_npz_as_medmnist_publishes_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for name, count in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{name}_images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 3
    np.savez(tmp_path / "some.npz", **arrays)
    data = source("npz", path=str(tmp_path / "some.npz"))
    assert data.class_names == ("0", "1", "2")
    assert data.splits["val"].targets.tolist() == [0, 1, 2, 0]
    several = {**arrays, **{f"{n}_labels": rng.integers(0, 2, (len(arrays[f"{n}_images"]), 14))
                            for n in ("train", "val", "test")}}  # fmt: skip
    np.savez(tmp_path / "chest.npz", **several)
    chest = source("npz", multi_label=True, path=str(tmp_path / "chest.npz"))
    assert chest.splits["test"].targets.shape == (4, 14)


TORCHVISION: dict[str, tuple[Callable[[Path], None], dict[str, int], int]] = {
    "MNIST": (make_mnist, {"train": 40, "test": 10}, 10),
    "FashionMNIST": (
        lambda root: make_mnist(root, "FashionMNIST"), {"train": 40, "test": 10}, 10,
    ),
    "GTSRB": (make_gtsrb, {"train": 172, "test": 43}, 43),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_by_name(name: str, tmp_path: Path) -> None:
    make, sizes, classes = TORCHVISION[name]
    make(tmp_path)
    data = source("torchvision", name=name, root=str(tmp_path))
    assert {split: len(samples) for split, samples in data.splits.items()} == sizes
    assert len(data.class_names) == classes
    import torchvision

    kind = getattr(torchvision.datasets, name)
    option = {"train": False} if "MNIST" in name else {"split": "test"}
    own = kind(tmp_path, **option)
    test = data.splits["test"]
    for index in range(len(own)):
        image, target = own[index]
        read = test.read(index)
        assert isinstance(read, Image.Image)
        np.testing.assert_array_equal(np.asarray(read), np.asarray(image))
        assert test.targets[index] == target


def test_celeba_has_forty_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    make_celeba(tmp_path)
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: True)
    data = source("torchvision", multi_label=True, name="CelebA", root=str(tmp_path))
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 24, "val": 8, "test": 8,
    }  # fmt: skip
    assert len(data.class_names) == data.splits["train"].targets.shape[1] == 40
    assert set(np.unique(data.splits["train"].targets)) == {0, 1}


def test_people_with_at_least_twenty_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision

    make_lfw(tmp_path)
    monkeypatch.setattr(torchvision.datasets.LFWPeople, "_check_integrity", lambda self: True)
    data = source(
        "torchvision", name="LFWPeople", root=str(tmp_path), official_splits=False,
        min_per_class=20, options={"split": "10fold"},
    )  # fmt: skip
    assert data.class_names == ("Ada Lovelace", "Alan Turing") or len(data.class_names) == 2
    assert np.bincount(data.splits["train"].targets).tolist() == [24, 22]


def test_hugging_face_from_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    make_folder(tmp_path / "pets" / "train", {"cat": 4, "dog": 4}, (SIDE, SIDE))
    make_folder(tmp_path / "pets" / "test", {"cat": 2, "dog": 2}, (SIDE, SIDE))
    data = source("huggingface", name=str(tmp_path / "pets"))
    assert data.class_names == ("cat", "dog")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 8, "test": 4}
    assert np.asarray(data.splits["test"].read(0)).shape == (SIDE, SIDE, 3)


def test_hugging_face_in_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    root = tmp_path / "pets"
    for split, count in (("train", 8), ("validation", 4), ("test", 4)):
        make_folder(root / split, {"cat": count, "dog": count}, (SIDE, SIDE))
    with pytest.raises(UserError, match=r"data\.train_samples"):
        source("huggingface", name=str(root), streaming=True)
    data = source("huggingface", name=str(root), streaming=True, train_samples=16)
    assert data.stream is not None
    assert data.class_names == ("cat", "dog")
    assert data.splits["val"].targets.tolist() == [0] * 4 + [1] * 4
    epochs = [list(itertools.islice(data.stream.read(0, 1, seed), 16)) for seed in (0, 0, 1)]
    orders = [[(name.split("/")[-1], target) for name, _, target in epoch] for epoch in epochs]
    assert sorted(orders[0]) == sorted(orders[2])
    assert orders[0] == orders[1] != orders[2]
    assert len(set(orders[0])) == 16


def test_a_source_in_memory_trains(sightline: Sightline, tmp_path: Path) -> None:
    """A source in memory trains through the whole command."""
    arrays = {}
    rng = np.random.default_rng(0)
    for name, count in (("train", 40), ("val", 10), ("test", 10)):
        arrays[f"{name}_images"] = rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(count)[:, None] % 2
    np.savez(tmp_path / "some.npz", **arrays)
    done = sightline("train", "data=npz", f"data.path={tmp_path}/some.npz", *QUICK)
    assert done.status == 0, done.err
    assert done.run.data.params["data"] == "npz"


def test_every_source_is_tested() -> None:
    tested = Path(__file__).read_text()
    for path in (conf_dir() / "data").glob("*.yaml"):
        elsewhere = path.stem in ("digits", "given")  # `given`: tests/api
        assert f'"{path.stem}"' in tested or elsewhere, path.stem


def test_shards_are_read_in_sequence_once_an_epoch(tmp_path: Path) -> None:
    make_shards(tmp_path / "s", {"train": [10, 14, 6], "val": [8], "test": [8]})
    data = source(
        "webdataset", train=f"{tmp_path}/s/train-{{0000..0002}}.tar",
        val=f"{tmp_path}/s/val-*.tar", test=[f"{tmp_path}/s/test-0000.tar"],
        class_names=["even", "odd"], shuffle_buffer=8,
    )  # fmt: skip
    assert data.stream is not None
    assert data.stream.samples == 30
    assert data.splits["val"].targets.tolist() == [0, 1] * 4
    np.testing.assert_array_equal(
        np.asarray(data.splits["test"].read(0)), np.asarray(make_image(38))
    )
    orders = []
    for seed in (0, 0, 1):
        first = [name for name, _, _ in itertools.islice(data.stream.read(0, 1, seed), 30)]
        assert len(set(first)) == 30
        orders.append(first)
    assert orders[0] == orders[1] != orders[2]
    parts = [list(itertools.islice(data.stream.read(part, 3, 5), 6)) for part in range(3)]
    assert len({name for part in parts for name, _, _ in part}) == 18


@pytest.mark.parametrize("several", [False, True])
def test_a_stream_trains_with_workers(several: bool, sightline: Sightline, tmp_path: Path) -> None:
    make_shards(tmp_path / "s", {"train": [20, 20], "val": [10], "test": [10]}, several)
    done = sightline(
        "train", "data=webdataset",
        *(f"data.{name}={tmp_path}/s/{name}-*.tar" for name in ("train", "val", "test")),
        "data.class_names=[cat,dog]", f"label_mode={'multilabel' if several else 'binary'}",
        *(["data.label_key=labels"] if several else []), "data.num_workers=2", *QUICK,
        "trainer.max_epochs=2",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.run.data.metrics["epochs"] == 2
    assert "data.digest.train" not in done.run.data.params


def test_a_damaged_shard_and_an_unknown_class_are_named(tmp_path: Path) -> None:
    make_shards(tmp_path / "s", {"train": [4], "val": [4], "test": [4]})
    urls = {name: f"{tmp_path}/s/{name}-0000.tar" for name in ("train", "val", "test")}
    with pytest.raises(UserError, match=r"val-0000\.tar, sample '000005'.*class 1"):
        source("webdataset", **urls, class_names=["even"])
    with pytest.raises(UserError, match=r"data\.test: there is no shard .*nowhere\.tar"):
        source("webdataset", **{**urls, "test": f"{tmp_path}/nowhere.tar"}, class_names=["a", "b"])
    whole = Path(urls["val"]).read_bytes()
    Path(urls["val"]).write_bytes(whole[: len(whole) // 2 + 100])
    with pytest.raises(UserError, match=r"val-0000\.tar"):
        source("webdataset", **urls, class_names=["even", "odd"])
