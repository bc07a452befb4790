"""A folder of images sorted into class folders: ROOT/{train,val,test}/CLASS/* or ROOT/CLASS/*."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from sightline.data.labels.names import canonical
from sightline.data.labels.report import note_merged, warn_alike
from sightline.data.reading.images import FileImages
from sightline.data.reading.scan import (
    LeftOut,
    holds_images,
    scan_beside,
    scan_images,
    subfolders,
)
from sightline.data.source_data import SPLIT_WORDS, SourceData, Split
from sightline.data.sources.split_folders import AUTO, find_split_folders
from sightline.errors import UserError, counted, did_you_mean
from sightline.io.printable import as_utf8

Classes = dict[str, list[str]]  # a class's name to the names of its folders


def read_folder(root: str, splits: str | dict[str, str] = AUTO) -> SourceData:
    """One class a folder, in which folders may be nested; the class names are train's, sorted.

    Args:
        root: the folder, absolute or relative to where the command is run.
        splits: the folders of the splits, see `find_split_folders`.

    Raises:
        UserError: a folder is missing or empty, a class is not in train, or folders with images
            would not be used.
    """
    base = existing_folder(root, "data.root")
    folders = find_split_folders(base, splits) or {"train": base}
    names = tuple(sorted(_classes(folders["train"])))
    if not names:
        raise UserError(_no_classes(base, folders["train"]))
    warn_alike(names, str(folders["train"]))
    left_out = LeftOut() if base in folders.values() else scan_beside(base, base)
    notes = _describe(base, folders)
    found = {}
    for split, folder in folders.items():
        if split != "train" and not _classes(folder):
            notes.append(_without_labels(split, folder))
            left_out.extend(scan_beside(base, folder))
            continue
        found[split] = _scan(base, folder, names, left_out)
    names_of_files = [path for each, _ in found.values() for path in each]
    _refuse_other_encodings(base, names_of_files)
    paths = pa.array(names_of_files, pa.string())
    images = FileImages(base, paths)
    made = {}
    start = 0
    for split, (each, targets) in found.items():
        rows = np.arange(start, start + len(each))
        made[split] = Split(paths.slice(start, len(each)), targets, images, rows)
        start += len(each)
    return SourceData(base.name, str(base), names, made, left_out=left_out, notes=tuple(notes))


def existing_folder(path: str, key: str) -> Path:
    """The absolute folder; where there is none, an error with the nearest name beside it."""
    base = Path(path).expanduser().absolute()
    if not base.is_dir():
        beside = [p.name for p in base.parent.iterdir()] if base.parent.is_dir() else []
        kind = "a file, not a folder" if base.is_file() else "not there"
        raise UserError(f"{key}={path}: {base} is {kind}.{did_you_mean(base.name, beside)}")
    return base


def _refuse_other_encodings(base: Path, paths: list[str]) -> None:
    """Refuse names that are not UTF-8, which no table of results could hold."""
    other = [path for path in paths if not path.isascii() and as_utf8(path) != path]
    if other:
        files = counted(len(other), "image has a name", "images have names")
        raise UserError(
            f"{base}: {files} (or a folder's) that is not UTF-8, such as {as_utf8(other[0])}. "
            f"Rename them: {shlex.join(['convmv', '-r', '-f', 'latin1', '-t', 'utf8', str(base)])} "
            "shows how, with --notest it does."
        )


def _classes(folder: Path) -> Classes:
    """The class folders; several whose names are forms of one word are one class."""
    found: Classes = {}
    for name in subfolders(folder):
        found.setdefault(canonical(name), []).append(name)
    return found


def _describe(base: Path, folders: Mapping[str, Path]) -> list[str]:
    """A note where folders have other names than the splits that they are read as."""
    other = [
        f"{folder.relative_to(base)} as {split}"
        for split, folder in folders.items()
        if folder != base and folder.name != split
    ]
    return [f"reads the folder {', '.join(other)}"] if other else []


def _no_classes(base: Path, top: Path) -> str:
    message = f"{top} has no class folders; expected {top}/CLASS/*.jpg and the like."
    if any(path for path in scan_images(base, top).images):
        message += " Where a table names the labels of these images, use data=manifest."
    return message


def _without_labels(split: str, folder: Path) -> str:
    """The note on a test folder without classes, as competitions publish it.

    Raises:
        UserError: the folder is empty, or of another split, which needs labels.
    """
    if not holds_images(folder):
        raise UserError(f"The split {folder} has no images. Add some, or remove the folder.")
    if split != "test":
        raise UserError(
            f"{folder} has images but no class folders, so {split} has no labels; expected "
            f"{folder}/CLASS/*.jpg and the like."
        )
    return (
        f"{folder} has no class folders: its images have no labels and are not used "
        f"(`{shlex.join(['sightline', 'predict', 'run=RUN', f'input={folder}'])}` predicts them)"
    )


def _scan(
    base: Path, folder: Path, names: tuple[str, ...], left_out: LeftOut
) -> tuple[list[str], np.ndarray]:
    """Paths and classes of all images in a split's folder; at least one of each of its classes.

    Args:
        names: of train's classes; a further split may lack some of them.
        left_out: gets the files that are not read.
    """
    present = _classes(folder)
    unknown = sorted(set(present) - set(names))
    if unknown:
        raise UserError(_unknown_class(folder / present[unknown[0]][0], unknown[0], names))
    left_out.extend(scan_beside(base, folder))
    paths: list[str] = []
    counts = []
    empty = []
    for name in names:
        folders = present.get(name, [])
        note_merged(name, folders, str(folder))
        scans = [scan_images(base, folder / each) for each in folders]
        for scan in scans:
            left_out.extend(scan.left_out)
        found = sorted(path for scan in scans for path in scan.images)
        if folders and not found:
            others = LeftOut()
            for scan in scans:
                others.extend(scan.left_out)
            empty.append(f"{folder / folders[0]}" + (f" ({others.describe()})" if others else ""))
        paths += found
        counts.append(len(found))
    if empty:
        raise UserError(
            f"No images that can be read in the class folder {', '.join(empty[:10])}. Add images "
            "(.jpg, .png, .webp, .tif, …) or remove the folder."
        )
    return paths, np.repeat(np.arange(len(names)), counts)


def _unknown_class(path: Path, name: str, names: tuple[str, ...]) -> str:
    message = (
        f"{path}: the class {name!r} is not in train, whose classes are: "
        f"{', '.join(names[:20])}.{did_you_mean(name, names)}"
    )
    if name.lower() in SPLIT_WORDS:
        message += " Where the splits are nested, give the folder that holds them as data.root."
    return message
