"""Grad-CAM (Selvaraju et al. 2017) over a few images: evidence for the class decided for."""

import matplotlib
import numpy as np
from PIL import Image

from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Section, Tile
from sightline.reports.section_inputs import Explain
from sightline.reports.thumbnails import SIDE, thumbnail


def overlay(image: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image above, and below it the same image in grey with the heat map over it.

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
    """Section with a gallery of the worst errors and one of right decisions.

    Args:
        evaluated: the split.
        explain: computes images and heat maps from ids and classes.
        count: images in each gallery.
        seed: of the random choice of right decisions.
    """
    right = np.flatnonzero(~evaluated.wrong)
    chosen = np.random.default_rng(seed).permutation(right)[:count]
    galleries = [
        Gallery("grad_cam_errors", f"The worst errors, {evaluated.rule}", []),
        Gallery("grad_cam_right", f"Decided rightly, {evaluated.rule}", []),
    ]
    filled = []
    for gallery, rows in zip(galleries, (evaluated.worst_errors(count), chosen), strict=True):
        if len(rows):
            tiles = _tiles(evaluated, rows, explain)
            filled.append(Gallery(gallery.name, gallery.caption, tiles))
    text = (
        "Above: the image as the model sees it. Below: the evidence for the class that is decided "
        f"for by {evaluated.decided_by} (of several the most probable one, without any the most "
        "probable of all), the brighter the stronger (Grad-CAM of the last feature map)."
    )
    return Section("Where the model looks", text, filled)


def _tiles(evaluated: EvaluatedSplit, rows: np.ndarray, explain: Explain) -> list[Tile]:
    classes = (evaluated.decision_rows + evaluated.probs)[rows].argmax(axis=1)
    images, heats = explain(evaluated.table.ids[rows].tolist(), classes)
    tiles = []
    for row, c, image, heat in zip(rows, classes, images, heats, strict=True):
        name = str(evaluated.table.ids[row])
        target = evaluated.as_text(evaluated.table.targets[row])
        class_name, prob = evaluated.class_names[c], float(evaluated.probs[row, c])
        lines = [name, f"target: {target}", f"heat: {class_name} {prob:.3f}"]
        record = {"id": name, "target": target, "class": class_name, "probability": prob}
        tiles.append(Tile(thumbnail(overlay(image, heat), SIDE, 2 * SIDE), lines, record))
    return tiles
