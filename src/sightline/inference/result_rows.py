"""From images to rows: read by workers, answered in batches, the bad ones with their error."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from torch import Tensor

from sightline.data.loading.transforms import ImageTransform
from sightline.inference.image_batches import image_batches
from sightline.inference.inputs import Inputs

NAMES = (pa.field("path", pa.string()), pa.field("id", pa.string()))
ERROR = pa.field("error", pa.string())


def schema_of(answers: pa.Schema) -> pa.Schema:
    """The columns of `rows_of`: path, id, the answers' own, and error."""
    return pa.schema([*NAMES, *answers, ERROR])


def rows_of(
    inputs: Inputs,
    transform: ImageTransform,
    answer: Callable[[Tensor], pa.RecordBatch],
    schema: pa.Schema,
    start: int,
    batch_size: int,
    num_workers: int | str,
) -> Iterator[pa.RecordBatch]:
    """A row for each image from `start` on, in order.

    Args:
        inputs: all images.
        transform: the model's.
        answer: from images (N, C, S, S) to N rows.
        schema: of those rows.
        start: how many images are done.
        batch_size: images at a time.
        num_workers: see `image_batches`.
    """
    for batch in image_batches(inputs.images, transform, start, batch_size, num_workers):
        if len(batch.errors) < batch.size:
            answered = answer(batch.images)
        else:
            answered = pa.RecordBatch.from_arrays(
                [pa.array([], f.type) for f in schema], schema=schema
            )
        names = [c.slice(batch.start, batch.size) for c in (inputs.paths, inputs.ids)]
        columns = _spread(answered, batch.errors, batch.size)
        yield pa.RecordBatch.from_arrays([*names, *columns], schema=schema_of(schema))


def _spread(answered: pa.RecordBatch, errors: dict[int, str], size: int) -> list[pa.Array]:
    """The answers' columns with nulls where there is an error, and the column of errors."""
    bad = np.zeros(size, dtype=bool)
    bad[list(errors)] = True
    indices = pa.array(np.cumsum(~bad) - 1, mask=bad)
    reasons = pa.array([errors.get(position) for position in range(size)], pa.string())
    return [*(column.take(indices) for column in answered.columns), reasons]
