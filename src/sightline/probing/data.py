"""The data of a probe: splits with encoded targets, content digests, and facts for the models."""

import logging
from dataclasses import dataclass

import numpy as np

from sightline.config.schema import TrainConfig
from sightline.data.cache.digests import contents_of_splits
from sightline.data.checks import check_columns
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.pixels import choose_pixels
from sightline.data.reading.images import Images
from sightline.data.source_data import SourceData, Split
from sightline.data.statistics import describe_data, sample_images
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.fitted_tuning import check_val
from sightline.metrics.tuning import check_aim
from sightline.types import DatasetInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collection:
    """Those images of a collection that are in a split.

    Attributes:
        images: the collection.
        positions: of the images, ascending.
        contents: their content digests, shape (N, 16).
    """

    images: Images
    positions: np.ndarray
    contents: np.ndarray


@dataclass(frozen=True)
class ProbeData:
    """What all backbones are probed on.

    Attributes:
        source: of the data.
        mode: of its labels.
        splits: train, val and test, with encoded targets.
        contents: content digests of each split's images.
        info: facts for the models.
    """

    source: SourceData
    mode: LabelMode
    splits: dict[str, Split]
    contents: dict[str, np.ndarray]
    info: DatasetInfo

    def collections(self) -> dict[str, Collection]:
        """The images of each split, by its name; splits that share images share the object."""
        found: list[Collection] = []
        by_split: dict[str, Collection] = {}
        for name, split in self.splits.items():
            known = next((each for each in found if each.images is split.images), None)
            if known is None:
                sharing = [s.rows for s in self.splits.values() if s.images is split.images]
                positions = np.unique(np.concatenate(sharing))
                known = Collection(split.images, positions, self.contents[name][positions])
                found.append(known)
            by_split[name] = known
        return by_split


def read_data(config: TrainConfig) -> ProbeData:
    """Read the data of a config.

    Raises:
        UserError: it cannot be read, is read in sequence, or its labels are of another kind; or
            train has one class alone.
    """
    source = read_source(config)
    if source.stream is not None:
        raise UserError(f"{source.name} is read in sequence: its features cannot be kept by image.")
    mode, splits = apply_label_mode(config, source)
    check_aim(mode, config.tuning)
    check_val(mode, splits["val"].targets, splits["val"].metadata, config.tuning)
    contents = contents_of_splits(splits)
    for problem in check_columns(splits, contents, mode):
        log.warning("%s (`sightline doctor` shows more.)", problem.message)
    targets = splits["train"].targets
    if targets.ndim == 1 and len(np.unique(targets)) < 2:
        only = mode.class_names[int(targets[0])]
        raise UserError(f"All {len(targets):,} training images are of the class {only!r}.")
    source, pixels = choose_pixels(source, config.data_common)
    sample = sample_images(source, config.data_common, pixels)
    info = describe_data(source, sample, mode.class_names, config.data_common, pixels)
    return ProbeData(source, mode, splits, contents, info)
