"""Splits, seeded or by hash: stratified in every label mode, groups in one split, or k folds.

The source's own splits are used as they are: its test split is never pooled or split again. Of
train a part can be drawn.
"""

import hashlib
import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa

from sightline.config.schema import DataConfig
from sightline.data.cache.digests import content_digests
from sightline.data.source_data import SPLITS, SourceData, Split
from sightline.data.splits.draw import draw_train
from sightline.data.splits.hashed import hashed_places, hold_out_by_hash
from sightline.data.splits.joined import join
from sightline.data.splits.presence import units_of, with_every_label
from sightline.data.splits.stored import stored_splits
from sightline.data.splits.stratify import assign, refuse_rare, refuse_single, stratified_holdout
from sightline.errors import UserError, counted

log = logging.getLogger(__name__)


def make_splits(source: SourceData, config: DataConfig) -> SourceData:
    """The same data with train, val and test, by `config.split_by` and `config.split_seed` alone.

    Of train what `config` draws of it, see `draw_train`.

    Raises:
        UserError: too few images, or a stored split that does not fit the data.
    """
    splits = dict(source.splits)
    if source.stream is not None:
        _refuse_of_stream(source.name, config)
        return source
    if config.split_file is not None:
        splits = stored_splits(splits, config.split_file)
    else:
        splits = _Splitter(source, config).split(splits)
    ordered = {name: splits[name] for name in SPLITS}
    if source.compose is not None:
        ordered = {name: source.compose(name, split) for name, split in ordered.items()}
    return draw_train(replace(source, splits=ordered, compose=None), config)


def _refuse_of_stream(name: str, config: DataConfig) -> None:
    """Refuse what needs to know all training samples.

    Raises:
        UserError: names the first such key.
    """
    for key in ("folds", "split_file", "train_fraction", "per_class"):
        if (value := getattr(config, key)) is not None:
            raise UserError(
                f"data.{key}={value}: {name} is read in sequence, and its training images are not "
                f"known before. It cannot be split or drawn from: leave out data.{key}."
            )


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


class _Splitter:
    """Makes the splits that a source does not bring: in a seeded draw, or by hash."""

    def __init__(self, source: SourceData, config: DataConfig) -> None:
        self.source = source
        self.config = config

    def split(self, splits: dict[str, Split]) -> dict[str, Split]:
        """Train, val and test; fractions are of what was there at first, whichever are made."""
        fractions, total, low = self.config.fractions, len(splits["train"]), 0.0
        wanted = [name for name in ("test", "val") if name not in splits]
        if self.config.folds is not None:
            wanted = [name for name in wanted if name == "test"]
        if wanted and splits["train"].targets.ndim == 1 and splits["train"].groups is None:
            refuse_single(splits["train"].targets, self.source.class_names, wanted[0])
        further = len(wanted) + (self.config.folds is not None)
        for name in wanted:
            further -= 1
            high = low + fractions[name]
            if self.config.split_by == "seed":
                share = fractions[name] * total / len(splits["train"])
                out = self._drawn(splits["train"], name, share, 1 + further)
            else:
                places = self._places(splits["train"], "")
                out = hold_out_by_hash(splits["train"], places, low, high, 1 + further)
            splits |= self._parted(splits["train"], name, out)
            low = high
        return splits if self.config.folds is None else self._fold(splits, self.config.folds)

    def _drawn(self, split: Split, name: str, fraction: float, keep: int) -> np.ndarray:
        """Shape (N,), the samples that a seeded draw holds out, every class in proportion."""
        seed = self.config.split_seed
        if split.targets.ndim == 1 and split.groups is None:
            out = stratified_holdout(
                split.targets, min(fraction, 0.99), seed, self.source.class_names, name
            )
        else:
            out = assign(split.targets, [1 - fraction, fraction], split.groups, seed) == 1
        units = units_of(split)
        chosen = np.zeros(len(units), bool)
        chosen[units.of_sample] = out
        priority = np.random.default_rng(seed).random(len(units))
        drawn: np.ndarray = with_every_label(units, chosen, keep, priority, swap=True)
        return drawn[units.of_sample]

    def _parted(self, split: Split, name: str, out: np.ndarray) -> dict[str, Split]:
        if out.all() or not out.any():
            groups = split.groups
            raise UserError(
                f"Too few {'images' if groups is None else 'groups'} to split {name} off train: "
                f"{counted(len(split), 'image')}"
                + ("" if groups is None else f" in {counted(len(np.unique(groups)), 'group')}")
                + f". Add images, or give a {name} split."
            )
        kept = split.select(np.flatnonzero(~out))
        return {"train": kept, name: split.select(np.flatnonzero(out))}

    def _fold(self, splits: dict[str, Split], folds: int) -> dict[str, Split]:
        """Val is one of k equal parts of what is not test."""
        fold, seed = self.config.fold, self.config.split_seed
        if not 0 <= fold < folds:
            raise UserError(f"data.fold={fold}: expected 0 to {folds - 1} (data.folds).")
        pool = splits["train"]
        if "val" in splits:
            log.info("folds:   the data's own val is pooled with train")
            pool = join([splits["train"], splits["val"]])
        if pool.targets.ndim == 1 and pool.groups is None:
            refuse_rare(pool.targets, folds)
        if self.config.split_by == "seed":
            part = assign(pool.targets, [1 / folds] * folds, pool.groups, seed)
        else:
            # Another hash than that of test, whose places are all above its share.
            places = self._places(pool, "fold")
            part = np.floor(places * folds).astype(np.int64)[units_of(pool).of_sample]
        return self._parted(pool, "val", part == fold) | {"test": splits["test"]}

    def _places(self, split: Split, purpose: str) -> np.ndarray:
        """The place of each unit by the hash of its group's name, or of its own id or content."""
        names = self.source.group_names
        if split.groups is not None:
            keys = [(names[code] if names else str(code)).encode() for code in split.groups]
        elif self.config.split_by == "content":
            keys = [row.tobytes() for row in content_digests(split.images)[split.rows]]
        else:
            keys = [str(name).encode() for name in split.ids.to_pylist()]
        return hashed_places(split, keys, f"{self.config.split_seed}{purpose}")
