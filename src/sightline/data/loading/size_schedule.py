"""Progressive resizing: the size of training images by the epoch (Howard 2018; Tan and Le 2021)."""

from collections.abc import Sequence

from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.types import ImgSize, Size, as_size, size_words

KEY = "data.img_size_schedule"


class SizeSchedule:
    """Sizes of training batches, each from its epoch on; images of evaluation keep theirs.

    Args:
        steps: epochs from 0, ascending, each with the size from there on.

    Raises:
        UserError: the first epoch is not 0, or the epochs do not ascend.
    """

    def __init__(self, steps: Sequence[tuple[int, ImgSize]]) -> None:
        epochs = [epoch for epoch, _ in steps]
        if not epochs or epochs[0] != 0 or epochs != sorted(set(epochs)):
            raise UserError(
                f"{KEY}: expected [[EPOCH,SIZE],...] with ascending epochs from 0, such as "
                f"[[0,128],[10,160],[20,224]], but got the epochs {epochs}."
            )
        self.steps = [(epoch, as_size(size)) for epoch, size in steps]

    def at(self, epoch: int) -> Size:
        """Height and width in an epoch, in pixels."""
        return [size for first, size in self.steps if first <= epoch][-1]

    def resized(self, images: Tensor, epoch: int) -> Tensor:
        """Images (B, C, H, W) from 0 to 255 at the size of an epoch."""
        size = list(self.at(epoch))
        if list(images.shape[2:]) == size:
            return images
        resized: Tensor = functional.resize(images, size, InterpolationMode.BILINEAR)
        return resized


def size_schedule(config: TrainConfig) -> SizeSchedule | None:
    """The schedule of `data.img_size_schedule`; None where there is none.

    Raises:
        UserError: see `SizeSchedule`; or a size comes after the last epoch.
    """
    steps = config.data_common.img_size_schedule
    if steps is None:
        return None
    schedule = SizeSchedule(steps)
    epochs, (last, size) = config.trainer.get("max_epochs"), schedule.steps[-1]
    if isinstance(epochs, int) and 0 < epochs <= last:
        raise UserError(
            f"{KEY}: {size_words(size)} pixels from epoch {last} on has no effect, since the "
            f"training has epochs 0 to {epochs - 1} (trainer.max_epochs={epochs})."
        )
    return schedule
