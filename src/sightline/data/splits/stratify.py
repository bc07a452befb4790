"""Stratified partitions of samples: by class, by label, and with whole groups."""

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from sightline.errors import UserError


def stratified_holdout(
    targets: np.ndarray, fraction: float, seed: int, class_names: tuple[str, ...], what: str
) -> np.ndarray:
    """Shape (N,), whether each sample is held out, every class in proportion on both sides.

    Args:
        targets: shape (N,), class indices. A class of a single sample is not held out.
        fraction: share of the samples to hold out, in (0, 1); at least as many as classes are.
        seed: of the random choice.
        class_names: for messages.
        what: name of the split that is made, for messages.

    Raises:
        UserError: there are too few samples for every class to be on both sides.
    """
    counts = np.bincount(targets, minlength=len(class_names))
    several = np.flatnonzero(counts[targets] >= 2)
    classes = int((counts >= 2).sum())
    held_out = max(round(fraction * len(targets)), classes)
    if len(several) - held_out < classes or not classes:
        raise UserError(
            f"Too few images to split {what} off train stratified by class: {len(targets)} "
            f"images of {len(class_names)} classes. Add images, or give a {what} split."
        )
    _, members = train_test_split(
        several, test_size=held_out, random_state=seed, stratify=targets[several]
    )
    out = np.zeros(len(targets), bool)
    out[members] = True
    return out


def refuse_single(targets: np.ndarray, class_names: tuple[str, ...], what: str) -> None:
    """Refuse classes of fewer than two images, which cannot be on both sides of a split.

    Args:
        targets: shape (N,), class indices.
        class_names: of all classes.
        what: name of the split that is made, for the message.
    """
    counts = np.bincount(targets, minlength=len(class_names))
    few = [f"{class_names[i]} ({counts[i]})" for i in np.flatnonzero(counts < 2)]
    if few:
        raise UserError(
            f"Too few images to split {what} off train stratified by class: {len(targets)} "
            f"images of {len(class_names)} classes, fewer than 2 of: {', '.join(few[:10])}. Add "
            f"images, or give a {what} split."
        )


def refuse_rare(targets: np.ndarray, folds: int) -> None:
    """Refuse a class, of targets (N,), that cannot be in the val of each fold."""
    smallest = int(np.bincount(targets)[np.unique(targets)].min())
    if smallest < folds:
        raise UserError(
            f"data.folds={folds}: a class has only {smallest} images outside the test split; use "
            "fewer folds."
        )


def assign(
    targets: np.ndarray, shares: list[float], groups: np.ndarray | None, seed: int
) -> np.ndarray:
    """The part of each sample, of len(shares) parts in these proportions, labels alike in all.

    Args:
        targets: shape (N,), class indices; or (N, L) of 0, 1 and MISSING.
        shares: sum to 1.
        groups: shape (N,), or None; a group is in one part alone.
        seed: of every random choice.
    """
    rng = np.random.default_rng(seed)
    if groups is not None:
        return _assign_groups(targets, np.asarray(shares), groups, rng)
    if targets.ndim == 1:
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
