"""Seeded splits: stratified in every label mode, groups in one split, optionally k folds.

The source's own splits are used as they are: its test split is never pooled or split again.
"""

import hashlib
import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.config.schema import DataConfig
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.data.splits.stratify import assign, stratified_holdout
from sightline.data.tables.files import existing_file, read_table
from sightline.errors import UserError

log = logging.getLogger(__name__)


def make_splits(source: SourceData, config: DataConfig) -> SourceData:
    """The same data with train, val and test, seeded by `config.split_seed` alone.

    Raises:
        UserError: too few images, or a stored split that does not fit the data.
    """
    splits = dict(source.splits)
    if source.stream is not None:
        if config.folds is not None or config.split_file is not None:
            raise UserError(
                f"{source.name} is read in sequence and cannot be split: leave out data.folds and "
                "data.split_file."
            )
        return source
    if config.split_file is not None:
        splits = _stored(splits, config.split_file)
    elif config.folds is not None:
        splits = _fold(splits, source.class_names, config)
    else:
        # Fractions are of what was there at first, whichever splits are made.
        total = len(splits["train"])
        for name in ("test", "val"):
            if name not in splits:
                share = config.fractions[name] * total / len(splits["train"])
                splits |= _hold_out(splits["train"], name, share, source.class_names, config)
    ordered = {name: splits[name] for name in SPLITS}
    if source.compose is not None:
        ordered = {name: source.compose(name, split) for name, split in ordered.items()}
    return replace(source, splits=ordered, compose=None)


def split_table(splits: dict[str, Split]) -> pa.Table:
    """One row a sample: id, split, and the group and metadata columns where there are any."""
    tables = []
    for name, split in splits.items():
        columns = {"id": split.ids, "split": pa.array([name] * len(split), pa.string())}
        if split.groups is not None:
            columns["group"] = pa.array(split.groups)
        table = pa.table(columns)
        if split.metadata is not None:
            for column in split.metadata.column_names:
                if column not in columns:
                    table = table.append_column(column, split.metadata[column])
        tables.append(table)
    return pa.concat_tables(tables)


def split_digest(splits: dict[str, Split]) -> str:
    """32 hexadecimal digits that name which sample is in which split."""
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        for sample in sorted(split.ids.to_pylist()):
            digest.update(f"{name}\0{sample}\0".encode())
    return digest.hexdigest()


def _stored(splits: dict[str, Split], path: str) -> dict[str, Split]:
    """The splits that an earlier run's `split/split.parquet` (or a CSV of id, split) holds."""
    table = read_table(existing_file(str(path), "data.split_file"))
    absent = {"id", "split"} - set(table.column_names)
    if absent:
        raise UserError(f"data.split_file={path}: the column {min(absent)!r} is missing.")
    names = set(pc.unique(table["split"]).to_pylist())
    if names != set(SPLITS):
        raise UserError(
            f"data.split_file={path}, column 'split': expected train, val and test, but got "
            f"{', '.join(sorted(map(str, names)))}."
        )
    given = {name: set(split.ids.to_pylist()) for name, split in splits.items()}
    # A test split of the data's own stays what it is; the others share one pool of samples.
    fixed = "test" in splits
    pool = join([split for name, split in splits.items() if name != "test" or not fixed])
    sources = {"train": pool, "val": pool, "test": splits.get("test", pool)}
    result = {}
    placed = 0
    for name, split in sources.items():
        wanted = table.filter(pc.equal(table["split"], name))["id"].cast(pa.string())
        positions = pc.index_in(wanted, split.ids).to_numpy(zero_copy_only=False)
        unknown = np.flatnonzero(np.isnan(positions.astype(np.float64)))
        if len(unknown):
            sample = wanted[int(unknown[0])].as_py()
            where = next((f"it is in {n} there" for n in given if sample in given[n]), "")
            raise UserError(
                f"data.split_file={path}: the {name} sample {sample!r} is not among the data's "
                f"{'test' if split is not pool else 'train'} samples{': ' * bool(where)}{where}."
            )
        result[name] = split.select(np.sort(positions.astype(np.int64)))
        placed += len(wanted)
    total = sum(len(ids) for ids in given.values())
    if placed != total:
        raise UserError(
            f"data.split_file={path} places {placed:,} samples, but the data has {total:,}."
        )
    return result


def _fold(
    splits: dict[str, Split], class_names: tuple[str, ...], config: DataConfig
) -> dict[str, Split]:
    """Val is one of k equal parts of what is not test."""
    assert config.folds is not None
    if not 0 <= config.fold < config.folds:
        raise UserError(f"data.fold={config.fold}: expected 0 to {config.folds - 1} (data.folds).")
    if "test" not in splits:
        splits |= _hold_out(splits["train"], "test", config.fractions["test"], class_names, config)
    pool = splits["train"]
    if "val" in splits:
        log.info("folds:   the data's own val is pooled with train")
        pool = join([splits["train"], splits["val"]])
    part = assign(pool.targets, [1 / config.folds] * config.folds, pool.groups, config.split_seed)
    val, train = np.flatnonzero(part == config.fold), np.flatnonzero(part != config.fold)
    return {"train": pool.select(train), "val": pool.select(val), "test": splits["test"]}


def join(splits: list[Split]) -> Split:
    """Several splits that share their images as one."""
    first = splits[0]
    if len(splits) == 1:
        return first
    if any(split.images is not first.images for split in splits):
        raise UserError(
            "These splits have images in different places and cannot be split again: leave out "
            "data.folds and data.split_file."
        )
    with_groups = all(split.groups is not None for split in splits)
    tables = [split.metadata for split in splits if split.metadata is not None]
    return Split(
        ids=pa.concat_arrays([split.ids for split in splits]),
        targets=np.concatenate([split.targets for split in splits]),
        images=first.images,
        rows=np.concatenate([split.rows for split in splits]),
        groups=np.concatenate([s.groups for s in splits if s.groups is not None])
        if with_groups
        else None,
        metadata=pa.concat_tables(tables) if len(tables) == len(splits) else None,
    )


def _hold_out(
    split: Split, name: str, fraction: float, class_names: tuple[str, ...], config: DataConfig
) -> dict[str, Split]:
    """Train without, and `name` with, a share of `split`, every class in proportion on both."""
    if split.targets.ndim == 1 and split.groups is None:
        kept, out = stratified_holdout(
            split.targets, min(fraction, 0.99), config.split_seed, class_names, name
        )
    else:
        part = assign(split.targets, [1 - fraction, fraction], split.groups, config.split_seed)
        kept, out = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
        if not len(kept) or not len(out):
            units = "images" if split.groups is None else "groups"
            raise UserError(
                f"Too few {units} to split {name} off train: {len(split)} images"
                + ("" if split.groups is None else f" in {len(np.unique(split.groups))} groups")
                + f". Add images, or give a {name} split."
            )
    return {"train": split.select(kept), name: split.select(out)}
