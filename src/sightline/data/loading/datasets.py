"""Datasets over splits: images read one at a time, or taken from a tensor of decoded images."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import Transform, functional

from sightline.data.loading.rng import SampleIndex, seed_image
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import Split


class Batch(TypedDict):
    """One batch.

    Keys:
        image: (B, C, H, W), uint8, or float32 from 0 to 255 after batch augmentation; where
            features are cached, the inputs (B, ...) of the head.
        target: (B,) or (B, L), encoded; shares (B, C) after mixing.
        index: (B,), position in the split; -1 for streamed samples.
    """

    image: Tensor
    target: Tensor
    index: Tensor


class FileImageDataset(Dataset[Batch]):
    """Images read and transformed one at a time; for training, seeded by the sample's number.

    Args:
        split: the samples.
        read: from a position in the split to a tensor.
        seed: of the augmentation.
    """

    def __init__(self, split: Split, read: Callable[[int], Tensor], seed: int) -> None:
        self.read = read
        self.seed = seed
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets))

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int | SampleIndex) -> Batch:
        if isinstance(key, int):
            index = key
        else:
            index, number = key
            seed_image(self.seed, number)
        return {
            "image": self.read(index),
            "target": self.targets[index],
            "index": torch.tensor(index),
        }


class CachedImageDataset(Dataset[Batch]):
    """Decoded images in one tensor; a batch is one indexing operation.

    Args:
        split: the samples.
        images: shape (M, C, S, S), uint8, all images of `split.images`; or features (M, ...).
    """

    def __init__(self, split: Split, images: Tensor) -> None:
        self.images = images
        self.rows = torch.from_numpy(split.rows).to(images.device)
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets)).to(images.device)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, keys: list[int] | list[SampleIndex]) -> Batch:
        positions = [key if isinstance(key, int) else key[0] for key in keys]
        index = torch.tensor(positions).to(self.rows.device)
        return {
            "image": self.images[self.rows[index]],
            "target": self.targets[index],
            "index": index,
        }


class SourceReader:
    """Reads and transforms an image of the source at each call."""

    def __init__(self, split: Split, transform: ImageTransform) -> None:
        self.split = split
        self.transform = transform

    def __call__(self, index: int) -> Tensor:
        """The transformed image at a position of the split."""
        return self.transform(self.split.read(index, self.transform.reading))


class CachedReader:
    """Augments a cached image in the same way as an image that is read from the source.

    Args:
        rows: shape (N,), row in `array` of each sample.
        array: shape (M, C, S, S), uint8.
        augmentations: one image at a time.
        colour: whether three and four channels are colours; else they are augmented as a tensor.
    """

    def __init__(
        self, rows: np.ndarray, array: np.ndarray, augmentations: Sequence[Transform],
        colour: bool = True,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.colour = colour
        self.array = array
        self.augmentations = augmentations

    def __call__(self, index: int) -> Tensor:
        """The augmented image at a position of the split."""
        pixels = self.array[self.rows[index]]
        image: Any
        if len(pixels) == 1:
            image = Image.fromarray(pixels[0])
        elif len(pixels) in (3, 4) and self.colour:
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        else:
            image = torch.from_numpy(np.array(pixels))
        for augmentation in self.augmentations:
            image = augmentation(image)
        return image if isinstance(image, Tensor) else functional.pil_to_tensor(image)
