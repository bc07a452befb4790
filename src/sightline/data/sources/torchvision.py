"""torchvision's classification data sets, by name, with their official splits."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from torchvision import datasets

from sightline.data.reading.images import FileImages
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.data.sources.torchvision_columns import open_images, read_targets
from sightline.data.sources.torchvision_names import check_data_set_name
from sightline.errors import UserError, first_line

# Names of the splits in torchvision, in the order in which they are tried.
NAMES = {"train": ("train", "trainval"), "val": ("val", "valid"), "test": ("test",)}


def read_torchvision(
    multi_label: bool,
    name: str,
    root: str,
    download: bool,
    official_splits: bool,
    min_per_class: int,
    class_names: list[str] | None,
    options: dict[str, Any],
) -> SourceData:
    """One of torchvision's data sets.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        name: the class in torchvision.datasets, such as CIFAR10.
        root: the folder of torchvision's data.
        download: download it where it is missing.
        official_splits: False: all that `options` load is split by data.split_seed.
        min_per_class: classes with fewer images are left out.
        class_names: in the order of the numbers; None: torchvision's own, else the numbers.
        options: further arguments of the class, such as {partition: 1}.

    Raises:
        UserError: there is no such data set, or its files are missing.
    """
    kind = _class_of(name)
    base = Path(root).expanduser().absolute()
    if download:
        base.mkdir(parents=True, exist_ok=True)
    given = _arguments(kind, name, base, download, options)
    loaded = _load_splits(kind, name, given, official_splits)
    stamp = _stamp(base, name)
    known_names = class_names or _class_names(next(iter(loaded.values())))
    splits = {}
    for split, dataset in loaded.items():
        targets = read_targets(dataset, multi_label)
        images = open_images(dataset, f"{stamp}/{split}")
        ids = pa.array([f"{split}/{i:07d}" for i in range(len(targets))], pa.string())
        if isinstance(images, FileImages):
            ids = images.paths
        splits[split] = Split(ids, targets, images, np.arange(len(targets)))
    width = max(_width(split.targets) for split in splits.values())
    names = tuple(known_names or [str(index) for index in range(width)])
    if len(names) < width:
        raise UserError(f"data.class_names: {len(names)} names for {width} classes of {name}.")
    if min_per_class > 1:
        names, splits = _frequent(names, splits, min_per_class)
    return SourceData(name, str(base), names, splits)


def _class_of(name: str) -> Any:
    check_data_set_name(name)
    if name.startswith("LSUN"):
        raise UserError(
            f"data.name={name}: torchvision keeps the names of its images in a pickle file in the "
            "working folder, which can run any code, and is not read. Export the images into a "
            "folder for each class, and use data=folder."
        )
    return getattr(datasets, name)


def _arguments(
    kind: Any, name: str, base: Path, download: bool, options: dict[str, Any]
) -> dict[str, Any]:
    """The class's arguments; `download` where it takes it."""
    given: dict[str, Any] = {"root": str(base), **options}
    if "download" in inspect.signature(kind).parameters or issubclass(kind, datasets.MNIST):
        given["download"] = download
    elif download:
        raise UserError(
            f"data.download=true: torchvision cannot download {name}; fetch it by hand."
        )
    return given


def _load_splits(kind: Any, name: str, given: dict[str, Any], official: bool) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters
    if not official:
        return {"train": _load(kind, name, given)}
    if "train" in parameters or issubclass(kind, datasets.MNIST):
        return {"train": _load(kind, name, given | {"train": True}),
                "test": _load(kind, name, given | {"train": False})}  # fmt: skip
    if "split" not in parameters:
        return {"train": _load(kind, name, given)}
    found = {}
    for split in SPLITS:
        for word in NAMES[split]:
            dataset = _load(kind, name, given | {"split": word}, missing_ok=True)
            if dataset is not None:
                found[split] = dataset
                break
    if "train" not in found:
        raise UserError(
            f"data.name={name} has no split called train or trainval; name one with "
            "data.official_splits=false and data.options={split: ...}."
        )
    return found


def _load(kind: Any, name: str, given: dict[str, Any], missing_ok: bool = False) -> Any:
    try:
        return kind(**given)
    except ValueError as error:
        if missing_ok and "Unknown value" in str(error):
            return None
        raise UserError(f"data.name={name}: {first_line(error)}") from error
    except (RuntimeError, OSError, TypeError, ImportError) as error:
        advice = "" if given.get("download") else " data.download=true fetches it, where it can be."
        raise UserError(
            f"data.name={name}: it cannot be loaded from {given['root']}: "
            f"{first_line(error)}{advice}"
        ) from error


def _class_names(dataset: Any) -> tuple[str, ...] | None:
    attributes = getattr(dataset, "attr_names", None)
    if attributes:
        return tuple(name for name in attributes if name)
    classes = getattr(dataset, "classes", None)
    if classes and all(isinstance(each, str) for each in classes):
        return tuple(classes)
    if classes:  # ImageNet's are synonyms
        return tuple(each[0] for each in classes)
    index = getattr(dataset, "class_to_idx", None)
    return tuple(sorted(index, key=index.get)) if index else None


def _stamp(base: Path, name: str) -> str:
    """Names, sizes and times of change of every file in the data set's folder."""
    facts = [
        f"{path}\0{path.stat().st_size}\0{path.stat().st_mtime_ns}"
        for path in sorted(base.rglob("*")) if path.is_file()
    ]  # fmt: skip
    return "\0".join([name, *facts])


def _width(targets: np.ndarray) -> int:
    return int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]


def _frequent(
    names: tuple[str, ...], splits: dict[str, Split], minimum: int
) -> tuple[tuple[str, ...], dict[str, Split]]:
    """Only classes with at least `minimum` images in train."""
    targets = splits["train"].targets
    if targets.ndim != 1:
        raise UserError("data.min_per_class: these images carry several labels each.")
    frequent = np.flatnonzero(np.bincount(targets, minlength=len(names)) >= minimum)
    if len(frequent) < 2:
        raise UserError(f"data.min_per_class={minimum}: only {len(frequent)} classes have as many.")
    new = np.full(len(names), -1)
    new[frequent] = np.arange(len(frequent))
    result = {}
    for split, samples in splits.items():
        chosen = samples.select(np.flatnonzero(new[samples.targets] >= 0))
        result[split] = replace(chosen, targets=new[chosen.targets])
    return tuple(names[index] for index in frequent), result
