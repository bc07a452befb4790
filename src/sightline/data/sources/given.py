"""The data of `sightline.train(data=...)`: a SourceData, or data sets of torch, as objects."""

from collections.abc import Mapping, Sized
from typing import Any

import pyarrow as pa
from torch.utils.data import IterableDataset

from sightline.data.reading.item_images import ItemImages
from sightline.data.source_data import SPLITS, SourceData, Split, take
from sightline.data.sources.torchvision_columns import read_targets
from sightline.errors import UserError

EXPECTED = (
    "a sightline.SourceData, a data set of torch with a length whose items are (image, target), "
    "or a mapping of train, val and test to such data sets"
)


def given_source(multi_label: bool, given: object | None = None) -> SourceData:
    """The data that Python code gives.

    The classes of a data set are its attribute `classes`, else its numbers. Its images are read
    more than once: random transforms belong to `augment`, not to the data set.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        given: the object.

    Raises:
        UserError: none was given, or it is something else.
    """
    if given is None:
        raise UserError(
            "data=given: this data was given from Python as an object; give it again with "
            "sightline.train([...], data=DATA)."
        )
    if isinstance(given, SourceData):
        return given
    datasets = dict(given) if isinstance(given, Mapping) else {"train": given}
    for split, dataset in datasets.items():
        if split not in SPLITS or not _is_dataset(dataset):
            where = f"data[{split!r}]" if isinstance(given, Mapping) else "data"
            kind = type(dataset).__name__
            raise UserError(f"{where} is a {kind}; expected {EXPECTED}.")
    if "train" not in datasets:
        raise UserError(f"data has no split train; expected {EXPECTED}.")
    splits = {name: _split(name, dataset, multi_label) for name, dataset in datasets.items()}
    numbers = [each.targets for each in splits.values() if len(each)]
    width = max((t.shape[1] if t.ndim == 2 else int(t.max()) + 1 for t in numbers), default=0)
    names = tuple(map(str, _classes(datasets["train"]) or range(width)))
    if len(names) < width:
        raise UserError(f"data: {len(names)} names in `classes`, and targets of {width} classes.")
    return SourceData(type(datasets["train"]).__name__, "given from Python", names, splits)


def _is_dataset(value: object) -> bool:
    indexed = hasattr(value, "__getitem__") and isinstance(value, Sized)
    return indexed and not isinstance(value, (str, bytes, Mapping, IterableDataset))


def _split(name: str, dataset: Any, multi_label: bool) -> Split:
    kind = type(dataset).__name__
    if len(dataset):
        first = dataset[0]
        if not isinstance(first, (tuple, list)) or len(first) != 2:
            raise UserError(
                f"data: an item of {kind} is a {type(first).__name__}; expected (image, target)."
            )
    ids = pa.array([f"{name}/{index:07d}" for index in range(len(dataset))], pa.string())
    return take(ids, read_targets(dataset, multi_label), ItemImages(dataset))


def _classes(dataset: Any) -> list[str] | None:
    """The names of the classes, of a part of a data set too (torch's Subset)."""
    while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    classes = getattr(dataset, "classes", None)
    return list(classes) if isinstance(classes, (list, tuple)) else None
