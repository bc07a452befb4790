"""Predictions of a stranger's table, matched with the samples of the data that they are of."""

from dataclasses import dataclass

import numpy as np

from sightline.config.schema import TrainConfig
from sightline.data.cache.digests import contents_of_splits
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.source_data import SourceData, Split
from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable
from sightline.importing.joining import Joined, join
from sightline.importing.probabilities import probabilities
from sightline.importing.score_forms import NamedScores, Scores, UnnamedScores
from sightline.importing.settings import ImportSettings, Kind
from sightline.importing.targets import check_targets
from sightline.label_modes.base import LabelMode
from sightline.predictions import Predictions, with_columns


@dataclass(frozen=True)
class Imported:
    """Predictions and the data that they are of.

    Attributes:
        source: of the data.
        mode: of its labels.
        splits: of the data, all of them, with encoded targets.
        contents: content digests of each split's images, by the split's name.
        tables: the predictions of each split that was imported.
        joined: how rows and samples were matched.
        kind: of the table's numbers.
        form: of the table, in words.
        targets: what the table's targets were compared with, in words.
    """

    source: SourceData
    mode: LabelMode
    splits: dict[str, Split]
    contents: dict[str, np.ndarray]
    tables: dict[str, Predictions]
    joined: Joined
    kind: Kind
    form: str
    targets: str


def import_table(
    table: ForeignTable, scores: Scores, config: TrainConfig, settings: ImportSettings
) -> Imported:
    """Read the data, and match the table with it.

    Args:
        table: the stranger's.
        scores: of the table.
        config: the data and the kind of labels.
        settings: of the import.

    Raises:
        UserError: the data cannot be read, or the table is not of it.
    """
    source = read_source(config)
    if source.stream is not None:
        raise UserError(f"{source.name} is read in sequence: its samples cannot be joined by id.")
    mode, splits = apply_label_mode(config, source)
    lacking = [name for name in settings.splits if name not in splits]
    if lacking:
        raise UserError(f"split={lacking[0]}: {source.name} has {', '.join(splits)}.")
    contents = contents_of_splits(splits)
    probs, kind = probabilities(table, scores, settings.kind, mode)
    joined = join(table, splits, contents, settings.splits, settings.root)
    targets = "not compared"
    if settings.compare_targets and not _holds_names(table, scores):
        named = scores.names if isinstance(scores, UnnamedScores) else settings.classes
        targets = check_targets(table, _in_rows(splits, joined), mode, named)
    tables = {
        name: _predictions(splits[name], probs[rows], mode) for name, rows in joined.rows.items()
    }
    return Imported(source, mode, splits, contents, tables, joined, kind, scores.form, targets)


def _holds_names(table: ForeignTable, scores: Scores) -> bool:
    """Whether the column taken for targets holds the names of the scores, as in timm's form."""
    column = scores.names_column if isinstance(scores, NamedScores) else None
    return column is not None and column == table.target_column


def _in_rows(splits: dict[str, Split], joined: Joined) -> np.ndarray:
    """The data's targets in the order of the table's rows."""
    targets = np.concatenate([splits[name].targets for name in joined.rows])
    found = np.empty_like(targets)
    found[np.concatenate(list(joined.rows.values()))] = targets
    return found


def _predictions(split: Split, probs: np.ndarray, mode: LabelMode) -> Predictions:
    table = Predictions(
        np.array(split.ids.to_pylist(), dtype=str), np.ascontiguousarray(split.targets),
        probs.astype(np.float32), mode.class_names, mode.name,
    )  # fmt: skip
    return with_columns(table, split.metadata, split.groups)
