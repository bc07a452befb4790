"""Result rows: one for each image, with the columns of its result or an error."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from torch import Tensor

from sightline.data.reading.transforms import ImageTransform
from sightline.inference.image_batches import image_batches
from sightline.inference.inputs import Inputs

NAMES = (pa.field("path", pa.string()), pa.field("id", pa.string()))
ERROR = pa.field("error", pa.string())


def schema_of(results: pa.Schema) -> pa.Schema:
    """The columns of `rows_of`: path, id, those of the results, and error."""
    return pa.schema([*NAMES, *results, ERROR])


def rows_of(
    inputs: Inputs,
    transform: ImageTransform,
    compute: Callable[[Tensor], pa.RecordBatch],
    schema: pa.Schema,
    start: int,
    batch_size: int,
    num_workers: int | str,
) -> Iterator[pa.RecordBatch]:
    """A row for each image from `start` on, in order.

    Args:
        inputs: all images.
        transform: the model's.
        compute: from images (N, C, S, S), uint8, to N rows.
        schema: of those rows.
        start: position of the first image.
        batch_size: images in a batch.
        num_workers: see `image_batches`.
    """
    for batch in image_batches(inputs.images, transform, start, batch_size, num_workers):
        if len(batch.errors) < batch.size:
            results = compute(batch.images)
        else:
            results = pa.RecordBatch.from_arrays(
                [pa.array([], f.type) for f in schema], schema=schema
            )
        names = [c.slice(batch.start, batch.size) for c in (inputs.paths, inputs.ids)]
        columns = _spread(results, batch.errors, batch.size)
        yield pa.RecordBatch.from_arrays([*names, *columns], schema=schema_of(schema))


def _spread(results: pa.RecordBatch, errors: dict[int, str], size: int) -> list[pa.Array]:
    """The results' columns with null where there is an error, and the column of errors."""
    bad = np.zeros(size, dtype=bool)
    bad[list(errors)] = True
    indices = pa.array(np.cumsum(~bad) - 1, mask=bad)
    reasons = pa.array([errors.get(position) for position in range(size)], pa.string())
    return [*(column.take(indices) for column in results.columns), reasons]
