"""Channels of files: by metadata and shape, as chosen, or an error that says how to choose."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from support.configs import data_config

from sightline.data.cache.files import DecodedImages
from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.loading.datasets import CachedReader, SourceReader
from sightline.data.pixels import choose_pixels
from sightline.data.reading.decode import Reading, UnreadableImage, read_image
from sightline.data.reading.raster import ImageData
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import SourceData
from sightline.data.sources.folder import read_folder
from sightline.data.statistics import describe_data, sample_images
from sightline.types import PixelSpec, PreprocessSpec

RNG = np.random.default_rng(0)
FIVE = RNG.integers(0, 256, (5, 8, 9), dtype=np.uint8)  # planes
FOUR = RNG.integers(0, 256, (8, 9, 4), dtype=np.uint8)
NAMES = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "RFP", "Cy5", "BF"]}}
RGBN = {"photometric": "rgb", "extrasamples": ["unspecified"]}
LAST = FIVE.transpose(1, 2, 0)


def tiff(array: np.ndarray, **options: Any) -> bytes:
    written = io.BytesIO()
    tifffile.imwrite(written, array, **options)
    return written.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def pages(*arrays: np.ndarray) -> bytes:
    written = io.BytesIO()
    with tifffile.TiffWriter(written) as writer:
        for array in arrays:
            writer.write(array, metadata=None)
    return written.getvalue()


def without_tag(content: bytes, number: int) -> bytes:
    """A TIFF in which a tag has a private number instead."""
    old, new = number.to_bytes(2, "little"), (65000).to_bytes(2, "little")
    offset = int.from_bytes(content[4:8], "little")
    for entry in range(int.from_bytes(content[offset : offset + 2], "little")):
        at = offset + 2 + 12 * entry
        if content[at : at + 2] == old:
            return content[:at] + new + content[at + 2 :]
    raise AssertionError(number)


def folder(root: Path, file: str, content: bytes) -> SourceData:
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / file).write_bytes(content)
    return read_folder(str(root))


def read(content: bytes, file: str, channels: Any = "auto") -> ImageData:
    chosen = tuple(channels) if isinstance(channels, list) else channels
    return read_image(content, file, Reading(PixelSpec(channels=chosen)))


INKS = RNG.integers(0, 256, (8, 9, 5), dtype=np.uint8)
FIRST = "arrays are (channels, height, width)"
UNTAGGED = without_tag(tiff(FOUR, photometric="rgb"), 338)
# File, content, data.channels, then the pixels, and the note on how it was read.
READ: dict[str, tuple[str, bytes, Any, np.ndarray, str]] = {
    "OME channels": ("a.ome.tif", tiff(FIVE, ome=True, metadata=NAMES), "auto", LAST,
                     "5 channels: DAPI, GFP, RFP, Cy5, BF"),
    "OME channels by name": ("a.ome.tif", tiff(FIVE, ome=True, metadata=NAMES), ["RFP", "dapi"],
                             LAST[..., [2, 0]], "2 channels: RFP, DAPI"),
    "ImageJ channels": ("a.tif", tiff(FIVE, imagej=True, metadata={"axes": "CYX"}), "auto", LAST,
                        "5 channels: 0, 1, 2, 3, 4"),
    "three OME channels": ("a.tif", tiff(FIVE[:3], ome=True, photometric="minisblack",
                                         metadata={"axes": "CYX"}), "auto", LAST[..., :3],
                           "3 channels: 0, 1, 2"),
    "a stack, one slice": ("a.tif", tiff(FIVE, ome=True, metadata={"axes": "ZYX"}), [2],
                           LAST[..., 2], "5 slices of a stack (Z) are channels; 1 channel: 2"),
    "pages, all": ("a.tif", pages(*FIVE), "all", LAST,
                   "5 pages are channels; 5 channels: 0, 1, 2, 3, 4"),
    "pages, the first": ("a.tif", pages(*FIVE), [0], LAST[..., 0],
                         "5 pages are channels; 1 channel: 0"),
    "pages, as Pillow": ("a.tif", pages(*FIVE), None, LAST[..., 0], ""),
    "a thumbnail behind": ("a.tif", pages(FIVE[0], FIVE[0, ::2, ::2]), "auto", FIVE[0], ""),
    "R, G, B, NIR": ("a.tif", tiff(FOUR, **RGBN), "auto", FOUR, "4 channels: R, G, B, extra"),
    "R, G, B, NIR, deflated": ("a.tif", tiff(FOUR, compression="zlib", **RGBN), "auto", FOUR,
                               "4 channels: R, G, B, extra"),
    "R, G, B, NIR in planes": ("a.tif", tiff(FOUR.transpose(2, 0, 1), planarconfig="separate",
                               **RGBN), "auto", FOUR, "4 channels: R, G, B, extra"),
    "R, G, B of NIR": ("a.tif", tiff(FOUR, **RGBN), [0, 1, 2], FOUR[..., :3],
                       "3 channels: R, G, B"),
    "NIR, R, G": ("a.tif", tiff(FOUR, **RGBN), ["extra", "R", "G"], FOUR[..., [3, 0, 1]],
                  "3 channels: extra, R, G"),
    "NIR as transparency": ("a.tif", tiff(FOUR, **RGBN), "rgba", FOUR, ""),
    "real transparency": ("a.tif", tiff(FOUR, photometric="rgb"), "auto", FOUR, ""),
    "untagged, as data": ("a.tif", UNTAGGED, "all", FOUR, "4 channels: R, G, B, extra"),
    "untagged, as transparency": ("a.tif", UNTAGGED, "rgba", FOUR, ""),
    "grey and an unspecified sample": (
        "a.tif", tiff(FOUR[..., :2], photometric="minisblack", planarconfig="contig",
                      extrasamples=["unspecified"]), "auto", FOUR[..., :2], "2 channels: 0, 1"),
    "array, channels first": ("a.npy", npy(FIVE), "auto", LAST,
                              f"{FIRST}; 5 channels: 0, 1, 2, 3, 4"),
    "array, colours first": ("a.npy", npy(FIVE[:3]), "auto", LAST[..., :3], FIRST),
    "array (1, H, W)": ("a.npy", npy(FIVE[:1]), "auto", FIVE[0], FIRST),
    "array (H, W, 1)": ("a.npy", npy(LAST[..., :1]), "auto", FIVE[0], ""),
    "array of many channels": ("a.npy", npy(INKS.repeat(4, 2)[:, :8]), "auto",
                               INKS.repeat(4, 2)[:, :8],
                               "20 channels: " + ", ".join(map(str, range(20)))),
    "array said to be first": ("a.npy", npy(INKS[:5, :6]), "first",
                               INKS[:5, :6].transpose(1, 2, 0),
                               f"{FIRST}; 5 channels: 0, 1, 2, 3, 4"),
    "array of four, as data": ("a.npy", npy(FOUR), "all", FOUR, "4 channels: 0, 1, 2, 3"),
    "array of four, as transparency": ("a.npy", npy(FOUR), "rgba", FOUR, ""),
    "PNG with NIR for alpha": ("a.png", encoded(Image.fromarray(FOUR)), "all", FOUR,
                               "4 channels: R, G, B, A"),
    "PNG without its alpha": ("a.png", encoded(Image.fromarray(FOUR)), [0, 1, 2], FOUR[..., :3],
                              "3 channels: R, G, B"),
    "one band of a palette": ("a.gif", encoded(Image.fromarray(FOUR[..., 0]), "GIF"), [0],
                              FOUR[..., 0], "1 channel: R"),
    "grey and transparency": ("a.png", encoded(Image.fromarray(FOUR[..., :2])), "auto",
                              FOUR[..., :2], ""),
    "inks": ("a.tif", encoded(Image.frombytes("CMYK", (9, 8), FOUR.tobytes()), "TIFF"), "auto",
             FOUR, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_as_its_metadata_and_shape_say(name: str, tmp_path: Path) -> None:
    file, content, channels, expected, said = READ[name]
    image = read(content, file, channels)
    array = np.asarray(image)
    if file.endswith(".gif"):
        array = array.reshape(expected.shape)
    np.testing.assert_array_equal(array, expected)
    source, pixels = choose_pixels(folder(tmp_path, file, content), data_config(channels=channels))
    assert source.notes == ((said,) if said else ())
    assert bool(pixels.names) == isinstance(image, np.ndarray)


AMBIGUOUS: dict[str, tuple[str, bytes, Any, str]] = {
    "pages": ("a.tif", pages(*FIVE), "auto", r"it has 5 pages, of the same size.*channels=all"),
    "Tifffile's own": ("a.tif", tiff(FIVE), "auto", "it has 5 pages"),
    "a stack": ("a.tif", tiff(FIVE, ome=True, metadata={"axes": "ZYX"}), "auto",
                r"5 slices of a stack \(Z\).*data\.channels=\[0\] reads the first"),
    "times": ("a.tif", tiff(FIVE, imagej=True, metadata={"axes": "TYX"}), "auto", r"5 times \(T\)"),
    "a stack of channels": (
        "a.tif", tiff(np.stack([FIVE, FIVE]), ome=True, metadata={"axes": "ZCYX"}), "auto",
        r"it has 2 slices of a stack \(Z\)"),
    "times of a stack": (
        "a.tif", tiff(np.stack([FIVE, FIVE]), ome=True, metadata={"axes": "TZYX"}), "all",
        r"2 times \(T\) and 5 slices of a stack \(Z\); save the plane"),
    "untagged": ("a.tif", UNTAGGED, "auto", r"4 samples a pixel, and does not say what the last 1"),
    "an array of four": ("a.npy", npy(FOUR), "auto", r"data\.channels=rgba or data\.channels=all"),
    "a cube": ("a.npy", npy(INKS[:5, :5]), "auto", r"data\.channels=first or data\.channels=last"),
    "no such channel": ("a.tif", tiff(FOUR, **RGBN), [4],
                        r"names 4, but its channels are 0 \(R\), 1 \(G\), 2 \(B\), 3 \(extra\)"),
    "no such name": ("a.png", encoded(Image.fromarray(FOUR)), ["NIR"], "names 'NIR', but"),
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_an_error(name: str) -> None:
    file, content, channels, expected = AMBIGUOUS[name]
    with pytest.raises(UnreadableImage, match=expected) as error:
        read(content, file, channels)
    assert f"Cannot read the image {file}: " in str(error.value)


def saved_pages(mode: str, compression: str) -> tuple[bytes, np.ndarray]:
    """A TIFF of Pillow's with a page for each plane, and the planes as channels."""
    frames = [Image.fromarray(plane).convert(mode) for plane in FIVE]
    further = {"save_all": True, "append_images": frames[1:]}
    arrays = [np.asarray(each.convert("L")) for each in frames]
    return encoded(frames[0], "TIFF", compression=compression, **further), np.stack(arrays, 2)


@pytest.mark.parametrize(
    ("mode", "compression"), [("L", "tiff_lzw"), ("1", "group4"), ("1", "raw"), ("L", "raw")]
)
def test_pages_of_any_compression(mode: str, compression: str) -> None:
    content, planes = saved_pages(mode, compression)
    np.testing.assert_array_equal(read(content, "a.tif", "all"), planes)
    np.testing.assert_array_equal(np.asarray(read(content, "a.tif", [0])), planes[..., 0])


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    content, _ = saved_pages("P", "raw")
    with pytest.raises(UnreadableImage, match="its pages have palettes"):
        read(content, "a.tif", "all")
    tifffile.imwrite(tmp_path / "a.ome.tif", FIVE, ome=True, metadata=NAMES)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as whole:
        xml = whole.ome_metadata
    assert xml is not None
    tifffile.imwrite(tmp_path / "b.ome.tif", FIVE[:2], description=xml, metadata=None)
    with pytest.raises(UnreadableImage, match=r"b\.ome\.tif: "):
        read_image(tmp_path / "b.ome.tif", "b.ome.tif")


@pytest.fixture
def without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tifffile as it is without the package: with the few codecs of its own."""
    monkeypatch.setattr(tifffile.tifffile, "imagecodecs", import_module("tifffile._imagecodecs"))
    for codecs in (tifffile.TIFF.DECOMPRESSORS, tifffile.TIFF.UNPREDICTORS):
        monkeypatch.setattr(codecs, "_codecs", {1: codecs[1]})


@pytest.mark.usefixtures("without_imagecodecs")
def test_a_compression_that_needs_an_extra_is_said() -> None:
    saved = encoded(Image.fromarray(FOUR), "TIFF", compression="tiff_lzw")
    tag = (338).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    assert saved.count(tag + b"\2") == 1
    with pytest.raises(UnreadableImage, match=r"imagecodecs is not installed.*sightline\[tiff\]"):
        read(saved.replace(tag + b"\2", tag + b"\0"), "a.tif")
    np.testing.assert_array_equal(np.asarray(read(saved, "a.tif")), FOUR)


@pytest.mark.parametrize(
    ("dtype", "further"),
    [
        (np.float32, {"compression": "lzw", "predictor": 3}), (np.float16, {"compression": "zstd"}),
        (np.float64, {"compression": "deflate", "tile": (16, 16)}),
        (np.uint16, {"compression": "lzw", "predictor": 2}), (np.uint16, {"compression": "lzma"}),
        (np.uint16, {"compression": "jpeg2000"}), (np.uint8, {"compression": "png"}),
        (np.uint8, {"compression": "webp"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("colour", [False, True])
def test_compressions_that_imagecodecs_reads(
    dtype: type[np.generic], further: dict[str, Any], colour: bool
) -> None:
    webp = further["compression"] == "webp"
    colour |= webp  # which holds colours alone
    array = np.random.default_rng(0).random((20, 30, 3) if colour else (20, 30))
    high = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    stored = (array * high).astype(dtype)
    content = tiff(stored, photometric="rgb" if colour else "minisblack", **further)
    spec = PixelSpec(0, high, 0.05) if dtype is not np.uint8 else PixelSpec()
    read = np.asarray(read_image(content, "a.tif", Reading(spec))).astype(int)
    expected = np.rint(stored.astype(np.float64) / high * 255)
    assert np.abs(read - expected).mean() <= (5 if webp else 0)


@pytest.mark.usefixtures("without_imagecodecs")
@pytest.mark.parametrize("compression", [50001, 50000])
def test_compressions_that_pillow_only_names(compression: int) -> None:
    """WebP, and half floats in Zstandard: Pillow's library has the tag and not the codec."""
    saved = tiff(
        np.zeros((8, 9), np.float16) if compression == 50000 else np.zeros((8, 9), np.uint8)
    )
    tag = b"\x03\x01\x03\0\x01\0\0\0"
    assert saved.count(tag + b"\x01\0") == 1
    changed = saved.replace(tag + b"\x01\0", tag + compression.to_bytes(2, "little"))
    with pytest.raises(UnreadableImage, match=r"imagecodecs is not installed.*sightline\[tiff\]"):
        read(changed, "a.tif")


def test_inks_with_transparency_become_colours() -> None:
    content = tiff(INKS, photometric="separated", extrasamples=["unassalpha"])
    image = read(content, "a.tif")
    assert isinstance(image, Image.Image)
    assert image.mode == "RGBA"
    inks = Image.frombytes("CMYK", (9, 8), INKS[..., :4].tobytes()).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image)[..., :3], np.asarray(inks))
    np.testing.assert_array_equal(np.asarray(image)[..., 3], INKS[..., 4])
    spots = read(tiff(INKS, photometric="separated", extrasamples=["unspecified"]), "a.tif")
    np.testing.assert_array_equal(spots, INKS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_many_channels_are_turned_as_exif_says(orientation: int) -> None:
    tag = [(274, "H", 1, orientation, True)]
    four = read(tiff(FOUR, extratags=tag, **RGBN), "a.tif")
    three = read(tiff(FOUR[..., :3], photometric="rgb", extratags=tag), "a.tif")
    np.testing.assert_array_equal(np.asarray(four)[..., :3], np.asarray(three))


def test_an_animation_is_said_to_be_one(tmp_path: Path) -> None:
    frames = [Image.fromarray(plane) for plane in FIVE]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    source, pixels = choose_pixels(folder(tmp_path, "a.gif", moving), data_config())
    assert source.notes == ("the first of 5 frames is read",)
    assert pixels == PixelSpec()


def test_four_channels_reach_the_model_whatever_is_cached(tmp_path: Path) -> None:
    """As data: a pixel without a fourth value is not blended, and a colour image is refused."""
    source = folder(tmp_path, "a.tif", tiff(FOUR, **RGBN))
    source, pixels = choose_pixels(source, data_config())
    config = data_config(geometry="crop")
    sample = sample_images(source, config, pixels)
    info = describe_data(source, sample, source.class_names, config, pixels)
    assert info.in_chans == 4
    np.testing.assert_allclose(info.mean, FOUR.mean(axis=(0, 1)) / 255, atol=1e-4)
    spec = PreprocessSpec.from_data(info, 8, info.in_chans)
    transform = ImageTransform(PreprocessSpec.from_dict(spec.to_dict()))
    seen = SourceReader(source.splits["train"], transform)(0)
    middle = torch.from_numpy(FOUR[:, :8].transpose(2, 0, 1).copy())  # of 9 columns
    assert torch.equal(seen, middle)

    def is_tensor(image: Any) -> Any:
        assert isinstance(image, torch.Tensor)
        return image

    array = seen.numpy()[None]
    decoded = DecodedImages(array, [], pixel_digests(array))
    cached: Callable[[int], torch.Tensor] = CachedReader(
        np.array([0]), decoded, [is_tensor], colour=not spec.pixels.names
    )
    assert torch.equal(cached(0), seen)
    with pytest.raises(UnreadableImage, match="has 3 channels, but the model takes 4"):
        transform(Image.fromarray(FOUR[..., :3]))
