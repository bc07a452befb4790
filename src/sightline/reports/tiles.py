"""Small pictures for galleries, and a gallery as one figure."""

import io
import math

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from sightline.data.pictures import Picture, UnreadablePicture
from sightline.reports.canvas import new_figure, short, styled
from sightline.reports.evaluated import Evaluated, ReadPicture
from sightline.reports.parts import Cell, Gallery, Tile

SIDE = 128  # pixels of the longer side
COLUMNS = 4


def thumbnail(picture: Picture) -> bytes:
    """A small JPEG; a tiny picture is enlarged without smoothing, so that its pixels are seen.

    Of an array with another number of channels than 1, 3 or 4, the first three (or one) are shown.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[:, :, :3] if picture.shape[2] > 3 else picture[:, :, 0])
    if picture.mode in ("RGBA", "LA", "PA", "P"):
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    image = picture.convert("RGB")
    scale = SIDE / max(image.size)
    size = [max(1, round(scale * side)) for side in image.size]
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    out = io.BytesIO()
    image.resize((size[0], size[1]), how).save(out, "JPEG", quality=80)
    return out.getvalue()


def sample_tile(
    evaluated: Evaluated, index: int, read_picture: ReadPicture, classes: list[int]
) -> Tile:
    """A sample with its target, its decision and the probabilities of some classes.

    Args:
        evaluated: what the sample is in.
        index: its row.
        read_picture: from its id.
        classes: whose probabilities are said.
    """
    name = str(evaluated.table.ids[index])
    target = evaluated.words(evaluated.table.targets[index])
    decided = evaluated.words(evaluated.decided[index])
    said = [f"{evaluated.class_names[c]} {evaluated.probs[index, c]:.3f}" for c in classes]
    lines = [name, f"target: {target}", f"decided: {decided}", *said]
    record: dict[str, Cell] = {"id": name, "target": target, "decided": decided}
    for place, c in enumerate(classes, start=1):
        record[f"class_{place}"] = evaluated.class_names[c]
        record[f"probability_{place}"] = float(evaluated.probs[index, c])
    try:
        return Tile(thumbnail(read_picture(name)), lines, record)
    except UnreadablePicture as error:
        return Tile(None, [*lines, str(error)], record)


@styled
def draw_gallery(gallery: Gallery, title: str) -> Figure:
    """The tiles in rows of four, with their lines cut to fit."""
    rows = max(1, math.ceil(len(gallery.tiles) / COLUMNS))
    lines = max((len(tile.lines) for tile in gallery.tiles), default=1) - 1
    figure = new_figure(rows * (1.6 + 0.15 * lines) + 0.5, 1.7 * COLUMNS)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for ax in axes:
        ax.set_axis_off()
    for ax, tile in zip(axes, gallery.tiles, strict=False):
        if tile.jpeg is not None:
            ax.imshow(np.asarray(Image.open(io.BytesIO(tile.jpeg))))
        ax.set_title("\n".join(short(line, 26) for line in tile.lines[1:]), fontsize=7)
    return figure
