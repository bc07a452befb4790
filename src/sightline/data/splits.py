"""Seeded splits: stratified in every label mode, never tearing a group apart, k folds if asked.

What a source gives is kept: a test split is never pooled or drawn again.
"""

import hashlib
import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedKFold, train_test_split

from sightline.config import DataConfig
from sightline.data.source import SPLITS, SourceData, Split
from sightline.data.tables import existing_file, read_table
from sightline.errors import UserError

log = logging.getLogger(__name__)


def make_splits(source: SourceData, config: DataConfig) -> SourceData:
    """The same data with train, val and test, drawn by `config.split_seed` alone.

    Raises:
        UserError: too few pictures, or a stored split that does not fit the data.
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
    """Several splits that share their pictures as one."""
    first = splits[0]
    if len(splits) == 1:
        return first
    if any(split.images is not first.images for split in splits):
        raise UserError(
            "These splits lie in different places and cannot be drawn again: leave out "
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
            units = "pictures" if split.groups is None else "groups"
            raise UserError(
                f"Too few {units} to split {name} off train: {len(split)} pictures"
                + ("" if split.groups is None else f" in {len(np.unique(split.groups))} groups")
                + f". Add pictures, or give a {name} split."
            )
    return {"train": split.select(kept), name: split.select(out)}


def stratified_holdout(
    targets: np.ndarray, fraction: float, seed: int, class_names: tuple[str, ...], what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (kept, held out), both sorted, with every class in proportion on both sides.

    Args:
        targets: shape (N,), class indices.
        fraction: share of the samples to hold out, in (0, 1); at least one of each class is.
        seed: governs the draw.
        class_names: for messages.
        what: name of the split that is made, for messages.

    Raises:
        UserError: a class has too few samples to be on both sides.
    """
    counts = np.bincount(targets, minlength=len(class_names))
    held_out = max(round(fraction * len(targets)), len(class_names))
    few = [f"{class_names[i]} ({counts[i]})" for i in np.flatnonzero(counts < 2)]
    if few or len(targets) - held_out < len(class_names):
        raise UserError(
            f"Too few pictures to split {what} off train stratified by class: {len(targets)} "
            f"pictures of {len(class_names)} classes"
            + (f", fewer than 2 of: {', '.join(few[:10])}" if few else "")
            + f". Add pictures, or give a {what} split."
        )
    kept, out = train_test_split(
        np.arange(len(targets)), test_size=held_out, random_state=seed, stratify=targets
    )
    return np.sort(kept), np.sort(out)


def assign(
    targets: np.ndarray, shares: list[float], groups: np.ndarray | None, seed: int
) -> np.ndarray:
    """The part of each sample, of len(shares) parts in these proportions, labels alike in all.

    Args:
        targets: shape (N,), class indices; or (N, L) of 0, 1 and MISSING.
        shares: sum to 1.
        groups: shape (N,), or None; a group is in one part alone.
        seed: governs every draw.
    """
    rng = np.random.default_rng(seed)
    if groups is not None:
        return _assign_groups(targets, np.asarray(shares), groups, rng)
    if targets.ndim == 1:
        smallest = int(np.bincount(targets)[np.unique(targets)].min())
        if smallest < len(shares):
            raise UserError(
                f"data.folds={len(shares)}: a class has only {smallest} pictures outside the test "
                "split; use fewer folds."
            )
        part = np.empty(len(targets), dtype=np.int64)
        folds = StratifiedKFold(len(shares), shuffle=True, random_state=seed)
        for index, (_, members) in enumerate(folds.split(targets, targets)):
            part[members] = index
        return part
    return _assign_labels(targets == 1, np.asarray(shares), rng)


def _assign_labels(labels: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), a label at a time.

    The label with the fewest samples left is dealt out first, to each part what it still lacks of
    it; the paper deals sample by sample, which gives the same counts of that label.
    """
    part = np.full(len(labels), -1)
    left = labels.sum(axis=0)  # samples of each label that are not dealt out yet
    lacking = shares[:, None] * left  # (parts, L): samples of each label that a part still wants
    room = shares * len(labels)  # samples that a part still wants
    open_labels = set(range(labels.shape[1]))
    while open_labels:
        label = min(open_labels, key=lambda key: (left[key], key))
        open_labels.remove(label)
        members = rng.permutation(np.flatnonzero((part < 0) & labels[:, label]))
        left = left - labels[members].sum(axis=0)
        if len(members):
            _deal(members, lacking[:, label], part, rng)
            for index in range(len(shares)):
                mine = members[part[members] == index]
                lacking[index] -= labels[mine].sum(axis=0)
                room[index] -= len(mine)
    rest = rng.permutation(np.flatnonzero(part < 0))
    if len(rest):
        _deal(rest, room, part, rng)
    return part


def _deal(
    members: np.ndarray, desired: np.ndarray, part: np.ndarray, rng: np.random.Generator
) -> None:
    """Put the members into parts in proportion to what each lacks, by largest remainders."""
    wanted = np.maximum(desired, 0)
    wanted = wanted if wanted.sum() > 0 else np.ones_like(wanted)
    exact = wanted / wanted.sum() * len(members)
    counts = np.floor(exact).astype(int)
    remainders = exact - counts + rng.random(len(exact)) * 1e-9
    for index in np.argsort(-remainders)[: len(members) - counts.sum()]:
        counts[index] += 1
    part[members] = np.repeat(np.arange(len(counts)), counts)


def _assign_groups(
    targets: np.ndarray, shares: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Whole groups, the largest first, each to the part that then fits its desired counts best.

    The greedy step of scikit-learn's StratifiedGroupKFold, for any labels and shares.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    counts = _count_by_group(targets, codes)
    total = np.maximum(counts.sum(axis=0), 1)
    desired = shares[:, None] * total
    filled = np.zeros_like(desired)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    chosen = np.empty(len(counts), dtype=np.int64)
    for group in order:
        after = filled + counts[group]
        gain = ((after - desired) ** 2 - (filled - desired) ** 2) / (total * desired)
        chosen[group] = int(np.argmin(gain.sum(axis=1)))
        filled[chosen[group]] += counts[group]
    return chosen[codes]


def _count_by_group(targets: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Shape (G, C + 1): samples of each class (or label), and all samples, of each group."""
    count = int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=count)
    if targets.ndim == 1:
        classes = int(targets.max()) + 1
        cells = np.bincount(codes * classes + targets, minlength=count * classes)
        labels = cells.reshape(count, classes)
    else:
        labels = np.stack(
            [np.bincount(codes, weights=column == 1, minlength=count) for column in targets.T],
            axis=1,
        )
    return np.column_stack([labels, sizes]).astype(np.float64)
