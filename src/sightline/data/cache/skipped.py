"""Samples that are skipped because their images cannot be read."""

import logging
from dataclasses import dataclass

import numpy as np

from sightline.config.schema import DataConfig
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.workers import Failure
from sightline.data.source_data import Split
from sightline.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SkippedSample:
    """A sample that is left out because its image cannot be read.

    Attributes:
        split: its split.
        id: its id.
        reason: why the image cannot be read.
    """

    split: str
    id: str
    reason: str


def skip_unreadable(
    splits: dict[str, Split], failures: dict[str, list[Failure]], config: DataConfig
) -> tuple[dict[str, Split], list[SkippedSample]]:
    """The splits without samples whose images cannot be read, and those samples.

    Args:
        splits: by name.
        failures: the unreadable images of each split's `images`, by the split's name.
        config: `on_error` and `max_skipped_fraction`.

    Raises:
        UnreadableImage: with `on_error=raise`, the first one that cannot be read.
        UserError: too many cannot be read.
    """
    good, skipped = {}, []
    for name, split in splits.items():
        reasons = dict(failures.get(name, []))
        bad = np.isin(split.rows, np.fromiter(reasons, np.int64, len(reasons)))
        for position in np.flatnonzero(bad):
            reason = reasons[int(split.rows[position])]
            skipped.append(SkippedSample(name, split.ids[int(position)].as_py(), reason))
        good[name] = split.select(np.flatnonzero(~bad)) if bad.any() else split
    if skipped:
        _check_skipped(splits, good, skipped, config)
    return good, skipped


def _check_skipped(
    splits: dict[str, Split],
    good: dict[str, Split],
    skipped: list[SkippedSample],
    config: DataConfig,
) -> None:
    if config.on_error == "raise":
        more = f" {len(skipped) - 1:,} more cannot be read either." if len(skipped) > 1 else ""
        raise UnreadableImage(
            f"{skipped[0].reason}{more} data.on_error=skip leaves such images out and lists them."
        )
    total = sum(len(split) for split in splits.values())
    share = len(skipped) / total
    if share > config.max_skipped_fraction:
        raise UserError(
            f"{len(skipped):,} of {total:,} images cannot be read, a share of {share:.3g}, over "
            f"data.max_skipped_fraction={config.max_skipped_fraction:g}. The first: "
            f"{skipped[0].reason}"
        )
    for name, split in good.items():
        if len(split) == 0:
            raise UserError(f"No image of the split {name} can be read: {skipped[0].reason}")
    log.warning("%d of %d images cannot be read and are left out: skipped.csv lists them.",
                len(skipped), total)  # fmt: skip
