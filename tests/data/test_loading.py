"""Data sources, splits and transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from support.configs import data_config
from support.images import make_folder
from timm.data import create_transform

from sightline.data.cache.digests import content_digests
from sightline.data.reading.transforms import ImageTransform, ToMode
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.data.sources.digits import read_digits
from sightline.data.sources.folder import read_folder
from sightline.data.splits.make import make_splits
from sightline.data.statistics import describe_data, sample_images
from sightline.errors import UserError
from sightline.types import AS_STORED, PreprocessSpec


def digits(label_mode: str, split_seed: int = 0) -> SourceData:
    config = data_config(split_seed=split_seed, val_fraction=0.1, test_fraction=0.2)
    return make_splits(read_digits(label_mode, split_seed, (300, 80, 90)), config)


def folder(root: Path, **changed: Any) -> SourceData:
    return make_splits(read_folder(str(root)), data_config(**changed))


def names(split: Split) -> list[str]:
    return [str(name) for name in split.ids.to_pylist()]


def test_digits_are_split_once_and_stratified() -> None:
    data = digits("multiclass")
    ids = [set(names(data.splits[name])) for name in SPLITS]
    assert sum(len(part) for part in ids) == len(set.union(*ids)) == 1797
    for name in SPLITS:
        shares = np.bincount(data.splits[name].targets, minlength=10) / len(data.splits[name])
        assert shares.min() > 0.08
    binary = digits("binary")
    assert binary.class_names == ("even", "odd")
    assert names(binary.splits["test"]) == names(data.splits["test"])
    np.testing.assert_array_equal(binary.splits["test"].targets, data.splits["test"].targets % 2)


def test_composed_canvases_show_what_they_say_and_share_no_source() -> None:
    single = digits("multiclass")
    data = digits("multilabel")
    assert [len(data.splits[name]) for name in SPLITS] == [300, 80, 90]
    for name in SPLITS:
        own = single.splits[name]
        known = {np.asarray(own.read(i)).tobytes(): int(own.targets[i]) for i in range(len(own))}
        split = data.splits[name]
        for index in range(len(split)):
            canvas = np.asarray(split.read(index))
            shown = set()
            for top in (0, 16):
                for left in (0, 16):
                    cell = canvas[top : top + 16 : 2, left : left + 16 : 2]
                    if cell.any():
                        shown.add(known[np.ascontiguousarray(cell).tobytes()])
            assert shown == set(np.flatnonzero(split.targets[index]).tolist())
            assert 1 <= len(shown) <= 4


def test_composition_depends_on_the_split_seed_alone() -> None:
    first = digits("multilabel")
    again = digits("multilabel")
    other = digits("multilabel", split_seed=1)
    digests = []
    for data in (first, again, other):
        train = data.splits["train"]
        digests.append(train.digest(content_digests(train.images)))
    assert digests[0] == digests[1] != digests[2]


def test_folder_without_splits_is_split_stratified(photos: Path) -> None:
    data = folder(photos)
    assert data.class_names == ("cat", "dog")
    assert [len(data.splits[name]) for name in SPLITS] == [34, 7, 7]
    ids = [name for split in data.splits.values() for name in names(split)]
    assert len(ids) == len(set(ids)) == 48
    assert all((photos / name).is_file() for name in ids)
    np.testing.assert_array_equal(np.bincount(data.splits["train"].targets), [17, 17])


def test_folder_with_splits_uses_them_as_they_are(tmp_path: Path) -> None:
    for name, count in (("train", 8), ("val", 3), ("test", 4)):
        make_folder(tmp_path / "data" / name, {"a": count, "b": count})
    data = folder(tmp_path / "data")
    assert [len(data.splits[name]) for name in SPLITS] == [16, 6, 8]
    assert all(name.startswith("test/") for name in names(data.splits["test"]))


def test_an_official_test_set_is_never_resplit(tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "train", {"a": 20, "b": 20})
    make_folder(tmp_path / "data" / "test", {"a": 5, "b": 5})
    data = folder(tmp_path / "data")
    assert len(data.splits["test"]) == 10
    assert {name.split("/")[0] for name in names(data.splits["val"])} == {"train"}
    assert len(data.splits["val"]) == 6


def test_a_split_without_a_class_keeps_the_class_map(tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "train", {"a": 8, "b": 8, "c": 8})
    make_folder(tmp_path / "data" / "val", {"a": 3, "c": 3})
    make_folder(tmp_path / "data" / "test", {"c": 4})
    data = folder(tmp_path / "data")
    assert data.class_names == ("a", "b", "c")
    assert set(data.splits["val"].targets) == {0, 2}
    assert set(data.splits["test"].targets) == {2}


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "vit_base_patch16_clip_224.openai"])
def test_geometry_is_timms_own(name: str) -> None:
    config = timm.get_pretrained_cfg(name).to_dict()
    theirs = create_transform(
        input_size=config["input_size"],
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
        crop_mode=config.get("crop_mode"),
        use_prefetcher=True,  # uint8, as ours
    )
    spec = PreprocessSpec(
        img_size=224,
        in_chans=3,
        mean=config["mean"],
        std=config["std"],
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
    )
    pixels = np.random.default_rng(0).integers(0, 256, (300, 417, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    expected = torch.as_tensor(np.asarray(theirs(image)))
    assert torch.equal(ImageTransform(spec)(image), expected)


@pytest.mark.parametrize("crop_mode", ["squash", "border"])
def test_further_crop_modes_are_timms_own(crop_mode: str) -> None:
    options = {"interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": crop_mode}
    theirs = create_transform(input_size=(3, 64, 64), use_prefetcher=True, **options)
    mean, std = timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD
    spec = PreprocessSpec(64, 3, mean, std, **options)  # type: ignore[arg-type]
    pixels = np.random.default_rng(0).integers(0, 256, (90, 140, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    expected = torch.as_tensor(np.asarray(theirs(image)))
    assert torch.equal(ImageTransform(spec)(image), expected)


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert ToMode(3, "white")(image).getpixel((0, 0)) == (255, 255, 255)
    assert ToMode(1, "white")(image).getpixel((0, 0)) == 255


def test_statistics_are_those_of_the_pixels(photos: Path) -> None:
    data = folder(photos)
    config = data_config(geometry="crop")
    sample = sample_images(data, config, AS_STORED)
    info = describe_data(data, sample, data.class_names, config, AS_STORED)
    paths = [photos / name for name in names(data.splits["train"])]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths]).reshape(-1, 3) / 255
    assert info.mean == pytest.approx(pixels.mean(axis=0), abs=1e-3)
    assert info.std == pytest.approx(pixels.std(axis=0), abs=1e-3)
    assert (info.in_chans, info.img_size) == (3, 30)


def test_an_unreadable_image_is_named(photos: Path) -> None:
    broken = photos / "cat" / "000.png"
    broken.write_bytes(broken.read_bytes()[:60])
    data = folder(photos)
    where = [
        (n, i) for n, s in data.splits.items() for i, x in enumerate(names(s)) if "cat/000" in x
    ]
    (name, index) = where[0]
    with pytest.raises(UserError, match=r"cat/000\.png"):
        data.splits[name].read(index)
