"""Key, shape and size of a file of decoded images, and sizes of whole images as text beside it."""

import base64
import hashlib
import json
import math

import numpy as np
import PIL

from sightline.data.geometries.frames import Frame
from sightline.data.reading.images import Images
from sightline.types import PreprocessSpec

READING = 2  # raised where files are decoded otherwise than before: what is cached is then not used


def cache_bytes(images: list[Images], spec: PreprocessSpec, frame: Frame | None = None) -> int:
    """Size of the decoded images, in bytes; of none where frames have no bound."""
    if frame is not None and frame.side is None:
        return 0
    return sum(len(each) for each in images) * math.prod(shape_of(spec, frame))


def shape_of(spec: PreprocessSpec, frame: Frame | None) -> tuple[int, int, int]:
    """Channels, height and width of the decoded images: frames, or the model's input."""
    if frame is None:
        return spec.input
    assert frame.side is not None  # else they have no common shape, and are not cached
    return spec.in_chans, frame.side, frame.side


def packed_sizes(sizes: np.ndarray) -> str:
    """Heights and widths as text for a JSON file, 11 bytes an image."""
    return base64.b64encode(sizes.astype("<u4").tobytes()).decode()


def unpacked_sizes(text: str) -> np.ndarray:
    """Heights and widths, shape (N, 2), of the text that `packed_sizes` made.

    Raises:
        ValueError: it is damaged.
    """
    return np.frombuffer(base64.b64decode(text), "<u4").reshape(-1, 2).astype(np.int64)


def cache_key(contents: np.ndarray, spec: PreprocessSpec, frame: Frame | None) -> str:
    """The name of the file of decoded images: a digest of their content and of the geometry.

    Args:
        contents: the images' content digests.
        spec: the geometry of evaluation.
        frame: that of whole images instead, or None.
    """
    geometry = spec.to_dict() | ({} if frame is None else {"frame_side": frame.side})
    if frame is not None:  # which no crop changes
        geometry = {k: v for k, v in geometry.items() if not k.startswith(("crop_", "img_size"))}
    if spec.crop_mode != "border":  # whose borders have the colour of the mean
        geometry = {k: v for k, v in geometry.items() if k not in ("mean", "std")}
    facts = json.dumps([geometry, PIL.__version__, READING], sort_keys=True)
    return hashlib.blake2b(contents.tobytes() + facts.encode(), digest_size=16).hexdigest()
