"""A torchvision data set's targets and images as columns, without reading them one by one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from torch import Tensor
from torchvision import datasets

from sightline.data.reading.facts import ORDINARY, Facts
from sightline.data.reading.images import ArrayImages, FileImages, Images
from sightline.data.reading.item_images import ItemImages
from sightline.types import PixelSpec


@dataclass(frozen=True)
class DatasetImages(ItemImages):
    """Images of a torchvision data set, all of them Pillow's, read one at a time through it."""

    stamp: str

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Nothing beside 8 bits of grey or colour, known without reading the image."""
        return ORDINARY

    def fingerprint(self) -> str | None:
        """Of the files that the data set lies in."""
        return self.stamp


def read_targets(dataset: Any, multi_label: bool) -> np.ndarray:
    """Targets, shape (N,) or (N, L); images are read only where there is no other way."""
    values: Any = None
    if multi_label and hasattr(dataset, "attr"):
        values = dataset.attr
    for key in ("targets", "labels", "_labels"):
        if values is None and _countable(getattr(dataset, key, None), len(dataset)):
            values = getattr(dataset, key)
    pairs = _pairs(dataset)
    if values is None and pairs is not None:
        values = [target for _, target in pairs]
    if values is None and isinstance(dataset, datasets.PCAM):
        values = _pcam_targets(dataset)
    if values is None:
        values = [dataset[index][1] for index in range(len(dataset))]
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim == 2:
        return array.astype(np.int8)
    return array.astype(np.int64)


def _pcam_targets(dataset: Any) -> np.ndarray:
    """Reading them one by one would open the file each time."""
    h5py = dataset.h5py
    file = dataset._FILES[dataset._split]["targets"][0]
    with h5py.File(dataset._base_folder / file) as stored:
        return np.asarray(stored["y"]).reshape(-1)


def _countable(values: Any, count: int) -> bool:
    return isinstance(values, (Sequence, np.ndarray, Tensor)) and len(values) == count


def _pairs(dataset: Any) -> list[tuple[str, int]] | None:
    for key in ("_samples", "samples", "imgs"):
        pairs = getattr(dataset, key, None)
        if isinstance(pairs, list) and len(pairs) == len(dataset) and isinstance(pairs[0], tuple):
            return pairs
    return None


def open_images(dataset: Any, stamp: str) -> Images:
    """As files or arrays where the data set holds such, and they are the same images."""
    candidates: list[Images] = []
    pairs = _pairs(dataset)
    paths = [path for path, _ in pairs] if pairs is not None else None
    for key in ("_image_files", "_images", "data"):
        values = getattr(dataset, key, None)
        if paths is None and isinstance(values, list) and isinstance(values[0], (str, Path)):
            paths = values
    if isinstance(dataset, datasets.CelebA):
        folder = Path(dataset.root) / dataset.base_folder / "img_align_celeba"
        paths = [folder / name for name in dataset.filename]
    if paths is not None:
        root = Path(dataset.root)
        relative = [str(Path(path).relative_to(root)) for path in paths]
        candidates.append(FileImages(root, pa.array(relative, pa.string())))
    data = getattr(dataset, "data", None)
    if isinstance(data, (np.ndarray, Tensor)):
        array = np.asarray(data)
        if array.ndim == 4 and array.shape[1] == 3:
            array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
        candidates.append(ArrayImages(array))
    own = DatasetImages(dataset, hashlib.blake2b(stamp.encode(), digest_size=16).hexdigest())
    first = own.read(0)
    assert isinstance(first, Image.Image)
    for images in candidates:
        image = images.read(0)
        if isinstance(image, Image.Image) and image.convert(first.mode) == first:
            return images
    return own
