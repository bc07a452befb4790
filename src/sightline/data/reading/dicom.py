"""DICOM images at 8 bits, as a viewer shows them: modality, window, inverted grey, palettes.

Of Pydicom's parts the decoders and lookup tables are used; windows follow DICOM PS3.3 C.11.2.1.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})


def read_dicom(source: Path | io.BytesIO) -> Image.Image:
    """The first frame: grey of one sample a pixel, RGB of several and of palettes.

    Grey values are those of the modality (slope and intercept), cut at the first window that the
    file states; without one, all values that its bits can hold are shown. MONOCHROME1 is inverted.

    Raises:
        ImportError: Pydicom is not installed.
        Exception: the file is damaged, or its compression needs another package; any type.
    """
    import pydicom
    from pydicom.pixels import apply_color_lut, apply_modality_lut, convert_color_space

    data = pydicom.dcmread(source)
    pixels = data.pixel_array
    if int(data.get("NumberOfFrames", 1) or 1) > 1:
        pixels = pixels[0]
    kind = str(data.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(pixels, data)
        return Image.fromarray(_to_8_bits(colours, np.iinfo(colours.dtype).max))
    if pixels.ndim == 3:
        colours = pixels if kind == "RGB" else convert_color_space(pixels, kind, "RGB")
        return Image.fromarray(_to_8_bits(colours, 2 ** int(data.BitsStored) - 1))
    shown = _windowed(apply_modality_lut(pixels, data).astype(np.float64), pixels, data)
    grey = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(255 - grey if kind == "MONOCHROME1" else grey)


def count_frames(source: Path | io.BytesIO) -> int:
    """The number of frames that a file states."""
    import pydicom

    return int(pydicom.dcmread(source, stop_before_pixels=True).get("NumberOfFrames", 1) or 1)


def _windowed(values: np.ndarray, stored: np.ndarray, data: Any) -> np.ndarray:
    """Grey values from 0, the lower end of the window, to 1.

    Args:
        values: of the modality.
        stored: before slope and intercept.
        data: the file.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    if "VOILUTSequence" in data:
        bits = int(data.VOILUTSequence[0].LUTDescriptor[2])
        return np.asarray(apply_voi_lut(values, data) / (2**bits - 1))
    if "WindowCenter" in data and "WindowWidth" in data:
        centre, width = (_first(data[name].value) for name in ("WindowCenter", "WindowWidth"))
        function = str(data.get("VOILUTFunction", "LINEAR") or "LINEAR")
        if function == "SIGMOID":
            return 1 / (1 + np.exp(-4 * (values - centre) / width))
        if function == "LINEAR_EXACT":
            return (values - centre) / width + 0.5
        return (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5
    bits = int(data.BitsStored)
    signed = int(data.PixelRepresentation) == 1
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    low, high = apply_modality_lut(np.array(ends, stored.dtype), data).astype(np.float64)
    return (values - low) / (high - low)


def _first(value: Any) -> float:
    return float(value[0] if hasattr(value, "__len__") else value)


def _to_8_bits(colours: np.ndarray, highest: int) -> np.ndarray:
    return np.rint(colours.astype(np.float64) / highest * 255).astype(np.uint8)
