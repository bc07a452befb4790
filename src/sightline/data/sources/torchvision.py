"""torchvision's classification data sets, by name, with their official splits."""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from torch import Tensor
from torchvision import datasets

from sightline.data.images import ArrayImages, FileImages, Images
from sightline.data.pictures import Picture, UnreadablePicture
from sightline.data.source import SPLITS, SourceData, Split
from sightline.errors import UserError, did_you_mean

# What data sets call their splits, in the order in which a name is looked for.
NAMES = {"train": ("train", "trainval"), "val": ("val", "valid"), "test": ("test",)}


@dataclass(frozen=True)
class DatasetImages(Images):
    """Pictures that a data set hands out one at a time."""

    dataset: Any
    stamp: str

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, index: int, min_side: int | None = None) -> Picture:
        """The data set's own picture."""
        try:
            picture: Image.Image = self.dataset[index][0]
            picture.load()
        except (OSError, SyntaxError, ValueError) as error:
            name = type(self.dataset).__name__
            raise UnreadablePicture(f"Cannot read picture {index} of {name}: {error}.") from error
        return picture

    def content(self, index: int) -> bytes:
        """The decoded pixels."""
        return np.asarray(self.read(index)).tobytes()

    def fingerprint(self) -> str | None:
        """Of the files that the data set lies in."""
        return self.stamp


def read_torchvision(
    several_labels: bool,
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
        several_labels: whether the label mode takes any number of labels a picture.
        name: the class in torchvision.datasets, such as CIFAR10.
        root: the folder that torchvision keeps it in.
        download: fetch it where it is not there.
        official_splits: False: all that `options` load is split by data.split_seed.
        min_per_class: classes with fewer pictures are left out.
        class_names: in the order of the numbers; None: torchvision's own, else the numbers.
        options: further arguments of the class, such as {partition: 1}.

    Raises:
        UserError: no such data set, or it is not there.
    """
    known = [key for key, value in vars(datasets).items() if inspect.isclass(value)]
    if name not in known:
        raise UserError(
            f"data.name={name}: torchvision has no such data set.{did_you_mean(name, known)}"
        )
    kind = getattr(datasets, name)
    base = Path(root).expanduser().absolute()
    if download:
        base.mkdir(parents=True, exist_ok=True)
    parameters = inspect.signature(kind).parameters
    given: dict[str, Any] = {"root": str(base), **options}
    if "download" in parameters or issubclass(kind, datasets.MNIST):
        given["download"] = download
    elif download:
        raise UserError(
            f"data.download=true: torchvision cannot download {name}; fetch it by hand."
        )
    loaded = _load_splits(kind, name, given, official_splits)
    stamp = _stamp(base, name)
    known_names = class_names or _class_names(next(iter(loaded.values())))
    splits = {}
    for split, dataset in loaded.items():
        targets = _targets(dataset, several_labels)
        images = _images(dataset, f"{stamp}/{split}")
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
        raise UserError(f"data.name={name}: {str(error).splitlines()[0]}") from error
    except (RuntimeError, OSError, TypeError, ImportError) as error:
        advice = "" if given.get("download") else " data.download=true fetches it, where it can be."
        raise UserError(
            f"data.name={name}: it cannot be loaded from {given['root']}: "
            f"{str(error).splitlines()[0]}{advice}"
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


def _targets(dataset: Any, several_labels: bool) -> np.ndarray:
    """Without reading pictures, where the data set keeps its targets beside them."""
    values: Any = None
    if several_labels and hasattr(dataset, "attr"):
        values = dataset.attr
    for key in ("targets", "labels", "_labels"):
        if values is None and _countable(getattr(dataset, key, None), len(dataset)):
            values = getattr(dataset, key)
    pairs = _pairs(dataset)
    if values is None and pairs is not None:
        values = [target for _, target in pairs]
    if values is None and isinstance(dataset, datasets.PCAM):
        values = _pcam_targets(dataset)
    if values is None:
        values = [dataset[index][1] for index in range(len(dataset))]
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim == 2:
        return array.astype(np.int8)
    return array.astype(np.int64)


def _pcam_targets(dataset: Any) -> np.ndarray:
    """Reading them one by one would open the file each time."""
    h5py = dataset.h5py
    file = dataset._FILES[dataset._split]["targets"][0]
    with h5py.File(dataset._base_folder / file) as stored:
        return np.asarray(stored["y"]).reshape(-1)


def _countable(values: Any, count: int) -> bool:
    return isinstance(values, (Sequence, np.ndarray, Tensor)) and len(values) == count


def _pairs(dataset: Any) -> list[tuple[str, int]] | None:
    for key in ("_samples", "samples", "imgs"):
        pairs = getattr(dataset, key, None)
        if isinstance(pairs, list) and len(pairs) == len(dataset) and isinstance(pairs[0], tuple):
            return pairs
    return None


def _images(dataset: Any, stamp: str) -> Images:
    """As files or arrays where the data set holds such, and they are the same pictures."""
    candidates: list[Images] = []
    pairs = _pairs(dataset)
    paths = [path for path, _ in pairs] if pairs is not None else None
    for key in ("_image_files", "_images", "data"):
        values = getattr(dataset, key, None)
        if paths is None and isinstance(values, list) and isinstance(values[0], (str, Path)):
            paths = values
    if isinstance(dataset, datasets.CelebA):
        folder = Path(dataset.root) / dataset.base_folder / "img_align_celeba"
        paths = [folder / name for name in dataset.filename]
    if paths is not None:
        root = Path(dataset.root)
        relative = [str(Path(path).relative_to(root)) for path in paths]
        candidates.append(FileImages(root, pa.array(relative, pa.string())))
    data = getattr(dataset, "data", None)
    if isinstance(data, (np.ndarray, Tensor)):
        array = np.asarray(data)
        if array.ndim == 4 and array.shape[1] == 3:
            array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
        candidates.append(ArrayImages(array))
    own = DatasetImages(dataset, hashlib.blake2b(stamp.encode(), digest_size=16).hexdigest())
    first = own.read(0)
    assert isinstance(first, Image.Image)
    for images in candidates:
        picture = images.read(0)
        if isinstance(picture, Image.Image) and picture.convert(first.mode) == first:
            return images
    return own


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
    """Only classes with at least `minimum` pictures in train."""
    targets = splits["train"].targets
    if targets.ndim != 1:
        raise UserError("data.min_per_class: these pictures carry several labels each.")
    kept = np.flatnonzero(np.bincount(targets, minlength=len(names)) >= minimum)
    if len(kept) < 2:
        raise UserError(f"data.min_per_class={minimum}: only {len(kept)} classes have as many.")
    new = np.full(len(names), -1)
    new[kept] = np.arange(len(kept))
    result = {}
    for split, samples in splits.items():
        chosen = samples.select(np.flatnonzero(new[samples.targets] >= 0))
        result[split] = replace(chosen, targets=new[chosen.targets])
    return tuple(names[index] for index in kept), result
