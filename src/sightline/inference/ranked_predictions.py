"""The images to label next, as a table in their order, and as a contact sheet."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from torch import Tensor

from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.transforms import ImageTransform
from sightline.errors import UserError, counted
from sightline.inference.decisions import Decisions
from sightline.inference.features import feature_width
from sightline.inference.inputs import Inputs, read_inputs
from sightline.inference.model import LoadedModel
from sightline.inference.ranking import (
    OF_FEATURES,
    SCORES,
    Rank,
    by_probabilities,
    farthest_first,
    of_each_cluster,
)
from sightline.inference.result_rows import rows_of, schema_of
from sightline.inference.table_files import check_output, write_table
from sightline.io.atomic import atomic_path
from sightline.reports.parts import Gallery, Tile
from sightline.reports.thumbnails import draw_contact_sheet, thumbnail

log = logging.getLogger(__name__)

MOST_TILES = 500  # of a contact sheet
COLUMNS = 8
FEATURES = "features"


@dataclass(frozen=True)
class Choice:
    """Which images are to be labelled next.

    Attributes:
        rank: by what.
        budget: how many.
        labelled: images that are labelled, as `read_inputs` takes them; None: none are known.
    """

    rank: Rank
    budget: int
    labelled: str | None = None


class RankedTable:
    """What is computed of each image, and the choice among them.

    Args:
        choice: by what, and how many.
        model: whose predictions, and features, they are.
        inputs: the images.
        decisions: the columns of a prediction.

    Raises:
        UserError: there are fewer images than are to be chosen, or the model has no features.
    """

    def __init__(
        self, choice: Choice, model: LoadedModel, inputs: Inputs, decisions: Decisions
    ) -> None:
        rank, budget, labelled = choice.rank, choice.budget, choice.labelled
        if budget > len(inputs):
            raise UserError(
                f"budget={budget}: the input has {counted(len(inputs), 'image')}; give that many "
                "at most."
            )
        self.rank, self.budget = rank, budget
        self.model, self.inputs, self.decisions = model, inputs, decisions
        fields = list(decisions.schema)
        if rank in OF_FEATURES:
            fields.append(pa.field(FEATURES, pa.list_(pa.float32(), feature_width(model))))
        self.results = pa.schema(fields)
        self.labelled = None if labelled is None else read_inputs(labelled)

    def rows(self, start: int, num_workers: int | str) -> Iterator[pa.RecordBatch]:
        """The predictions from position `start` on, with features where they are ranked by."""
        return rows_of(
            self.inputs, ImageTransform(self.model.preprocess), self._compute, self.results, start,
            self.model.batch_size, num_workers,
        )  # fmt: skip

    def _compute(self, images: Tensor) -> pa.RecordBatch:
        model = self.model
        rows = self.decisions.rows_of_logits(model.logits(images))
        if self.rank not in OF_FEATURES:
            return rows
        features = model.features(images).numpy()
        column = pa.FixedSizeListArray.from_arrays(
            pa.array(features.reshape(-1)), features.shape[1]
        )
        return pa.RecordBatch.from_arrays([*rows.columns, column], schema=self.results)

    def write(self, output: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Write the chosen rows, the first to label first, and their contact sheet.

        Args:
            output: the table.
            schema: of the batches.
            batches: the rows of all images.
        """
        table = pa.Table.from_batches(batches, schema)
        usable = np.flatnonzero(table["error"].is_null().to_numpy())
        order, scores = self._order(table.take(pa.array(usable)))
        positions = usable[order]
        chosen = table.take(pa.array(positions)).drop_columns(
            ["error", *([FEATURES] if self.rank in OF_FEATURES else [])]
        )
        chosen = chosen.add_column(0, "rank", pa.array(np.arange(1, len(order) + 1)))
        chosen = chosen.add_column(1, "score", pa.array(scores))
        if len(order) < self.budget:
            found = counted(len(order), "image")
            log.warning("budget=%d: only %s can be used.", self.budget, found)
        sheet = self._sheet(positions, chosen)
        write_table(output, chosen.schema, chosen.combine_chunks().to_batches())
        with atomic_path(sheet_path(output)) as partial_file:
            partial_file.write_bytes(sheet)
        log.info("%s of %s chosen by rank=%s (score: %s); images: %s", f"{len(order):,}",
                 f"{len(table):,}", self.rank, SCORES[self.rank], sheet_path(output))  # fmt: skip

    def _order(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the table and scores, the first to label first."""
        if self.rank == "coreset":
            return farthest_first(_features(table[FEATURES]), self.budget, self._known())
        if self.rank == "diversity":
            return of_each_cluster(_features(table[FEATURES]), self.budget)
        names = self.model.label_mode.class_names
        probs = np.column_stack([table[f"prob_{name}"].to_numpy() for name in names])
        tuning = self.decisions.tuning
        thresholds = tuning.thresholds if tuning.rule == "tuned" else None
        return by_probabilities(self.rank, self.model.label_mode, probs, thresholds, self.budget)

    def _known(self) -> np.ndarray | None:
        """The features of the images that are labelled."""
        if self.labelled is None:
            return None
        schema = pa.schema([self.results.field(FEATURES)])
        rows = self.model.feature_rows(self.labelled, schema)
        table = pa.Table.from_batches(rows, schema_of(schema))
        return _features(table[FEATURES].combine_chunks().drop_null())

    def _sheet(self, positions: np.ndarray, chosen: pa.Table) -> bytes:
        """The first chosen images as one PNG."""
        rows = chosen.slice(0, MOST_TILES).to_pylist()
        tiles = list(map(self._tile, positions[:MOST_TILES].tolist(), rows))
        shown = f", the first {MOST_TILES:,}" if len(positions) > MOST_TILES else ""
        caption = f"{len(positions):,} of {len(self.inputs):,} images by {self.rank}{shown}"
        return draw_contact_sheet(Gallery("next", caption, tiles), "to label next", COLUMNS)

    def _tile(self, position: int, row: dict[str, object]) -> Tile:
        pred = row["pred"]
        decided = ", ".join(pred) or "no label" if isinstance(pred, list) else str(pred)
        name = Path(str(row["id"])).name
        lines = [
            str(row["id"]),
            f"{row['rank']}. {name}",
            f"pred: {decided}",
            f"score {row['score']:.4g}",
        ]
        reading = ImageTransform(self.model.preprocess).reading
        try:
            image = self.inputs.images.read(position, reading)
        except UnreadableImage as error:  # it has gone since
            return Tile(None, [*lines, str(error)], {})
        return Tile(thumbnail(image), lines, {})


def sheet_path(output: Path) -> Path:
    """The contact sheet of a table."""
    return output.with_suffix(".png")


def check_sheet(output: Path, overwrite: bool) -> None:
    """Check the path of the contact sheet before anything is computed.

    Raises:
        UserError: as `check_output`.
    """
    check_output(sheet_path(output), (".png",), overwrite)


def _features(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A column of lists of one length as an array (N, D)."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: np.ndarray = whole.flatten().to_numpy()
    return values.reshape(len(whole), -1)
