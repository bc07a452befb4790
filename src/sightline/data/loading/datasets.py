"""Datasets over splits: images read one at a time, or taken from a tensor of decoded images."""

from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from sightline.data.cache.files import DecodedImages
from sightline.data.geometries.frames import Frame
from sightline.data.loading.rng import SampleIndex, seed_image
from sightline.data.reading.transforms import ImageStep, ImageTransform
from sightline.data.source_data import Split


class Batch(TypedDict):
    """One batch.

    Keys:
        image: (B, C, H, W), uint8, or float32 from 0 to 255 after batch augmentation; where
            features are cached, the inputs (B, ...) of the head.
        target: (B,) or (B, L), encoded; shares (B, C) after mixing.
        index: (B,), position in the split; -1 for streamed samples.
        size: (B, 2), height and width of whole images in the corner, until crops are cut from them.
    """

    image: Tensor
    target: Tensor
    index: Tensor
    size: NotRequired[Tensor]


class FileImageDataset(Dataset[Batch]):
    """Images read and transformed one at a time; for training, seeded by the sample's number.

    Args:
        split: the samples.
        read: from a position in the split to a tensor.
        seed: of the augmentation.
        frame: makes whole images of one shape, where crops are cut from batches of them.
    """

    def __init__(
        self, split: Split, read: Callable[[int], Tensor], seed: int, frame: Frame | None = None
    ) -> None:
        self.read = read
        self.frame = frame
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
        image = self.read(index)
        batch = Batch(image=image, target=self.targets[index], index=torch.tensor(index))
        if self.frame is not None:
            batch["image"], batch["size"] = self.frame.padded(image)
        return batch


class CachedImageDataset(Dataset[Batch]):
    """Decoded images in one tensor; a batch is one indexing operation.

    Args:
        split: the samples.
        images: shape (M, C, H, W), uint8, all images of `split.images`; or features (M, ...).
        sizes: shape (M, 2), height and width of each, where they are whole images.
    """

    def __init__(self, split: Split, images: Tensor, sizes: np.ndarray | None = None) -> None:
        self.images = images
        self.sizes = None if sizes is None else torch.from_numpy(sizes)
        self.rows = torch.from_numpy(split.rows).to(images.device)
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets)).to(images.device)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, keys: list[int] | list[SampleIndex]) -> Batch:
        positions = [key if isinstance(key, int) else key[0] for key in keys]
        index = torch.tensor(positions).to(self.rows.device)
        rows = self.rows[index]
        batch = Batch(image=self.images[rows], target=self.targets[index], index=index)
        if self.sizes is not None:
            batch["size"] = self.sizes[rows.to(self.sizes.device)]
        return batch


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
        rows: shape (N,), row in `decoded` of each sample.
        decoded: the images.
        augmentations: one image at a time.
        colour: whether three and four channels are colours; else they are augmented as a tensor.
    """

    def __init__(
        self, rows: np.ndarray, decoded: DecodedImages, augmentations: Sequence[ImageStep],
        colour: bool = True,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.colour = colour
        self.array, self.sizes = decoded.array, decoded.sizes
        self.augmentations = augmentations

    def __call__(self, index: int) -> Tensor:
        """The augmented image at a position of the split."""
        row = self.rows[index]
        pixels = self.array[row]
        if self.sizes is not None:
            height, width = self.sizes[row]
            pixels = np.ascontiguousarray(pixels[:, :height, :width])
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
