"""Augmentation of training images: its parts, and its form for whole batches on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.data.cache.images import TrainingForm
from sightline.data.geometries.base import TrainingGeometry
from sightline.data.geometries.batched import cut_batch
from sightline.data.geometries.frames import Frame
from sightline.data.geometries.single import CropImage
from sightline.data.loading.size_schedule import SizeSchedule
from sightline.data.reading.transforms import ImageStep
from sightline.label_modes.base import LabelMode
from sightline.types import Size


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images, in one of two forms.

    Attributes:
        batched: whether whole batches are augmented on the device, instead of single images.
        transforms: of single images.
        batch_transforms: the same for batches.
        out: height and width of the model's input.
        geometry: how an image becomes that; None: as in evaluation.
        frame: makes the whole images that `geometry` cuts from.
        repeats: how often an epoch has each of its images.
        mix: mixes images and targets of a batch, or None.
        mix_epochs: epochs in which it does; None: all.
        sizes: of training images by the epoch, where they differ from `out`.
    """

    batched: bool
    transforms: Sequence[ImageStep]
    batch_transforms: Sequence[nn.Module]
    out: Size
    geometry: TrainingGeometry | None = None
    frame: Frame | None = None
    repeats: int = 1
    mix: nn.Module | None = None
    mix_epochs: int | None = None
    sizes: SizeSchedule | None = None

    @property
    def image_steps(self) -> list[ImageStep]:
        """What is done to single images in the loader's processes, after `frame`."""
        if self.batched:
            return []
        crop = [] if self.geometry is None else [CropImage(self.geometry, self.out)]
        return [*crop, *self.transforms]

    @property
    def form(self) -> TrainingForm:
        """What the cache has to know of it."""
        return TrainingForm(not self.image_steps, self.frame)

    def of_batches(self) -> "BatchAugmentation | None":
        """The form for batches; None where there is nothing to do."""
        if not self.batched or not (self.batch_transforms or self.geometry):
            return None
        return BatchAugmentation(self.batch_transforms, self.geometry, self.out)

    def mixes(self, epoch: int) -> bool:
        """Whether batches of an epoch are mixed."""
        return self.mix is not None and (self.mix_epochs is None or epoch < self.mix_epochs)


class BatchAugmentation(nn.Module):
    """Random transforms of each image of a batch (kornia); values stay in the range of uint8.

    Args:
        transforms: modules from and to float images (B, C, H, W) in [0, 1].
        geometry: how whole images become the model's input first; None: they already are.
        out: height and width of the model's input.
    """

    def __init__(
        self, transforms: Sequence[nn.Module], geometry: TrainingGeometry | None, out: Size
    ) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(transforms)
        self.geometry = geometry
        self.out = out

    @torch.no_grad()
    def forward(self, image: Tensor, size: Tensor | None = None) -> Tensor:
        """Augmented images (B, C, H, W) from 0 to 255.

        Args:
            image: uint8; with a geometry whole images, each in the corner.
            size: shape (B, 2), height and width of each image, with a geometry.
        """
        if self.geometry is not None:
            assert size is not None
            crops = self.geometry.sample(size.cpu(), self.out)
            image = cut_batch(image, size, crops, self.out, self.geometry.padding)
        if not len(self.transforms):
            return image
        scaled = image.float() / 255
        for transform in self.transforms:
            scaled = transform(scaled)
        return scaled.clamp(0, 1) * 255


def mix_batch(
    mix: nn.Module, label_mode: LabelMode, image: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """torchvision's MixUp or CutMix, in any label mode: targets become shares."""
    mixed: tuple[Tensor, Tensor] = mix(image.float(), label_mode.soft(target))
    return mixed
