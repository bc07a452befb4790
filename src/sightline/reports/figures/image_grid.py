"""Figure of a training batch: a grid of augmented images with their labels."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from sightline.reports.canvas import plain_figure

MAX_IMAGES = 32
COLUMNS = 8


def draw_samples(images: Tensor, captions: Sequence[str], title: str) -> Figure:
    """A grid of up to 32 images with their labels.

    Args:
        images: shape (B, C, H, W), uint8, after augmentation and before normalisation.
        captions: one an image.
        title: of the figure.
    """
    count = min(len(images), MAX_IMAGES)
    rows = math.ceil(count / COLUMNS)
    figure = plain_figure(COLUMNS * 1.1, rows * 1.3 + 0.4)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for ax in axes:
        ax.set_axis_off()
    for ax, image, caption in zip(axes, images[:count].cpu(), captions, strict=False):
        pixels = image.permute(1, 2, 0).numpy()
        ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        ax.set_title(caption if len(caption) <= 14 else caption[:13] + "…", fontsize=7, pad=2)
    return figure
