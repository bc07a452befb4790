"""A folder of images sorted into class folders: ROOT/{train,val,test}/CLASS/* or ROOT/CLASS/*."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from sightline.data.reading.decode import ARRAY_SUFFIXES
from sightline.data.reading.images import FileImages
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.errors import UserError, did_you_mean


def read_folder(root: str) -> SourceData:
    """One class a folder, in which folders may be nested; the class names are train's, sorted.

    Args:
        root: the folder, absolute or relative to where the command is run.

    Raises:
        UserError: a folder is missing or empty, or a class is not in train.
    """
    base = existing_folder(root, "data.root")
    has_splits = (base / "train").is_dir()
    top = base / "train" if has_splits else base
    names = _class_names(top)
    if not names:
        raise UserError(f"{top} has no class folders; expected {top}/CLASS/*.jpg and the like.")
    found = {"train": _scan(base, top, names)}
    for name in SPLITS[1:]:
        if has_splits and (base / name).is_dir():
            found[name] = _scan_further(base, base / name, names)
    paths = pa.array([path for each, _ in found.values() for path in each], pa.string())
    images = FileImages(base, paths)
    splits = {}
    start = 0
    for name, (each, targets) in found.items():
        rows = np.arange(start, start + len(each))
        splits[name] = Split(paths.slice(start, len(each)), targets, images, rows)
        start += len(each)
    return SourceData(base.name, str(base), names, splits)


def existing_folder(path: str, key: str) -> Path:
    """The absolute folder; where there is none, an error with the nearest name beside it."""
    base = Path(path).expanduser().absolute()
    if not base.is_dir():
        beside = [p.name for p in base.parent.iterdir()] if base.parent.is_dir() else []
        kind = "a file, not a folder" if base.is_file() else "not there"
        raise UserError(f"{key}={path}: {base} is {kind}.{did_you_mean(base.name, beside)}")
    return base


def _class_names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def _scan(base: Path, folder: Path, names: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Paths and classes of all images in `folder`; at least one of each class."""
    found = {name: sorted(image_files(base, folder / name)) for name in names}
    empty = [str(folder / name) for name, paths in found.items() if not paths]
    if empty:
        raise UserError(
            f"No images in the class folder {', '.join(empty[:10])}. Add images "
            f"({', '.join(sorted(image_suffixes())[:6])}, …) or remove the folder."
        )
    counts = [len(paths) for paths in found.values()]
    return [path for paths in found.values() for path in paths], np.repeat(
        np.arange(len(names)), counts
    )


def _scan_further(base: Path, folder: Path, names: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Likewise for a further split: its classes are train's, though some may be missing."""
    present = _class_names(folder)
    unknown = sorted(set(present) - set(names))
    if unknown:
        raise UserError(
            f"{folder / unknown[0]}: the class {unknown[0]!r} is not in train, whose classes are: "
            f"{', '.join(names[:20])}.{did_you_mean(unknown[0], names)}"
        )
    if not present:
        raise UserError(f"The split {folder} has no images. Add some, or remove the folder.")
    paths, targets = _scan(base, folder, present)
    return paths, np.array([names.index(name) for name in present])[targets]


def image_files(base: Path, folder: Path) -> Iterator[str]:
    """Paths of images in `folder` and below, relative to `base`; links are followed once."""
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a link to a folder above itself
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        prefix = os.path.relpath(parent, base)
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in image_suffixes():
                yield f"{prefix}/{file}"


@cache
def image_suffixes() -> frozenset[str]:
    """Endings of the files that can be read as images."""
    Image.init()
    return ARRAY_SUFFIXES | {ext for ext, kind in Image.EXTENSION.items() if kind in Image.OPEN}
