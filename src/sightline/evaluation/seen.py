"""Evaluated images that the model was fitted or chosen on: those in its run's train or val."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from torch import Tensor

from sightline.config.schema import TrainConfig
from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.cache.sample_digests import CONTENT, PIXELS, REMEMBERED, short
from sightline.errors import UserError
from sightline.evaluation.samples import Samples, own_samples
from sightline.io.declared_size import read_parquet
from sightline.label_modes.base import LabelMode
from sightline.tracking.mlflow.stored_run import StoredRun

log = logging.getLogger(__name__)

SEEN_IN = "seen_in"  # column of the prediction table
MISSED = "which misses copies that were cropped, mirrored, resized or saved with losses"
UNSEEN = "_unseen"  # suffix of the results without images that were seen
Digests = dict[str, dict[str, np.ndarray]]  # by split and column; a column that is not known: empty


@dataclass(frozen=True)
class Seen:
    """Whether each evaluated image was in the run's train or val.

    Attributes:
        where: shape (N,), train, val or empty.
        compared: what was compared; empty where nothing could be.
        unchecked: what could not be checked, and why; empty where everything was.
    """

    where: np.ndarray
    compared: str
    unchecked: str

    @property
    def counts(self) -> dict[str, int]:
        """Images that were in train, and in val."""
        return {split: int((self.where == split).sum()) for split in REMEMBERED}

    @property
    def total(self) -> int:
        """Images that were in train or val."""
        return sum(self.counts.values())

    def describe(self) -> str:
        """One line for the terminal, the report and the run's tag."""
        parts = []
        if self.compared:
            inside = " and ".join(f"{n} in its {split}" for split, n in self.counts.items() if n)
            parts.append(
                f"{self.total} of {len(self.where)} images were seen in this run's training "
                f"({inside or 'none in its train or val'}), by {self.compared}, {MISSED}"
            )
        if self.unchecked:
            parts.append(f"not checked whether images were seen in training: {self.unchecked}")
        return "; ".join(parts)


class PixelRecorder:
    """A view of images that leaves them unchanged and keeps the digest of each one's pixels."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []

    def __call__(self, image: Tensor) -> Tensor:
        """The images (B, C, H, W), unchanged."""
        self._parts.append(pixel_digests(image.numpy()))
        return image

    @property
    def digests(self) -> np.ndarray:
        """Of all images so far, shape (N,), uint64."""
        return np.concatenate(self._parts)


def find_seen(
    run: StoredRun | None, config: TrainConfig, label_mode: LabelMode, samples: Samples,
    pixels: np.ndarray,
) -> Seen:  # fmt: skip
    """Find the images that were in the run's train or val, by file content and by pixels.

    Args:
        run: of the model; None where it is not known.
        config: of the training, whose data is read where an old run stored no digests.
        label_mode: of the model.
        samples: what is evaluated.
        pixels: digests of its pixels, shape (N,).
    """
    where = np.full(len(samples.split), "", dtype="<U5")
    try:
        known = stored_digests(run) or _digests_of_data(run, config, label_mode)
    except (UserError, OSError) as error:
        return Seen(where, "", str(error))
    given = {CONTENT: short(samples.contents[samples.split.rows]), PIXELS: pixels}
    for split in reversed(REMEMBERED):  # train counts where an image is in both
        for column, digests in known.get(split, {}).items():
            found = np.isin(given[column], digests) & (given[column] != 0)
            where[found] = split
    with_pixels = all(len(each[PIXELS]) for each in known.values())
    compared = "file content and pixels" if with_pixels else "file content alone"
    absent = [split for split in REMEMBERED if split not in known]
    unchecked = f"{', '.join(absent)} was read in sequence, and no digests are kept of a stream"
    return Seen(where, compared if known else "", unchecked if absent else "")


def stored_digests(run: StoredRun | None) -> Digests | None:
    """The digests that the run stored; None where it is of a version that stored none.

    Raises:
        UserError: the run is not known, or its table is gone.
    """
    if run is None:
        raise UserError("the model belongs to no run that is known")
    table = read_parquet(run.file("split/split.parquet"))
    if CONTENT not in table.column_names:
        return None
    found = {}
    for split in REMEMBERED:
        rows = table.filter(pc.equal(table["split"], split))
        if len(rows):
            found[split] = {name: rows[name].drop_null().to_numpy() for name in (CONTENT, PIXELS)}
    return found


def _digests_of_data(run: StoredRun | None, config: TrainConfig, label_mode: LabelMode) -> Digests:
    """The content digests of the run's own data, which must be what the run logged.

    Raises:
        UserError: it is gone or has changed.
    """
    assert run is not None
    found = {}
    for split in REMEMBERED:
        logged = run.params.get(f"data.digest.{split}", "")
        if "samples in" in logged:  # a stream's
            continue
        samples = own_samples(config, label_mode, split)
        if samples.digest != logged:
            raise UserError(
                f"this run stored no digests of its images, and its {split} data is not what it "
                "was then"
            )
        found[split] = {CONTENT: short(samples.contents), PIXELS: np.empty(0, np.uint64)}
    return found
