"""A table of results over many images: resumed after an interruption, written atomically."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sightline.errors import UserError
from sightline.inference.partial_table import PartialTable
from sightline.inference.table_files import write_table
from sightline.inference.table_options import TableOptions

log = logging.getLogger(__name__)


def make_table(
    options: TableOptions,
    schema: pa.Schema,
    made_of: dict[str, str],
    total: int,
    rows_from: Callable[[int], Iterable[pa.RecordBatch]],
    write: Callable[[Path, pa.Schema, Iterable[pa.RecordBatch]], None] = write_table,
    chosen: bool = False,
) -> None:
    """Write `total` rows to the output, resuming from OUTPUT.partial where it has the same inputs.

    Args:
        options: the output, and whether it may be overwritten.
        schema: of the rows, with a column `error`.
        made_of: inputs that the rows depend on, by name; a partial table of others is refused.
        total: number of rows.
        rows_from: gives the rows from a position on, in batches.
        write: writes all rows to the output.
        chosen: whether it writes some of them alone, without their errors, and tells of it.

    Raises:
        UserError: no image can be read, or the output cannot be written.
    """
    output = Path(options.output)
    if output.exists() and Path(options.input).exists() and output.samefile(options.input):
        raise UserError(f"output={output} is the input itself; give another name.")
    schema = schema.with_metadata(made_of)
    place = output.with_name(f"{output.name}.partial")
    with PartialTable(place, schema, options.overwrite) as partial:
        began, done = time.perf_counter(), partial.rows
        if done:
            log.info("resuming from %s: %s of %s rows are done.", place, f"{done:,}", f"{total:,}")
        try:
            for batch in _shown(rows_from(partial.rows), partial.rows, total):
                partial.append(batch)
        except KeyboardInterrupt:
            log.info("interrupted after %s of %s rows; repeat the command to resume.",
                     f"{partial.rows:,}", f"{total:,}")  # fmt: skip
            raise
        speed = (total - done) / max(time.perf_counter() - began, 1e-9)
        bad, first = _errors(partial.batches())
        if bad == total:
            partial.remove()
            raise UserError(f"None of the {total:,} images can be used. The first error: {first}")
        write(output, schema, partial.batches())
        partial.remove()
    if bad:
        log.warning("%s of %s images could not be used%s. The first error: %s", f"{bad:,}",
                    f"{total:,}", "" if chosen else ": see the column error", first)  # fmt: skip
    log.info("%s%s (%s images/s)", "" if chosen else f"{total:,} rows in ", output, f"{speed:,.0f}")


def _shown(batches: Iterable[pa.RecordBatch], done: int, total: int) -> Iterator[pa.RecordBatch]:
    """The batches, with a progress bar where standard error is a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    began, before = time.perf_counter(), done
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("images", total=total, completed=done, speed="")
        for batch in batches:
            yield batch
            done += batch.num_rows
            speed = (done - before) / (time.perf_counter() - began)
            bar.update(task, completed=done, speed=f"{speed:,.0f}/s")


def _errors(batches: Iterable[pa.RecordBatch]) -> tuple[int, str]:
    """The number of rows with an error, and the first error."""
    count, first = 0, ""
    for batch in batches:
        errors = batch.column("error").drop_null()
        first = first or (errors[0].as_py() if len(errors) else "")
        count += len(errors)
    return count, first
