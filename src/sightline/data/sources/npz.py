"""Arrays in an .npz file as MedMNIST publishes them: train_images, train_labels, val_..., test_...

Yang et al. 2023, https://medmnist.com: its sets cover all three label modes.
"""

import zipfile

import numpy as np

from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import SPLITS, SourceData, Split, take
from sightline.data.tables.files import existing_file
from sightline.errors import UserError
from sightline.io.declared_size import check_fits, zip_bytes
from sightline.types import MISSING


def read_npz(multi_label: bool, path: str, class_names: list[str] | None) -> SourceData:
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) of numbers, labels (N,), (N, 1) or (N, L).

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        path: the file.
        class_names: in the order of the numbers; None: the numbers themselves.
    """
    file = existing_file(path, "data.path")
    try:
        check_fits(file, zip_bytes(file))
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, MemoryError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{file} is not an .npz file of plain arrays: {error}") from error
    present = [name for name in SPLITS if f"{name}_images" in found]
    if "train" not in present:
        raise UserError(
            f"{file} has no array train_images; it has: {', '.join(sorted(found)) or 'nothing'}."
        )
    splits = {name: _split(file.name, name, found, multi_label) for name in present}
    width = _width(splits["train"].targets)
    names = class_names or [str(index) for index in range(width)]
    for name, split in splits.items():
        if split.targets.ndim == 1:
            wrong = np.flatnonzero(split.targets >= len(names))
            if len(wrong):
                raise UserError(
                    f"{file}, {name}_labels, row {wrong[0] + 1}: the class "
                    f"{split.targets[wrong[0]]} is not among the {len(names)} of train."
                )
        elif split.targets.shape[1] != len(names):
            raise UserError(
                f"{file}, {name}_labels: {split.targets.shape[1]} labels, but {len(names)} names."
            )
    return SourceData(file.stem, str(file), tuple(map(str, names)), splits)


def _width(targets: np.ndarray) -> int:
    return int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]


def _split(file: str, name: str, found: dict[str, np.ndarray], multi_label: bool) -> Split:
    images, labels = found[f"{name}_images"], found.get(f"{name}_labels")
    if labels is None:
        raise UserError(f"{file} has {name}_images but no {name}_labels.")
    if images.dtype.kind not in "iuf" or images.ndim not in (3, 4):
        raise UserError(
            f"{file}, {name}_images: expected numbers of shape (N, H, W), (N, H, W, C) or "
            f"(N, C, H, W), but got {images.dtype} of shape {images.shape}."
        )
    if len(images) != len(labels):
        raise UserError(f"{file}: {len(images)} {name}_images, but {len(labels)} {name}_labels.")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    labels = labels.astype(np.int64)
    if labels.ndim == 2 and labels.shape[1] == 1 and not multi_label:
        labels = labels[:, 0]
    wrong = np.argwhere((labels < MISSING) | (labels > 1) if labels.ndim == 2 else labels < 0)
    if len(wrong):
        value = labels[tuple(wrong[0])]
        raise UserError(
            f"{file}, {name}_labels, row {wrong[0][0] + 1}: {value} is not "
            f"{'0, 1 or -1' if labels.ndim == 2 else 'a class'}."
        )
    targets = labels.astype(np.int8) if labels.ndim == 2 else labels
    ids = [f"{name}/{index:06d}" for index in range(len(images))]
    return take(ids, targets, ArrayImages(images, f"{file}, {name}_images"))
