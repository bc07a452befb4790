"""The table of a model's features for images, and probes of these features."""

import logging
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich import box, get_console
from rich.table import Table

from sightline.data.labels.columns import LabelColumns, read_labels
from sightline.data.tables.files import LabelTable, TableOrigin, existing_file, read_table
from sightline.errors import UserError
from sightline.inference.device import choose_device
from sightline.inference.feature_probes import FOLDS, probe_rows
from sightline.inference.inputs import Inputs, read_inputs
from sightline.inference.load import load_checkpoint
from sightline.inference.model import LoadedModel
from sightline.inference.result_rows import schema_of
from sightline.inference.resumable_table import make_table
from sightline.inference.table_files import check_output
from sightline.inference.table_options import TableOptions
from sightline.io.console import log_to_console
from sightline.io.csv_files import to_csv
from sightline.io.digests import file_digest
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)


def write_features(options: TableOptions, label_column: str | None) -> None:
    """Write the features of each image, and how well probes of them do where labels are known.

    Args:
        options: model, input and output.
        label_column: the column of a table that names images; None to take labels from folders.

    Raises:
        UserError: the run, the input or the output cannot be used; no file is left behind.
    """
    output = Path(options.output)
    probes = output.with_name(f"{output.stem}.probes.csv")
    check_output(output, (".parquet",), options.overwrite)
    check_output(probes, (".csv",), options.overwrite)
    with log_to_console():
        checkpoint, _ = find_checkpoint_file(options.run, options.uri)
        model = load_checkpoint(checkpoint, options.plugins).with_batch_size(options.batch_size)
        inputs = read_inputs(
            options.input, options.root, options.image_column, options.image_suffix
        )
        targets = _targets(options.input, label_column, inputs, model)
        model.to(choose_device(options.device))
        schema = pa.schema([pa.field("features", pa.list_(pa.float32(), feature_width(model)))])
        made_of = {"model": file_digest(checkpoint), "input": inputs.fingerprint}
        make_table(
            options, schema_of(schema), made_of, len(inputs),
            lambda start: model.feature_rows(inputs, schema, start, options.num_workers),
        )  # fmt: skip
        if targets is not None:
            _probe(output, probes, inputs, targets)


def feature_width(model: LoadedModel) -> int:
    """The number of features, taken from an empty image."""
    spec = model.preprocess
    empty = torch.zeros(1, *spec.input, dtype=torch.uint8)
    return int(model.features(empty).shape[1])


def _targets(
    table_path: str, label_column: str | None, inputs: Inputs, model: LoadedModel
) -> np.ndarray | None:
    """Encoded targets of every image, from a column or from the folders; None without labels."""
    names = model.class_names
    if label_column is not None:
        file = existing_file(table_path, "input")
        table = read_table(file)
        origin = TableOrigin([str(file)], [len(table)])
        rows = LabelTable(table, origin, np.ones(len(table), bool), set())
        columns = LabelColumns(label_column, None, None, None)
        found, targets = read_labels(rows, columns, model.label_mode.multi_label, names)
        unknown = sorted(set(found) - set(names))
        if unknown:
            raise UserError(
                f"label_column={label_column}: {unknown[0]!r} is none of the model's "
                f"classes, which are {', '.join(names[:20])}."
            )
        order = np.array([names.index(name) for name in found])
        if targets.ndim == 1:
            return order[targets]
        ordered = np.zeros((len(targets), len(names)), targets.dtype)
        ordered[:, order] = targets
        return ordered
    if model.label_mode.multi_label:
        return None
    indices = []
    for path in inputs.ids.to_pylist():
        named = [part for part in PurePath(path).parts[:-1] if part in names]
        if not named:
            return None
        indices.append(names.index(named[-1]))
    return np.array(indices)


def _probe(output: Path, probes: Path, inputs: Inputs, targets: np.ndarray) -> None:
    """Fit and score the probes on the images that could be read."""
    column = pq.read_table(output, columns=["features"])["features"].combine_chunks()
    known = (targets.reshape(len(targets), -1) >= 0).all(axis=1)
    there = column.is_valid().to_numpy(zero_copy_only=False) & known
    values = column.filter(pa.array(there)).flatten().to_numpy()
    features, labels = values.reshape(int(there.sum()), -1), targets[there]
    first = [PurePath(path).parts[0] for path in inputs.ids.to_pylist()]
    in_train = np.array([part == "train" for part in first])[there]
    train = in_train if 0 < in_train.sum() < len(in_train) else None
    counts = np.unique(labels, return_counts=True)[1] if labels.ndim == 1 else [len(labels)]
    if len(labels) < 2 * FOLDS or (labels.ndim == 1 and (len(counts) < 2 or min(counts) < FOLDS)):
        log.warning("No probes: fewer than %d images of a class, or one class alone.", FOLDS)
        return
    rows = probe_rows(features, labels, train)
    table = Table(box=box.SIMPLE_HEAD)
    for title in rows[0]:
        table.add_column(title)
    for row in rows:
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values()))
    get_console().print(table)
    probes.write_text(to_csv(rows, decimals=None), encoding="utf-8")
    log.info("probes: %s", probes)
