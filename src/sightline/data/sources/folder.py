"""A folder of pictures sorted into class folders: ROOT/{train,val,test}/CLASS/* or ROOT/CLASS/*."""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from sightline.data.source import SPLITS, FileImages, SourceData, Split, take
from sightline.data.splits import stratified_holdout
from sightline.errors import UserError, did_you_mean

Fraction = Annotated[float, Field(gt=0, lt=1)]


def read_folder(
    root: str, split_seed: int, val_fraction: Fraction, test_fraction: Fraction
) -> SourceData:
    """One class a folder; the class names are train's, sorted.

    Args:
        root: the folder, absolute or relative to where the command is run.
        split_seed: governs the splits that are made here.
        val_fraction: share of the pictures held out for validation where there is no `val`.
        test_fraction: likewise for the test; an existing `test` is used as it is.

    Raises:
        UserError: a folder is missing or empty, or a class is not in train.
    """
    base = Path(root).expanduser().absolute()
    if not base.is_dir():
        parent = base.parent
        hint = (
            did_you_mean(base.name, (p.name for p in parent.iterdir())) if parent.is_dir() else ""
        )
        raise UserError(f"data.root={root}: there is no folder {base}.{hint}")
    has_splits = (base / "train").is_dir()
    top = base / "train" if has_splits else base
    names = _class_names(top)
    if not names:
        raise UserError(f"{top} has no class folders; expected {top}/CLASS/*.jpg and the like.")
    splits = {"train": _read(base, top, names)}
    for name in SPLITS[1:]:
        if has_splits and (base / name).is_dir():
            splits[name] = _read_further(base, base / name, names)
    fractions = {"test": test_fraction, "val": val_fraction}
    missing = [name for name in fractions if name not in splits]
    total = len(splits["train"])
    for name in missing:
        # Fractions are of what was there at first, whichever splits are made.
        share = fractions[name] * total / len(splits["train"])
        rest = splits["train"]
        kept, out = stratified_holdout(rest.targets, min(share, 0.99), split_seed, names, name)
        splits["train"], splits[name] = _select(rest, kept), _select(rest, out)
    return SourceData(base.name, str(base), names, {name: splits[name] for name in SPLITS})


def _class_names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def _read(base: Path, folder: Path, names: tuple[str, ...]) -> Split:
    """All pictures of `folder`, which has a folder with at least one for each class."""
    paths, targets = _scan(base, folder, names)
    counts = np.bincount(targets, minlength=len(names))
    empty = [str(folder / names[i]) for i in np.flatnonzero(counts == 0)]
    if empty:
        raise UserError(
            f"No pictures in the class folder {', '.join(empty[:10])}. Add pictures "
            f"({', '.join(sorted(_extensions())[:6])}, …) or remove the folder."
        )
    return take(paths, targets, FileImages(base, np.array(paths, dtype=str)))


def _read_further(base: Path, folder: Path, names: tuple[str, ...]) -> Split:
    """All pictures of a further split: its classes are train's, though some may be missing."""
    unknown = sorted(set(_class_names(folder)) - set(names))
    if unknown:
        raise UserError(
            f"{folder / unknown[0]}: the class {unknown[0]!r} is not in train, whose classes are: "
            f"{', '.join(names[:20])}.{did_you_mean(unknown[0], names)}"
        )
    present = tuple(name for name in names if (folder / name).is_dir())
    if not present:
        raise UserError(f"The split {folder} has no pictures. Add some, or remove the folder.")
    split = _read(base, folder, present)
    to_train = np.array([names.index(name) for name in present])
    return Split(split.ids, to_train[split.targets], split.images)


def _scan(base: Path, folder: Path, names: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    extensions = _extensions()
    paths: list[str] = []
    targets: list[int] = []
    for index, name in enumerate(names):
        for parent, folders, files in os.walk(folder / name, followlinks=True):
            folders.sort()
            prefix = Path(parent).relative_to(base)
            found = sorted(
                str(prefix / file)
                for file in files
                if not file.startswith(".") and Path(file).suffix.lower() in extensions
            )
            paths += found
            targets += [index] * len(found)
    return paths, np.array(targets, dtype=np.int64)


def _extensions() -> frozenset[str]:
    Image.init()
    return frozenset(ext for ext, kind in Image.EXTENSION.items() if kind in Image.OPEN)


def _select(split: Split, where: np.ndarray) -> Split:
    assert isinstance(split.images, FileImages)
    images = FileImages(split.images.root, split.images.paths[where])
    return Split(split.ids[where], split.targets[where], images)
