"""Where the model looked: Grad-CAM (Selvaraju et al. 2017) laid over a few images."""

import matplotlib
import numpy as np
from PIL import Image

from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Section, Tile
from sightline.reports.section_inputs import Explain
from sightline.reports.thumbnails import SIDE, thumbnail


def overlay(image: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image, and below it the same in grey with the heat over it.

    Args:
        image: shape (C, H, W), uint8, as the model sees it.
        heat: shape (H, W), in [0, 1].
    """
    shown = image[:3] if len(image) >= 3 else image[:1].repeat(3, axis=0)
    plain = shown.transpose(1, 2, 0)
    grey = plain.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colours = 255 * matplotlib.colormaps["inferno"](heat)[..., :3]
    strength = 0.65 * heat[..., None]
    mixed = (1 - strength) * grey + strength * colours
    return Image.fromarray(np.vstack([plain, mixed.round().astype(np.uint8)]))


def grad_cam_report(evaluated: EvaluatedSplit, explain: Explain, count: int, seed: int) -> Section:
    """The worst errors, and as many that were right.

    Args:
        evaluated: the split.
        explain: from ids and a class for each to images and heat.
        count: of errors, and of right ones.
        seed: of the draw of right ones.
    """
    right = np.flatnonzero(~evaluated.wrong)
    drawn = np.random.default_rng(seed).permutation(right)[:count]
    galleries = [
        Gallery("grad_cam_errors", "The worst errors", []),
        Gallery("grad_cam_right", "Decided rightly", []),
    ]
    filled = []
    for gallery, rows in zip(galleries, (evaluated.worst_errors(count), drawn), strict=True):
        if len(rows):
            tiles = _tiles(evaluated, rows, explain)
            filled.append(Gallery(gallery.name, gallery.caption, tiles))
    text = (
        "Above the image as the model sees it, below what speaks for its most probable class: "
        "the brighter, the more (Grad-CAM of the last feature map)."
    )
    return Section("Where the model looks", text, filled)


def _tiles(evaluated: EvaluatedSplit, rows: np.ndarray, explain: Explain) -> list[Tile]:
    classes = evaluated.probs[rows].argmax(axis=1)
    images, heats = explain(evaluated.table.ids[rows].tolist(), classes)
    tiles = []
    for row, c, image, heat in zip(rows, classes, images, heats, strict=True):
        name = str(evaluated.table.ids[row])
        target = evaluated.words(evaluated.table.targets[row])
        looked, prob = evaluated.class_names[c], float(evaluated.probs[row, c])
        lines = [name, f"target: {target}", f"heat: {looked} {prob:.3f}"]
        record = {"id": name, "target": target, "class": looked, "probability": prob}
        tiles.append(Tile(thumbnail(overlay(image, heat), SIDE, 2 * SIDE), lines, record))
    return tiles
