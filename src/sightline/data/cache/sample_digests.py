"""Digests of samples, short ones that a run keeps: of a file's bytes, and of the model's pixels.

Two files that hold one image have the same pixels, if none of them was compressed with losses: a
PNG that was saved again, or the same image as BMP or in an array.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from sightline.data.cache.files import DecodedImages
from sightline.data.cache.pixel_digests import SIZE
from sightline.data.source_data import Split

CONTENT, PIXELS = "content_digest", "pixel_digest"  # columns of split/split.parquet
REMEMBERED = ("train", "val")  # the splits that a model is fitted and chosen on


def short(contents: np.ndarray) -> np.ndarray:
    """The first 8 bytes of content digests (N, 16), shape (N,), uint64; 0: could not be read."""
    return np.ascontiguousarray(contents[:, :SIZE]).view(np.uint64).reshape(-1)


def with_digests(
    table: pa.Table, splits: Mapping[str, Split], contents: Mapping[str, np.ndarray],
    decoded: Mapping[str, DecodedImages],
) -> pa.Table:  # fmt: skip
    """The table of `split_table` with the digests of the samples that a model is fitted on.

    Args:
        table: a row a sample, split after split.
        splits: in the table's order.
        contents: content digests of each split's images.
        decoded: decoded images of each split, as the model sees them in evaluation; splits whose
            images are not cached so have no digests of pixels.
    """
    columns: dict[str, list[pa.Array]] = {CONTENT: [], PIXELS: []}
    for name, split in splits.items():
        none = pa.nulls(len(split), pa.uint64())
        known = name in REMEMBERED
        columns[CONTENT].append(pa.array(short(contents[name][split.rows])) if known else none)
        seen = known and name in decoded
        columns[PIXELS].append(pa.array(decoded[name].digests[split.rows]) if seen else none)
    for column, parts in columns.items():
        table = table.append_column(column, pa.chunked_array(parts))
    return table
