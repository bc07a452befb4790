"""Formats that extras read: HEIC, and DICOM as a viewer shows it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from sightline.data.reading.decode import Reading, UnreadableImage, read_image
from sightline.data.reading.formats import register_plugins
from sightline.data.reading.scan import LeftOut
from sightline.data.sources.folder import read_folder
from sightline.types import PixelSpec

VALUES = np.array([[0, 1000, 2000], [3000, 4000, 4095]], np.uint16)


def dicom(pixels: np.ndarray, kind: str = "MONOCHROME2", bits: int = 12, **further: Any) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    data.PhotometricInterpretation = kind
    data.BitsAllocated = pixels.itemsize * 8
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    for name, value in further.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    written = io.BytesIO()
    data.save_as(written)
    return written.getvalue()


def grey(content: bytes) -> np.ndarray:
    return np.asarray(read_image(content, "a.dcm"))


def test_twelve_bits_fill_eight() -> None:
    expected = np.rint(VALUES / 4095 * 255)
    np.testing.assert_array_equal(grey(dicom(VALUES)), expected)
    np.testing.assert_array_equal(grey(dicom(VALUES, "MONOCHROME1")), 255 - expected)


@pytest.mark.parametrize("window", [(40.0, 400.0), ([40.0, 300.0], [400.0, 2000.0])])
def test_a_window_is_that_of_pydicom(window: tuple[Any, Any]) -> None:
    """Hounsfield units: slope and intercept before the window; of several the first."""
    centre, width = window
    stored = np.array([[0, 800, 900], [1024, 1100, 1300]], np.uint16)
    further = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": centre,
               "WindowWidth": width}  # fmt: skip
    content = dicom(stored, **further)
    import pydicom

    data = pydicom.dcmread(io.BytesIO(content))
    reference = apply_voi_lut(apply_modality_lut(stored, data).astype(float), data)
    low, high = -1024.0, 4095.0 - 1024.0  # the range that pydicom spreads a window over
    np.testing.assert_allclose(grey(content), (reference - low) / (high - low) * 255, atol=0.51)


def test_signed_values_colours_and_frames() -> None:
    signed = np.array([[-2048, 0, 2047]], np.int16)
    np.testing.assert_array_equal(grey(dicom(signed)), [[0, 128, 255]])
    colour = np.array([[[250, 0, 3], [0, 120, 255]]], np.uint8)
    np.testing.assert_array_equal(grey(dicom(colour, "RGB", 8)), colour)
    frames = np.concatenate([VALUES, VALUES[::-1]])
    first = grey(dicom(frames, Rows=2, NumberOfFrames=2))
    np.testing.assert_array_equal(first, np.rint(VALUES / 4095 * 255))


def test_a_damaged_dicom_file_is_named() -> None:
    with pytest.raises(UnreadableImage, match=r"a\.dcm"):
        grey(dicom(VALUES)[:200])


def test_folders_of_heic_and_dicom_are_read(tmp_path: Path) -> None:
    register_plugins()
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.dcm").write_bytes(dicom(VALUES))
        Image.new("RGB", (16, 16), (200, 30, 10)).save(tmp_path / name / "b.HEIC", "HEIF")
    split = read_folder(str(tmp_path)).splits["train"]
    assert len(split) == 4
    image = split.read(1)
    assert isinstance(image, Image.Image)
    assert np.abs(np.subtract(image.getpixel((5, 5)), (200, 30, 10))).max() <= 3


def test_what_an_extra_reads_is_said() -> None:
    left_out = LeftOut(["a.heic", "b.nef"], ["HEIC", "camera raw"])
    assert left_out.describe() == "1 HEIC (sightline[heif] reads them), 1 camera raw"


@pytest.mark.parametrize("begin", [b"\xff\n", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_what_a_file_is_is_known_by_its_content(
    begin: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under another name, as phones and browsers save it; where the plugin is missing."""
    register_plugins()
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "JXL"])
    monkeypatch.setattr("sightline.data.reading.formats.find_spec", lambda name: None)
    (tmp_path / "a.jpg").write_bytes(begin + b"x" * 50)
    with pytest.raises(
        UnreadableImage, match=r"a\.jpg: it is JPEG XL, which pip install 'sig.*jxl"
    ):
        read_image(tmp_path / "a.jpg", "a.jpg")


def test_jpeg_xl(tmp_path: Path) -> None:
    """Grey, colour, transparency, 16 bits, EXIF's orientation; a damaged file is named."""
    register_plugins()
    colour = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    for array in (colour[..., 0], colour[..., :3], colour):
        Image.fromarray(array).save(tmp_path / "a.jxl", lossless=True)
        np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.jxl", "a.jxl")), array)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colour[..., :3]).save(tmp_path / "a.jxl", lossless=True, exif=exif.tobytes())
    turned = np.asarray(read_image(tmp_path / "a.jxl", "a.jxl"))
    np.testing.assert_array_equal(turned, np.rot90(colour[..., :3], -1))
    deep = colour[..., 0].astype(np.uint16) * 16
    Image.fromarray(deep).save(tmp_path / "a.jxl", lossless=True)
    read = np.asarray(read_image(tmp_path / "a.jxl", "a.jxl", Reading(PixelSpec(0, 4095))))
    np.testing.assert_array_equal(read, np.rint(deep / 4095 * 255))
    (tmp_path / "b.jxl").write_bytes((tmp_path / "a.jxl").read_bytes()[:100])
    with pytest.raises(UnreadableImage, match=r"b\.jxl: libjxl cannot decode it"):
        read_image(tmp_path / "b.jxl", "b.jxl")
