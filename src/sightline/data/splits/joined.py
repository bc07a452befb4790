"""Several splits of one data set as one pool of samples, to be split anew."""

import numpy as np
import pyarrow as pa

from sightline.data.source_data import Split
from sightline.errors import UserError


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
