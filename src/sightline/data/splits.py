"""Seeded, stratified splits."""

import numpy as np
from sklearn.model_selection import train_test_split

from sightline.errors import UserError


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
    if not 0 < fraction < 1:
        raise UserError(f"data.{what}_fraction={fraction}: expected a share between 0 and 1.")
    counts = np.bincount(targets, minlength=len(class_names))
    held_out = max(round(fraction * len(targets)), len(class_names))
    few = [f"{class_names[i]} ({counts[i]})" for i in np.flatnonzero(counts < 2)]
    if few or len(targets) - held_out < len(class_names):
        raise UserError(
            f"Too few pictures to split {what} off train stratified by class: {len(targets)} "
            f"pictures of {len(class_names)} classes"
            + (f", fewer than 2 of: {', '.join(few[:10])}" if few else "")
            + f". Add pictures, or give a {what} folder."
        )
    kept, out = train_test_split(
        np.arange(len(targets)), test_size=held_out, random_state=seed, stratify=targets
    )
    return np.sort(kept), np.sort(out)
