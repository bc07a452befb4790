"""The geometry of images that are not square: chosen by their aspect, or as the config says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image, ImageOps
from support.configs import data_config

from sightline.config.checks import check
from sightline.config.compose import compose_job
from sightline.config.schema import ModelInputConfig
from sightline.data.cache.digests import content_digests
from sightline.data.cache.entries import list_entries
from sightline.data.cache.files import load_or_decode
from sightline.data.image_sizes import ImageSizes
from sightline.data.reading.geometry import Geometry
from sightline.data.reading.images import ArrayImages, FileImages, Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import SourceData, take
from sightline.data.statistics import describe_data, sample_images
from sightline.errors import UserError
from sightline.models.build import build_classifier
from sightline.runs.resume import former_defaults
from sightline.types import AS_STORED, CROP_MODES, DatasetInfo, PreprocessSpec

SIDE = 24
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
SHAPES = [(32, 128), (128, 32), (9, 13), (24, 24), (100, 101), (1, 300), (20, 6)]
COLOURS = {1: ("white", 255), 3: ("#102030", (16, 32, 48)), 4: ("red", (255, 0, 0, 255))}


def spec_of(geometry: str, channels: int = 3, **values: Any) -> PreprocessSpec:
    background = COLOURS.get(channels, ("white",))[0]
    spec = PreprocessSpec(
        SIDE, channels, (0.5,) * channels, (0.2,) * channels, background=background, **values
    )
    return spec.with_geometry(geometry)


def image_of(shape: tuple[int, int], channels: int = 3) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, channels), dtype=np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def in_pillow(image: Image.Image, geometry: str, filter_: Image.Resampling, fill: Any) -> Any:
    """What each word means, in Pillow alone."""
    if geometry == "squash":
        return image.resize((SIDE, SIDE), filter_)
    if geometry == "crop":
        scale = SIDE / min(image.size)
        size = [SIDE if n == min(image.size) else int(n * scale + 1e-9) for n in image.size]
        left, top = (round((n - SIDE) / 2) for n in size)
        return image.resize((size[0], size[1]), filter_).crop((left, top, left + SIDE, top + SIDE))
    if geometry == "letterbox" or max(image.size) > SIDE:
        image = ImageOps.contain(image, (SIDE, SIDE), filter_)
    canvas = Image.new(image.mode, (SIDE, SIDE), fill)
    canvas.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return canvas


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if min(shape) > 1])
@pytest.mark.parametrize("channels", COLOURS)
@pytest.mark.parametrize("geometry", ["crop", "squash", "pad", "letterbox"])
def test_pixels_are_those_of_pillow(geometry: str, channels: int, shape: tuple[int, int]) -> None:
    image = image_of(shape, channels)
    for name, filter_ in FILTERS.items():
        found = ImageTransform(spec_of(geometry, channels, interpolation=name))(image)
        expected = np.asarray(in_pillow(image, geometry, filter_, COLOURS[channels][1]))
        expected = expected.reshape(SIDE, SIDE, channels).transpose(2, 0, 1)
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("geometry", ["pad", "letterbox"])
@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_of_many_channels_are_fitted_as_images_are(
    geometry: str, shape: tuple[int, int]
) -> None:
    """Up to rounding: Pillow and torch resize with other arithmetic."""
    array = np.random.default_rng(0).integers(0, 256, (*shape, 5), dtype=np.uint8)
    found = ImageTransform(spec_of(geometry, 5))(array).numpy().astype(int)
    for channel in range(5):
        one = Image.fromarray(array[..., channel])
        alone = ImageTransform(spec_of(geometry, 1))(one).numpy().astype(int)[0]
        assert np.abs(found[channel] - alone).max() <= 1


@pytest.mark.parametrize("shape", [(SIDE, 96), (31, SIDE), (SIDE, SIDE), (SIDE, 2 * SIDE + 1)])
def test_the_share_that_is_not_seen_is_that_of_pixels_that_are_gone(
    shape: tuple[int, int],
) -> None:
    """Each pixel has a value of its own, and no image is resized."""
    numbers = np.arange(math.prod(shape), dtype=np.uint32).reshape(shape)
    pixels = np.stack([numbers % 256, numbers // 256, 0 * numbers], axis=2).astype(np.uint8)
    left = ImageTransform(spec_of("crop"))(Image.fromarray(pixels)).reshape(3, -1).unique(dim=1)
    unseen = Geometry(spec_of("crop")).unseen(*shape)
    assert unseen == pytest.approx(1 - left.shape[1] / math.prod(shape), abs=1e-12)
    for geometry in ("squash", "pad", "letterbox"):
        assert Geometry(spec_of(geometry)).unseen(*shape) == 0


def test_exact_shares() -> None:
    assert Geometry(spec_of("crop")).unseen(32, 128) == 0.75
    assert Geometry(spec_of("crop", crop_pct=0.75)).unseen(64, 64) == 1 - 0.75**2
    sizes = ImageSizes(np.array([128, 32, 32]), np.array([32, 32, 128]))
    assert sizes.unseen(spec_of("crop")) == pytest.approx(2 * 0.75 * 4096 / (2 * 4096 + 1024))


@pytest.mark.parametrize(
    ("shapes", "geometry", "side"),
    [
        ([(28, 28)] * 4, "crop", 28),
        ([(28, 30), (31, 28)], "crop", 28),
        ([(30, 40)] * 5, "squash", 34),
        ([(32, 128)] * 5, "squash", 64),
        ([(128, 32), (100, 30)], "squash", 59),
        ([(30, 40), (40, 30)], "letterbox", 40),
        ([(32, 128), (32, 400)], "letterbox", 264),
        ([(64, 64)] * 19 + [(32, 128)], "crop", 64),
    ],
)
def test_the_geometry_follows_from_the_aspect(
    shapes: list[tuple[int, int]], geometry: str, side: int
) -> None:
    heights, widths = np.array(shapes).T
    sizes = ImageSizes(widths, heights)
    assert sizes.suited_geometry() == geometry
    assert sizes.side(geometry) == side


@pytest.mark.parametrize(
    ("wanted", "crop_mode", "side"),
    [
        ("auto", "squash", 64), ("crop", "center", 32), ("squash", "squash", 64),
        ("pad", "pad", 128), ("letterbox", "letterbox", 128), (None, "center", 32),
    ],
)  # fmt: skip
def test_a_model_without_weights(wanted: str | None, crop_mode: str, side: int) -> None:
    images = ArrayImages(np.zeros((6, 32, 128), np.uint8))
    split = take([str(i) for i in range(6)], np.arange(6) % 2, images)
    source = SourceData("lines", "here", ("a", "b"), {"train": split})
    config = data_config(geometry=wanted)
    sample = sample_images(source, config, AS_STORED)
    info = describe_data(source, sample, ("a", "b"), config, AS_STORED)
    node = {"_target_": "sightline.models.cnn.SimpleCNN", "widths": [4], "hidden": 16, "dropout": 0}
    torch.manual_seed(0)
    spec = build_classifier(node, ModelInputConfig(), info, 2, []).preprocess
    assert (spec.crop_mode, spec.img_size, spec.background) == (crop_mode, side, "white")


def test_the_line_about_images_that_are_not_square() -> None:
    def line(shape: tuple[int, int], geometry: str, **values: Any) -> str:
        sizes = ImageSizes(np.array([shape[0]]), np.array([shape[1]]))
        return sizes.describe(spec_of(geometry, **values))

    start = "images of 128×32 (median) are "
    assert (
        line((128, 32), "crop") == f"{start}cropped to 24×24: 75 % of their pixels are never seen"
    )
    assert line((128, 32), "squash") == f"{start}squashed to 24×24"
    assert line((128, 32), "letterbox") == f"{start}resized to fit 24×24, on #102030"
    assert line((128, 32), "pad") == f"{start}padded to 24×24 with #102030"
    assert line((64, 64), "crop", crop_pct=0.5) == ""


@pytest.mark.parametrize("in_memory", [True, False])
def test_cached_images_are_those_of_each_geometry(
    in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    array = np.random.default_rng(0).integers(0, 256, (3, 10, 40, 3), dtype=np.uint8)
    for number, pixels in enumerate(array):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    names = pa.array([f"{number}.png" for number in range(3)])
    images: Images = ArrayImages(array) if in_memory else FileImages(tmp_path, names)
    for geometry in CROP_MODES:
        spec = spec_of(geometry)
        cached = load_or_decode(images, content_digests(images), spec, "lines", 1.0)
        for pixels, source in zip(cached.array, array, strict=True):
            expected = ImageTransform(spec)(Image.fromarray(source))
            np.testing.assert_array_equal(pixels, expected.numpy())
    assert len(list_entries()) == (0 if in_memory else 4)


@pytest.mark.parametrize(
    ("given", "crop_mode", "crop_pct"),
    [(False, "center", 0.95), (True, "letterbox", 1.0)],
)
def test_pretrained_weights_keep_their_geometry_unless_another_is_given(
    given: bool, crop_mode: str, crop_pct: float, weights: Path
) -> None:
    info = DatasetInfo("lines", ("a", "b"), 3, 64, (0.5,) * 3, (0.2,) * 3, geometry="letterbox",
                       geometry_given=given)  # fmt: skip
    node = {
        "_target_": "sightline.models.backbone.timm_backbone", "name": "test_resnet",
        "pretrained": False, "pretrained_path": str(weights), "freeze_backbone": False,
        "drop_rate": 0.0, "drop_path_rate": 0.0,
    }  # fmt: skip
    spec = build_classifier(node, ModelInputConfig(), info, 2, []).preprocess
    assert (spec.crop_mode, spec.crop_pct, spec.img_size) == (crop_mode, crop_pct, 160)


def test_older_checkpoints_crop() -> None:
    stored = PreprocessSpec(8, 1, (0.5,), (0.5,)).to_dict()
    del stored["crop_mode"]
    image = image_of((8, 20), 1)
    assert torch.equal(
        ImageTransform(PreprocessSpec.from_dict(stored))(image)[0],
        torch.from_numpy(np.asarray(image)[:, 6:14].copy()),
    )


def test_older_runs_are_resumed_and_reproduced_as_they_were() -> None:
    config, _ = compose_job([])
    assert config.data_common.geometry == "auto"
    stored = config.model_dump()
    del stored["data"]["geometry"]
    before = check(stored)
    assert before.data_common.geometry is None
    assert "++data.geometry=null" in former_defaults(before)
    assert former_defaults(config) == []
    assert compose_job(["data.geometry=null"])[0].data_common.geometry is None


def test_a_word_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.geometry: expected 'auto', 'crop', 'squash'"):
        compose_job(["data.geometry=stretch"])[0].data_common  # noqa: B018
