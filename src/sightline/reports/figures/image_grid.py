"""Figure of a training batch: a grid of augmented images with their labels."""

import math
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from sightline.reports.canvas import plain_figure

MAX_IMAGES = 32
COLUMNS = 8
PITCH = 1.08  # of columns, in widths of an image
CAPTION = 0.32  # height of the room above an image, in its widths


def draw_samples(images: Tensor, captions: Sequence[str], title: str) -> Figure:
    """A grid of up to 32 images with their labels.

    Of more than three channels the first three are shown, of two the first.

    Args:
        images: shape (B, C, H, W), values of 0 to 255, whole or not, after augmentation and before
            normalisation.
        captions: one an image.
        title: of the figure.
    """
    count = min(len(images), MAX_IMAGES)
    rows = math.ceil(count / COLUMNS)
    figure = plain_figure(COLUMNS * 1.1, rows * 1.3 + 0.4)
    figure.suptitle(title, fontsize=10)
    ax = figure.subplots()  # one for all images: axes for each would take a second to draw
    ax.set_axis_off()
    height = images.shape[-2] / images.shape[-1]  # widths of an image are the unit
    shown = images[:count].cpu().float().round().clamp(0, 255).to(torch.uint8)  # of a batch's form
    for number, (image, caption) in enumerate(zip(shown, captions, strict=False)):
        left, top = number % COLUMNS * PITCH, number // COLUMNS * (height + CAPTION)
        pixels = image[: 3 if len(image) >= 3 else 1].permute(1, 2, 0).numpy()
        place = (left, left + 1, top + height, top)
        ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=place)
        text = caption if len(caption) <= 14 else caption[:13] + "…"
        ax.text(left + 0.5, top - 0.03, text, fontsize=7, ha="center", va="bottom", in_layout=False)
    ax.set(xlim=(0, COLUMNS * PITCH), ylim=(rows * (height + CAPTION) - CAPTION, -CAPTION))
    return figure
