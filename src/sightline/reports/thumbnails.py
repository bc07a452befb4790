"""Small images for galleries, and a gallery as one sheet."""

import io
import math

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from sightline.data.reading.decode import ImageData, UnreadableImage
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Cell, Gallery, Tile
from sightline.reports.section_inputs import ReadImage

SIDE = 128  # pixels of the longer side
COLUMNS = 4  # of a sheet
LINE, GAP = 16, 8  # pixels
MAX_LINE = 34  # characters


def thumbnail(picture: ImageData, width: int = SIDE, height: int = SIDE) -> bytes:
    """A small JPEG; a tiny image is enlarged without smoothing, so that its pixels are seen.

    Of an array with another number of channels than 1, 3 or 4, the first three (or one) are shown.

    Args:
        image: of any size.
        width, height: pixels that it may take.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[:, :, :3] if picture.shape[2] > 3 else picture[:, :, 0])
    if picture.mode in ("RGBA", "LA", "PA", "P"):
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    image = picture.convert("RGB")
    scale = min(width / image.width, height / image.height)
    size = [max(1, round(scale * side)) for side in image.size]
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    out = io.BytesIO()
    image.resize((size[0], size[1]), how).save(out, "JPEG", quality=80)
    return out.getvalue()


def sample_tile(
    evaluated: EvaluatedSplit, index: int, read_image: ReadImage, classes: list[int]
) -> Tile:
    """A sample with its target, its decision and the probabilities of some classes.

    Args:
        evaluated: what the sample is in.
        index: its row.
        read_image: from its id.
        classes: whose probabilities are said.
    """
    name = str(evaluated.table.ids[index])
    target = evaluated.words(evaluated.table.targets[index])
    decided = evaluated.words(evaluated.decided[index])
    said = [f"{evaluated.class_names[c]}: {evaluated.probs[index, c]:.3f}" for c in classes]
    lines = [name, f"target: {target}", f"decided: {decided}", *said]
    record: dict[str, Cell] = {"id": name, "target": target, "decided": decided}
    for place, c in enumerate(classes, start=1):
        record[f"class_{place}"] = evaluated.class_names[c]
        record[f"probability_{place}"] = float(evaluated.probs[index, c])
    try:
        return Tile(thumbnail(read_image(name)), lines, record)
    except UnreadableImage as error:
        return Tile(None, [*lines, str(error)], record)


def draw_contact_sheet(gallery: Gallery, title: str) -> bytes:
    """The whole gallery as one PNG, its lines cut to fit."""
    lines = max((len(tile.lines) for tile in gallery.tiles), default=1) - 1
    images = [Image.open(io.BytesIO(tile.jpeg)) if tile.jpeg else None for tile in gallery.tiles]
    height = max((picture.height for picture in images if picture), default=0)
    cell_width, cell_height = 2 * SIDE, height + (lines + 1) * LINE
    rows = math.ceil(len(gallery.tiles) / COLUMNS)
    size = (COLUMNS * cell_width + GAP, rows * (cell_height + GAP) + 3 * LINE)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 12)
    draw.text((GAP, GAP), f"{title}: {gallery.caption}", "black", font)
    for place, (tile, picture) in enumerate(zip(gallery.tiles, images, strict=True)):
        left = GAP + place % COLUMNS * cell_width
        top = 2 * LINE + place // COLUMNS * (cell_height + GAP)
        if picture is not None:
            sheet.paste(picture, (left, top))
        for number, line in enumerate(tile.lines[1:]):
            cut = " ".join(line.split())
            cut = cut if len(cut) <= MAX_LINE else cut[: MAX_LINE - 1] + "…"
            draw.text((left, top + height + number * LINE + 2), cut, "black", font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()
