"""Hugging Face data sets, from the hub or from a local folder (the extra `huggingface`)."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.columns import LabelColumns
from sightline.data.reading.images import BytesImages
from sightline.data.source_data import SPLIT_WORDS, SourceData
from sightline.data.sources.hub_names import require_datasets
from sightline.data.sources.huggingface_stream import RowReader, stream_source
from sightline.data.tables.files import TableOrigin
from sightline.data.tables.source import Columns, to_source
from sightline.errors import UserError, did_you_mean, first_line
from sightline.io.hub_log import one_line_for_retries

SPLIT = "split"  # added column: train, val or test
KEY = "_sightline_key"  # added column: a row's name


def read_huggingface(
    multi_label: bool, name: str, config_name: str | None, revision: str | None,
    image_column: str, label_column: str | None, label_columns: list[str] | None,
    group_column: str | None, metadata_columns: list[str] | None, streaming: bool,
    train_samples: int | None, shuffle_buffer: int,
) -> SourceData:  # fmt: skip
    """One image a row.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        name: on the hub (`uoft-cs/cifar10`), or a local folder that `load_dataset` or
            `load_from_disk` reads.
        config_name: the configuration, where there are several.
        revision: a branch, tag or commit on the hub.
        image_column: the column of images.
        label_column: see `read_manifest`, also for the arguments that follow.
        label_columns: columns of 0 and 1.
        group_column: rows of a group stay in one split.
        metadata_columns: further columns, for slices.
        streaming: train is read in sequence, every epoch; val and test are read into memory.
        train_samples: streaming: number in an epoch; None: as the data set states.
        shuffle_buffer: streaming: samples that are shuffled among each other.
    """
    loaded = _load(datasets := _datasets(), name, config_name, revision, streaming)
    features = next(iter(loaded.values())).features
    _check_image_column(image_column, features, name)
    encoded = {
        split: dataset.cast_column(image_column, datasets.Image(decode=False))
        for split, dataset in loaded.items()
    }
    label = label_column or next((c for c in ("label", "labels") if c in features), None)
    names = _label_names(features, label)
    if streaming:
        rows = _row_reader(name, image_column, label, names, multi_label)
        return stream_source(encoded, name, rows, train_samples, shuffle_buffer)
    pool, origin = _pool(encoded, name)
    images = _images(pool.column(image_column), pool.column(KEY))
    return to_source(
        name.rstrip("/").rsplit("/", 1)[-1], name, pool.drop_columns([KEY]), images.names, images,
        image_column, Columns(SPLIT, group_column, metadata_columns),
        LabelColumns(label, None, label_columns, None), multi_label, origin, names,
    )  # fmt: skip


def _check_image_column(column: str, features: Any, name: str) -> None:
    if column not in features:
        raise UserError(
            f"data.image_column={column}: {name} has no such column."
            f"{did_you_mean(column, features)} Its columns: {', '.join(features)}."
        )


def _row_reader(
    name: str,
    image_column: str,
    label: str | None,
    names: tuple[str, ...] | None,
    multi_label: bool,
) -> RowReader:
    if label is None or names is None:
        raise UserError(
            f"data.streaming=true: {name} does not name the classes of its label column; use "
            "data.streaming=false."
        )
    return RowReader(image_column, label, names, multi_label)


def _datasets() -> Any:
    require_datasets()
    import datasets

    return datasets


def _pool(loaded: Any, name: str) -> tuple[pa.Table, TableOrigin]:
    """The rows of train, val and test, with the columns SPLIT and KEY (SPLIT/ROW) added."""
    tables, splits = [], []
    for split, dataset in loaded.items():
        word = SPLIT_WORDS.get(split.lower())
        if word is None:
            continue  # such as STL10's unlabeled
        table = dataset.with_format("arrow")[:]
        keys = pa.array([f"{split}/{row}" for row in range(len(table))], pa.string())
        table = table.append_column(SPLIT, pa.array([word] * len(table), pa.string()))
        tables.append(table.append_column(KEY, keys))
        splits.append(split)
    if not tables:
        raise UserError(f"data.name={name}: no split is called train; it has: {', '.join(loaded)}.")
    origin = TableOrigin([f"{name} ({split})" for split in splits], [len(t) for t in tables])
    return pa.concat_tables(tables), origin


def _images(column: pa.ChunkedArray, keys: pa.ChunkedArray) -> BytesImages:
    """The images, named by SPLIT/ROW and the name of the image's file where it has one."""
    paths = pc.struct_field(column, "path").to_pylist()
    names = [
        f"{key}/{Path(path).name}" if path else key
        for key, path in zip(keys.to_pylist(), paths, strict=True)
    ]
    content = pc.struct_field(column, "bytes")
    return BytesImages(content, pa.array(names), pa.array(paths, pa.string()))


def _load(
    datasets: Any, name: str, config_name: str | None, revision: str | None, streaming: bool
) -> Any:
    folder = Path(name).expanduser()
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            loaded = datasets.load_from_disk(str(folder))
            if streaming:
                raise UserError(f"data.streaming=true: {name} was saved whole; use false.")
        else:
            with one_line_for_retries():
                loaded = datasets.load_dataset(
                    name, config_name, revision=revision, streaming=streaming
                )
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"data.name={name} cannot be loaded: {type(error).__name__}: {first_line(error)}"
        ) from error
    return loaded if isinstance(loaded, dict) else {"train": loaded}


def _label_names(features: Any, column: str | None) -> tuple[str, ...] | None:
    feature = features.get(column)
    feature = getattr(feature, "feature", feature)  # of a list
    names = getattr(feature, "names", None)
    return tuple(names) if names else None
