"""Values of more than 8 bits: one range for a set, the same for each image wherever it is read."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from support.configs import data_config

from sightline.config.compose import compose_job
from sightline.config.legacy import as_of_now
from sightline.config.schema import DataConfig
from sightline.config.validation import validate
from sightline.data.cache.digests import content_digests
from sightline.data.cache.keys import cache_key
from sightline.data.loading.datasets import SourceReader
from sightline.data.pixels import choose_pixels
from sightline.data.reading.arrays import image_from_array
from sightline.data.reading.decode import Reading, UnreadableImage, read_image
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import SourceData
from sightline.data.sources.folder import read_folder
from sightline.data.sources.npz import read_npz
from sightline.errors import UserError
from sightline.inference.image_batches import ImageBatches
from sightline.inference.pyfunc import _image as array_of
from sightline.runs.resume import former_defaults
from sightline.types import PixelSpec, PreprocessSpec

TWELVE = PixelSpec(0, 4095)
LEVELS = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def png16(array: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, (H, W, C), as the specification has it."""
    height, width, count = array.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def tiff(array: np.ndarray, **options: object) -> bytes:
    written = io.BytesIO()
    tifffile.imwrite(written, array, **options)
    return written.getvalue()


def png(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray(array).save(written, "PNG")
    return written.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def pgm(array: np.ndarray, highest: int) -> bytes:
    head = f"P5 {array.shape[1]} {array.shape[0]} {highest}\n".encode()
    return head + array.astype(">u2").tobytes()


def pixels_of(content: bytes, name: str, pixels: PixelSpec) -> np.ndarray:
    return np.asarray(read_image(content, name, Reading(pixels)))


def folder(root: Path, *files: tuple[str, bytes]) -> SourceData:
    """Two classes, each with all of these files."""
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for file, content in files:
            (root / name / file).write_bytes(content)
    return read_folder(str(root))


COLOUR = np.stack([LEVELS, LEVELS[::-1], LEVELS.T], axis=2)
WRITERS: dict[str, tuple[str, Callable[[], bytes], np.ndarray]] = {
    "PNG": ("a.png", lambda: png(LEVELS), LEVELS),
    "PNG of colours": ("a.png", lambda: png16(COLOUR), COLOUR),
    "TIFF": ("a.tif", lambda: tiff(LEVELS), LEVELS),
    "big-endian TIFF": ("a.tif", lambda: tiff(LEVELS, byteorder=">"), LEVELS),
    "signed TIFF": ("a.tif", lambda: tiff(LEVELS.astype(np.int16)), LEVELS),
    "TIFF of 32 bits": ("a.tif", lambda: tiff(LEVELS.astype(np.uint32)), LEVELS),
    "TIFF of colours": ("a.tif", lambda: tiff(COLOUR, photometric="rgb"), COLOUR),
    "deflated TIFF of colours": (
        "a.tif",
        lambda: tiff(COLOUR, photometric="rgb", compression="zlib", predictor=True),
        COLOUR,
    ),
    "array": ("a.npy", lambda: npy(LEVELS), LEVELS),
    "array of 64 bits": ("a.npy", lambda: npy(LEVELS.astype(np.int64)), LEVELS),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_twelve_bits_in_sixteen_keep_their_levels(name: str, tmp_path: Path) -> None:
    file, write, values = WRITERS[name]
    source, pixels = choose_pixels(folder(tmp_path, (file, write())), data_config())
    assert (pixels.low, pixels.high, pixels.outside) == (0, 4095, 0)
    assert "values from 0 to 4,095 (12 bits) as 0 to 255" in source.notes[-1]
    expected = np.rint(values / 4095 * 255)
    assert len(np.unique(expected)) == 256
    np.testing.assert_array_equal(pixels_of(write(), file, pixels), expected)


@pytest.mark.parametrize(
    ("highest", "bits"),
    [(3, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14)],
)
def test_the_least_number_of_bits_that_holds_the_greatest_value(
    highest: int, bits: int, tmp_path: Path
) -> None:
    values = np.array([[0, highest]], np.uint16)
    _, pixels = choose_pixels(folder(tmp_path, ("a.png", png(values))), data_config())
    assert (pixels.low, pixels.high) == (0, 2**bits - 1)


def test_sixteen_bits_are_read_as_before(tmp_path: Path) -> None:
    """Grey divided by 257, of colours the upper 8 bits."""
    values = np.array([[0, 127, 128, 257, 16384, 65535]], np.uint16)
    colours = np.stack([values] * 3, axis=2)
    files = [("a.png", png(values)), ("b.png", png16(colours))]
    source, pixels = choose_pixels(folder(tmp_path, *files), data_config())
    assert pixels == PixelSpec()
    assert "uint16 values from 0 to 65,535 (16 bits)" in source.notes[-1]
    for spec in (pixels, PixelSpec(channels=None)):
        assert pixels_of(files[0][1], "a.png", spec).tolist() == [[0, 0, 0, 1, 64, 255]]
        np.testing.assert_array_equal(pixels_of(files[1][1], "b.png", spec), colours >> 8)


def test_a_set_has_one_range(tmp_path: Path) -> None:
    """A dark image stays dark; 8-bit images are as they are."""
    bright, dark = np.array([[0, 4000]], np.uint16), np.array([[0, 400]], np.uint16)
    plain = np.array([[0, 200]], np.uint8)
    files = [("a.png", png(bright)), ("b.png", png(dark)), ("c.png", png(plain))]
    source, pixels = choose_pixels(folder(tmp_path, *files), data_config())
    split = source.splits["train"]
    read = [np.asarray(split.read(i, Reading(pixels))).tolist() for i in range(3)]
    assert read == [[[0, 249]], [[0, 25]], [[0, 200]]]
    assert "(found 0 to 4,000 in 4 of 6 inspected training images)" in source.notes[-1]


def test_a_value_above_the_bits_is_an_error_and_beside_a_range_is_clipped() -> None:
    values = npy(np.array([[-5, 5000]], np.int32))
    with pytest.raises(UnreadableImage, match=r"x\.npy: its values reach from -5 to 5000, 100"):
        pixels_of(values, "x.npy", TWELVE)
    assert pixels_of(values, "x.npy", PixelSpec(0, 4095, 1.0)).tolist() == [[0, 255]]
    few = np.full(100, 50.0)
    few[:4] = 200
    assert pixels_of(npy(few.reshape(10, 10)), "x.npy", PixelSpec(0, 100, 0.05))[0, 0] == 255
    few[:6] = 200
    with pytest.raises(UnreadableImage, match=r"6\.00% of them outside of 0 to 100"):
        pixels_of(npy(few.reshape(10, 10)), "x.npy", PixelSpec(0, 100, 0.05))


FLOATS: dict[str, tuple[list[float], tuple[float, float], list[int]]] = {
    "0 to 1": ([0.0, 0.25, 0.5], (0, 1), [0, 64, 128]),
    "further": ([-10.0, 0.0, 40.0], (-10, 40), [0, 51, 255]),
    "one value": ([3.0, 3.0, 3.0], (3, 4), [0, 0, 0]),
}


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floating_point_numbers(name: str, kind: str, tmp_path: Path) -> None:
    values, ends, expected = FLOATS[name]
    for file, write in (("a.npy", npy), ("a.tif", tiff)):
        content = write(np.array([values], kind))
        root = tmp_path / file
        source, pixels = choose_pixels(folder(root, (file, content)), data_config())
        assert (pixels.low, pixels.high) == ends
        assert pixels_of(content, file, pixels).tolist() == [expected]
        assert f"{kind} values from" in source.notes[-1]


def test_negative_and_large_whole_numbers_take_their_own_range(tmp_path: Path) -> None:
    """Hounsfield units: auto, and a window."""
    content = tiff(np.array([[-1000, 0, 1000]], np.int16))
    source = folder(tmp_path, ("a.tif", content))
    _, pixels = choose_pixels(source, data_config())
    assert (pixels.low, pixels.high) == (-1000, 1000)
    assert pixels_of(content, "a.tif", pixels).tolist() == [[0, 128, 255]]
    clipped, window = choose_pixels(source, data_config(range=[-100, 300]))
    assert clipped.notes[-1].endswith("are clipped, which 2 of these images have")
    assert pixels_of(content, "a.tif", window).tolist() == [[0, 64, 255]]
    large = npy(np.array([[0, 70_000, 140_000]], np.int32))
    _, pixels = choose_pixels(folder(tmp_path / "large", ("a.npy", large)), data_config())
    assert pixels_of(large, "a.npy", pixels).tolist() == [[0, 128, 255]]
    small = tiff(np.array([[-128, 0, 127]], np.int8))
    _, pixels = choose_pixels(folder(tmp_path / "small", ("a.tif", small)), data_config())
    assert pixels_of(small, "a.tif", pixels).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_that_files_error(bad: float, tmp_path: Path) -> None:
    good, wrong = np.array([[0.0, 8.0]]), np.array([[bad, 1.0]])
    source = folder(tmp_path, ("a.npy", npy(good)), ("b.npy", npy(wrong)))
    _, pixels = choose_pixels(source, data_config())
    assert (pixels.low, pixels.high) == (0, 8)
    with pytest.raises(UnreadableImage, match=r"b\.npy: some of its values are not finite"):
        source.splits["train"].read(1, Reading(pixels))


def test_files_that_state_their_range_keep_it(tmp_path: Path) -> None:
    """PGM up to 1,023; one up to 65,535 may hold 12 bits, and OME-XML may state them."""
    ten = pgm(np.array([[0, 511, 1023]]), 1023)
    deep = pgm(np.array([[0, 2048, 4095]]), 65535)
    source, pixels = choose_pixels(folder(tmp_path / "a", ("a.pgm", ten)), data_config())
    assert pixels == PixelSpec()
    assert source.notes == ()
    assert pixels_of(ten, "a.pgm", TWELVE).tolist() == [[0, 127, 255]]
    _, pixels = choose_pixels(folder(tmp_path / "b", ("a.pgm", deep)), data_config())
    assert pixels_of(deep, "a.pgm", pixels).tolist() == [[0, 128, 255]]
    stated = {"axes": "CYX", "SignificantBits": 12}
    values = np.full((3, 4, 4), 500, np.uint16)
    dark = tiff(values, photometric="minisblack", ome=True, metadata=stated)
    _, pixels = choose_pixels(folder(tmp_path / "c", ("a.ome.tif", dark)), data_config())
    assert pixels.high == 4095


def test_transparency_is_not_scaled_like_values(tmp_path: Path) -> None:
    array = np.array([[[4095, 0, 2048, 65535], [0, 0, 0, 0]]], np.uint16)
    for file, content in (
        ("a.png", png16(array)),
        ("a.tif", tiff(array, photometric="rgb", extrasamples=["unassalpha"])),
    ):
        source, pixels = choose_pixels(folder(tmp_path / file, (file, content)), data_config())
        assert pixels.high == 4095
        image = source.splits["train"].read(0, Reading(pixels))
        assert isinstance(image, Image.Image)
        assert image.mode == "RGBA"
        assert np.asarray(image).tolist() == [[[255, 0, 128, 255], [0, 0, 0, 0]]]


def test_keys_without_an_effect_are_refused(tmp_path: Path) -> None:
    plain = folder(tmp_path / "plain", ("a.png", png(np.zeros((2, 2), np.uint8))))
    floats = folder(tmp_path / "floats", ("a.npy", npy(np.zeros((2, 2)))))
    both = folder(tmp_path / "both", ("a.npy", npy(np.zeros((2, 2)))), ("b.png", png(LEVELS)))
    for source, changed, expected in (
        (plain, {"bits": 12}, "data.bits has no effect: none of the 2 training images"),
        (plain, {"range": [0, 1]}, "data.range has no effect"),
        (floats, {"bits": 12}, "data.bits=12 is for whole numbers"),
        (both, {}, "some images are whole numbers and others"),
    ):
        with pytest.raises(UserError, match=expected):
            choose_pixels(source, data_config(**changed))
    for wrong in ([1, 0], [0], [0, float("inf")]):
        with pytest.raises(UserError, match=r"data\.range: expected two numbers, the lower"):
            validate(DataConfig, data_config().model_dump() | {"range": wrong}, "data.")


def test_every_reader_scales_as_the_checkpoint_says(tmp_path: Path) -> None:
    source = folder(tmp_path, ("a.png", png(LEVELS)))
    spec = PreprocessSpec(64, 1, (0.5,), (0.25,), pixels=PixelSpec(0, 4095))
    stored = PreprocessSpec.from_dict(spec.to_dict())
    assert stored == spec
    expected = torch.from_numpy(np.rint(LEVELS / 4095 * 255).astype(np.uint8))[None]
    transform, split = ImageTransform(stored), source.splits["train"]
    assert torch.equal(SourceReader(split, transform)(0), expected)
    assert torch.equal(ImageBatches(split.images, transform, 0, 1)[0].images[0], expected)
    digests = content_digests(split.images)
    other = replace(spec, pixels=PixelSpec())
    assert cache_key(digests, spec, None) != cache_key(digests, other, None)


def test_bytes_without_a_name_are_known_by_their_content() -> None:
    """As they come to a served model."""
    values = np.array([[0.0, 2.0, 4.0]])
    for content in (npy(values), tiff(values), tiff(values, bigtiff=True)):
        assert pixels_of(content, "of 99 bytes", PixelSpec(0, 4)).tolist() == [[0, 128, 255]]


def test_a_served_array_holds_values_like_the_training_images() -> None:
    """JSON has no types: lists are in the range of the training; uint8 is 8 bits."""
    for value in ([[0, 128, 4095]], np.array([[0, 128, 4095]], np.uint16)):
        array = array_of(value, TWELVE)
        assert isinstance(array, np.ndarray)
        image = np.asarray(image_from_array(array, TWELVE))
        assert image.tolist() == [[0, 8, 255]]
    small = array_of(np.array([[0, 128]], np.uint8), TWELVE)
    assert isinstance(small, np.ndarray)
    assert np.asarray(image_from_array(small, TWELVE)).tolist() == [[0, 128]]
    with pytest.raises(UserError, match="whole numbers from 0 to 255"):
        array_of([[0, 4095]], PixelSpec())


def test_what_older_versions_wrote_is_read_as_they_did() -> None:
    stored = PreprocessSpec(8, 1, (0.5,), (0.25,)).to_dict()
    del stored["pixels"]
    pixels = PreprocessSpec.from_dict(stored).pixels
    assert pixels == PixelSpec(channels=None)
    np.testing.assert_array_equal(
        pixels_of(png(LEVELS), "a.png", pixels), (LEVELS.astype(int) + 128) // 257
    )
    assert {k: as_of_now({"data": {}})["data"][k] for k in ("bits", "range", "channels")} == {
        "bits": 16, "range": None, "channels": None,
    }  # fmt: skip


def test_a_run_of_before_is_resumed_with_what_it_had() -> None:
    config, _ = compose_job(["data=digits"])
    before = config.model_copy(update={"data": config.data | {"bits": 16, "channels": None}})
    words = former_defaults(before)
    assert words == ["++data.bits=16", "++data.channels=null"]
    assert compose_job(["data=digits", *words])[0].data == before.data


def test_arrays_in_npz_files(tmp_path: Path) -> None:
    """(N, C, H, W) of 12 bits."""
    values = np.random.default_rng(0).integers(0, 4096, (4, 3, 8, 9), dtype=np.uint16)
    values[0, 0, 0, 0] = 4095
    np.savez(tmp_path / "d.npz", train_images=values, train_labels=np.array([0, 1, 0, 1]))
    source, pixels = choose_pixels(read_npz(False, str(tmp_path / "d.npz"), None), data_config())
    assert pixels.high == 4095
    image = np.asarray(source.splits["train"].read(2, Reading(pixels)))
    np.testing.assert_array_equal(image, np.rint(values[2].transpose(1, 2, 0) / 4095 * 255))
