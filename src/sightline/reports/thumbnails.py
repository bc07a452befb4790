"""Thumbnails of samples for galleries, and a gallery as one contact sheet."""

import io
import math

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.raster import ImageData
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Cell, Gallery, Tile
from sightline.reports.section_inputs import ReadImage

SIDE = 128  # pixels of the longer side
COLUMNS = 4  # of a contact sheet
LINE, GAP = 16, 8  # pixels
MAX_LINE = 34  # characters


def thumbnail(image: ImageData, width: int = SIDE, height: int = SIDE) -> bytes:
    """The image as a small JPEG; a smaller image is enlarged without smoothing.

    Of an array with more than three channels the first three are shown, of one with fewer the
    first.

    Args:
        image: of any size.
        width, height: bounds in pixels.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[:, :, :3] if image.shape[2] > 3 else image[:, :, 0])
    if image.mode in ("RGBA", "LA", "PA", "P"):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = image.convert("RGB")
    scale = min(width / rgb.width, height / rgb.height)
    size = [max(1, round(scale * side)) for side in rgb.size]
    filter_ = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    out = io.BytesIO()
    rgb.resize((size[0], size[1]), filter_).save(out, "JPEG", quality=80)
    return out.getvalue()


def sample_tile(
    evaluated: EvaluatedSplit, index: int, read_image: ReadImage, classes: list[int]
) -> Tile:
    """A sample's tile: image, target, decision, and the probabilities of some classes.

    Args:
        evaluated: the split.
        index: row of the sample.
        read_image: reads its image.
        classes: indices of the classes whose probabilities are shown.
    """
    name = str(evaluated.table.ids[index])
    target = evaluated.as_text(evaluated.table.targets[index])
    decided = evaluated.as_text(evaluated.decisions[index])
    probabilities = [
        f"{evaluated.class_names[c]}: {evaluated.probs[index, c]:.3f}" for c in classes
    ]
    lines = [name, f"target: {target}", f"decided: {decided}", *probabilities]
    record: dict[str, Cell] = {"id": name, "target": target, "decided": decided}
    for place, c in enumerate(classes, start=1):
        record[f"class_{place}"] = evaluated.class_names[c]
        record[f"probability_{place}"] = float(evaluated.probs[index, c])
    try:
        return Tile(thumbnail(read_image(name)), lines, record)
    except UnreadableImage as error:
        return Tile(None, [*lines, str(error)], record)


def draw_contact_sheet(gallery: Gallery, title: str, columns: int = COLUMNS) -> bytes:
    """The gallery as one PNG, the lines of its captions cut to fit."""
    out = io.BytesIO()
    contact_sheet(gallery, title, columns).save(out, "PNG")
    return out.getvalue()


def contact_sheet(gallery: Gallery, title: str, columns: int = COLUMNS) -> Image.Image:
    """The gallery as one RGB image, the lines of its captions cut to fit."""
    lines = max((len(tile.lines) for tile in gallery.tiles), default=1) - 1
    images = [Image.open(io.BytesIO(tile.jpeg)) if tile.jpeg else None for tile in gallery.tiles]
    height = max((image.height for image in images if image), default=0)
    cell_width, cell_height = 2 * SIDE, height + (lines + 1) * LINE
    rows = math.ceil(len(gallery.tiles) / columns)
    size = (columns * cell_width + GAP, rows * (cell_height + GAP) + 3 * LINE)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 12)
    draw.text((GAP, GAP), f"{title}: {gallery.caption}", "black", font)
    for place, (tile, image) in enumerate(zip(gallery.tiles, images, strict=True)):
        left = GAP + place % columns * cell_width
        top = 2 * LINE + place // columns * (cell_height + GAP)
        if image is not None:
            sheet.paste(image, (left, top))
        for number, line in enumerate(tile.lines[1:]):
            cut = " ".join(line.split())
            cut = cut if len(cut) <= MAX_LINE else cut[: MAX_LINE - 1] + "…"
            draw.text((left, top + height + number * LINE + 2), cut, "black", font)
    return sheet
