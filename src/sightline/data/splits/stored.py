"""Splits from a file: those of an earlier run, to which new images may have been added."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.source_data import SPLITS, Split
from sightline.data.splits.joined import join
from sightline.data.tables.files import existing_file, read_table
from sightline.errors import UserError, counted

log = logging.getLogger(__name__)


def stored_splits(splits: dict[str, Split], path: str) -> dict[str, Split]:
    """The splits that an earlier run's `split/split.parquet` (or a CSV of id, split) holds.

    Images that the file does not list are new: they join train, or the split of their group, so
    that val and test stay what they were. Of the data's own test split, which is never mixed with
    the others, none may be new.

    Raises:
        UserError: the file has no such columns, or lists a sample that the data does not have.
    """
    table = _read(path)
    # A test split of the data's own stays what it is; the others share one pool of samples.
    fixed = "test" in splits
    pool = join([split for name, split in splits.items() if name != "test" or not fixed])
    sources = {"train": pool, "val": pool, "test": splits.get("test", pool)}
    positions = {
        name: _positions(splits, split, name, split is pool, table, path)
        for name, split in sources.items()
    }
    if fixed and len(positions["test"]) < len(splits["test"]):
        new = len(splits["test"]) - len(positions["test"])
        raise UserError(
            f"data.split_file={path} does not list {new:,} of the data's test samples; its own "
            "test split is used as it is, so write the file anew from a run on it."
        )
    listed = np.zeros(len(pool), bool)
    for name, split in sources.items():
        if split is pool:
            listed[positions[name]] = True
    _add_new(pool, positions, np.flatnonzero(~listed), path, fixed)
    return {name: split.select(np.sort(positions[name])) for name, split in sources.items()}


def _read(path: str) -> pa.Table:
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
    ids = table["id"].cast(pa.string())
    twice = pc.filter(pc.value_counts(ids), pc.greater(pc.value_counts(ids).field("counts"), 1))
    if len(twice):
        raise UserError(
            f"data.split_file={path}, column 'id': {twice[0]['values'].as_py()!r} is there twice."
        )
    return table.set_column(table.column_names.index("id"), "id", ids)


def _positions(
    splits: dict[str, Split], split: Split, name: str, pooled: bool, table: pa.Table, path: str
) -> np.ndarray:
    """Positions in `split` of the samples that the file places in the split `name`."""
    wanted = table.filter(pc.equal(table["split"], name))["id"]
    found = pc.index_in(wanted, split.ids).to_numpy(zero_copy_only=False)
    unknown = np.flatnonzero(np.isnan(found.astype(np.float64)))
    if len(unknown):
        sample = wanted[int(unknown[0])].as_py()
        place = next((each for each in splits if sample in splits[each].ids.to_pylist()), None)
        raise UserError(
            f"data.split_file={path}: the {name} sample {sample!r} is not among the data's "
            f"{'train' if pooled else 'test'} samples"
            + (f": it is in {place} there." if place else ".")
        )
    positions: np.ndarray = found.astype(np.int64)
    return positions


def _add_new(
    pool: Split, positions: dict[str, np.ndarray], new: np.ndarray, path: str, fixed: bool
) -> None:
    """Add the positions of new samples to train, or to the split of their group."""
    if not len(new):
        return
    added = {"train": len(new), "val": 0, "test": 0}
    if pool.groups is not None:
        for name in ("val",) if fixed else ("val", "test"):
            theirs = new[np.isin(pool.groups[new], pool.groups[positions[name]])]
            positions[name] = np.concatenate([positions[name], theirs])
            new = np.setdiff1d(new, theirs)
            added[name] = len(theirs)
            added["train"] -= len(theirs)
    positions["train"] = np.concatenate([positions["train"], new])
    log.info(
        "split:   %s not in %s: %s to train%s",
        counted(sum(added.values()), "image is", "images are"), path, f"{added['train']:,}",
        "".join(f", {count:,} to {name}, by their groups"
                for name, count in added.items() if name != "train" and count),
    )  # fmt: skip
