"""Views of images: test-time augmentation, and corruptions for robustness."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor

from sightline.config.validation import Node
from sightline.errors import UserError
from sightline.inference.corruptions import CORRUPTIONS, SEVERITIES, corrupt

View = Callable[[Tensor], Tensor]  # of images (B, C, H, W), uint8
FLIP = "RandomHorizontalFlip"  # torchvision's name


def unchanged(image: Tensor) -> Tensor:
    """The images, unchanged."""
    return image


def averaged_views(kinds: Sequence[str], augment: Mapping[str, Any]) -> dict[str, View]:
    """Views whose probabilities are averaged: the image, mirrored, and shifted by 1/16 of its side.

    Args:
        kinds: flip, shift.
        augment: the training's augmentation, which shows what keeps an image's class.

    Raises:
        UserError: flip, where the training never mirrored an image.
    """
    moved = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)] if "shift" in kinds else [(0, 0)]
    views: dict[str, View] = {}
    for down, right in moved:
        views[f"shift {down} {right}"] = partial(_shift, down=down, right=right)
    if "flip" in kinds:
        if not _mirrors(augment.get("transforms", [])):
            raise UserError(
                "tta=flip: the training never mirrored its images (augment has no "
                "RandomHorizontalFlip), so a mirrored image may belong to another class, as with "
                "digits or signs; use tta=shift."
            )
        views |= {f"mirrored {name}": partial(_mirror, view=view) for name, view in views.items()}
    return views


class CorruptedView:
    """One corruption of batches of images; the random numbers are the same in every evaluation.

    Args:
        name: of `CORRUPTIONS`.
        severity: 1 to 5.
    """

    def __init__(self, name: str, severity: int) -> None:
        self.name = name
        self.severity = severity
        self._generator = torch.Generator().manual_seed(severity)

    def __call__(self, image: Tensor) -> Tensor:
        """Corrupted images."""
        return corrupt(image, self.name, self.severity, self._generator)


def corrupted_views() -> dict[tuple[str, int], View]:
    """A view for each corruption and severity."""
    pairs = product(CORRUPTIONS, SEVERITIES)
    return {(name, severity): CorruptedView(name, severity) for name, severity in pairs}


def _mirrors(transforms: Sequence[Node]) -> bool:
    return any(str(node["_target_"]).rsplit(".", 1)[-1] == FLIP for node in transforms)


def _mirror(image: Tensor, view: View) -> Tensor:
    return view(image).flip(3)


def _shift(image: Tensor, down: int, right: int) -> Tensor:
    """Images shifted by a sixteenth of the side; the edge is repeated."""
    if not down and not right:
        return image
    step = max(1, image.shape[-1] // 16)
    rows = torch.arange(image.shape[-2]).sub(down * step).clamp(0, image.shape[-2] - 1)
    columns = torch.arange(image.shape[-1]).sub(right * step).clamp(0, image.shape[-1] - 1)
    return image[:, :, rows][:, :, :, columns]
