"""Sets of unknown images: their names, and none of them among the images that the model knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sightline.data.cache.digests import content_digests
from sightline.data.cache.sample_digests import CONTENT, PIXELS, REMEMBERED, short
from sightline.data.reading.images import Images, SelectedImages
from sightline.data.source_data import Split
from sightline.errors import UserError, counted
from sightline.evaluation.seen import Digests, stored_digests
from sightline.inference.inputs import Inputs, read_inputs
from sightline.tracking.mlflow.stored_run import StoredRun

COMPARED = {CONTENT: "the bytes of their files", PIXELS: "the pixels that the model sees"}


def named_sets(folders: Sequence[str]) -> dict[str, Inputs]:
    """The sets that are given as FOLDER or NAME:FOLDER; without a name the folder's own.

    Raises:
        UserError: a folder is not there or holds no images, or two sets have one name.
    """
    found: dict[str, Inputs] = {}
    for given in folders:
        name, colon, path = given.partition(":")
        if not colon or Path(given).expanduser().exists():
            name, path = Path(given).expanduser().absolute().name, given
        if not path or not Path(path).expanduser().exists():
            raise UserError(f"ood={given}: there is no folder {path}.")
        if name in found:
            raise UserError(f"ood: two sets are called {name}; give NAME:FOLDER.")
        if not name:
            raise UserError(f"ood={given}: the set has no name; give NAME:FOLDER.")
        try:
            found[name] = read_inputs(path)
        except UserError as error:
            raise UserError(f"ood={given}: {str(error).removeprefix(f'input={path}: ')}") from error
    return found


def known_digests(run: StoredRun, own: Mapping[str, Split], split: str) -> Digests:
    """Digests of the images that the model was fitted or chosen on, and of the evaluated split.

    Args:
        run: of the model.
        own: the run's splits, for what it stored no digests of.
        split: whose images unknown ones are compared with.
    """
    try:
        stored = stored_digests(run) or {}
    except UserError:
        stored = {}
    names = [name for name in dict.fromkeys((*REMEMBERED, split)) if name in own]
    return {name: stored.get(name) or _digests_of(own[name]) for name in names}


def check_unknown_files(name: str, inputs: Inputs, known: Digests) -> None:
    """Refuse a set with files that the model knows, before it is run.

    Raises:
        UserError: names the first of them.
    """
    _refuse(name, inputs, short(content_digests(inputs.images)), CONTENT, known)


def check_unknown_pixels(name: str, inputs: Inputs, pixels: np.ndarray, known: Digests) -> None:
    """The same for images that were saved again, by their pixels.

    Args:
        name: of the set.
        inputs: its images.
        pixels: their digests, shape (M,), uint64; 0 where an image cannot be read.
        known: digests by split.
    """
    _refuse(name, inputs, pixels, PIXELS, known)


def split_images(split: Split) -> Images:
    """The images of a split, in its order."""
    return SelectedImages(split.images, split.rows)


def _digests_of(split: Split) -> dict[str, np.ndarray]:
    return {CONTENT: short(content_digests(split_images(split))), PIXELS: np.empty(0, np.uint64)}


def _refuse(name: str, inputs: Inputs, digests: np.ndarray, column: str, known: Digests) -> None:
    for split, each in known.items():
        there = np.flatnonzero(np.isin(digests, each[column]) & (digests != 0))
        if len(there):
            raise UserError(
                f"ood: {len(there)} of {counted(len(digests), 'image')} of {name} "
                f"{'is' if len(there) == 1 else 'are'} in the run's {split}, by "
                f"{COMPARED[column]}: {inputs.paths[int(there[0])].as_py()}, for one. They are not "
                "unknown: remove them."
            )
