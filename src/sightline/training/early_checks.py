"""Paths and names of a config that are looked up before PyTorch is imported, which takes seconds.

Whatever is refused here is refused by the part itself too; here the message comes at once.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from sightline.config.schema import TrainConfig
from sightline.config.timm_names import check_timm_name
from sightline.config.trainer_words import check_trainer_words
from sightline.config.validation import Node
from sightline.data.known_addresses import remember_addresses
from sightline.data.labels.columns import LabelColumns
from sightline.data.source_data import SPLITS
from sightline.data.sources.folder import existing_folder, read_folder
from sightline.data.sources.hub_names import check_hub_name
from sightline.data.sources.manifest import read_manifest
from sightline.data.sources.manifest_checks import check_columns_of
from sightline.data.sources.npz import read_npz
from sightline.data.sources.parquet import parquet_files, read_parquet
from sightline.data.sources.shards import check_shards, require_webdataset
from sightline.data.sources.torchvision_names import check_data_set_name
from sightline.data.tables.files import TableOrigin, existing_file, read_table
from sightline.data.tables.source import Columns
from sightline.errors import UserError, did_you_mean
from sightline.metrics.registry import registry_of
from sightline.models.weight_paths import existing_weights
from sightline.runs.known_names import check_run_name
from sightline.training.sharded_checks import check_sharded
from sightline.training.weights_of_run import names_run

# Modules that import torch, and are therefore named.
SOURCES = "sightline.data.sources"
MOST_BYTES = 32 * 2**20  # of a manifest that is read once more


def check_monitor(config: TrainConfig) -> None:
    """Refuse a monitor that is no metric of any label mode; plugins may bring others.

    Raises:
        UserError: with the nearest names.
    """
    metrics = registry_of(()).metrics
    known = ["val/loss", *(f"val/{each.name}" for each in metrics if each.role == "epoch")]
    if config.monitor not in known and not config.plugins:
        raise UserError(
            f"monitor={config.monitor}: no such metric is computed at a validation."
            f"{did_you_mean(config.monitor, known)}"
        )


def check_early(*configs: TrainConfig) -> None:
    """Refuse paths that are not there, and names that timm, torchvision or Lightning do not have.

    The addresses of their data are named by a command, and remembered.

    Raises:
        UserError: as the data source, or the model, would say it.
    """
    checked: list[tuple[Node, Node, Node]] = []
    for config in configs:
        check_monitor(config)
        check_sharded(config)
    for config in configs:  # of a sweep, whose jobs mostly share data and model
        if (config.data, config.model, config.trainer) not in checked:
            checked.append((config.data, config.model, config.trainer))
            _check(config)
            remember_addresses(config.data)


def _check(config: TrainConfig) -> None:
    sources: Mapping[str, Callable[[Node], object]] = {
        _path(read_folder): lambda node: existing_folder(str(node["root"]), "data.root"),
        _path(read_manifest): _check_manifest,
        _path(read_npz): lambda node: existing_file(str(node["path"]), "data.path"),
        _path(read_parquet): lambda node: parquet_files(node["path"], node["root"]),
        f"{SOURCES}.torchvision.read_torchvision": _check_torchvision,
        f"{SOURCES}.webdataset.read_webdataset": _check_shards,
        f"{SOURCES}.huggingface.read_huggingface": lambda node: check_hub_name(str(node["name"])),
    }
    check = sources.get(config.data["_target_"])
    if check is not None:
        check(config.data)
    if config.data_common.split_file is not None:
        existing_file(config.data_common.split_file, "data.split_file")
    check_trainer_words(config.trainer)
    _check_model(config.model, config)


def _check_torchvision(node: Node) -> None:
    check_data_set_name(str(node["name"]))
    if not node["download"]:
        existing_folder(str(node["root"]), "data.root")


def _check_shards(node: Node) -> None:
    require_webdataset()
    for split in SPLITS:
        check_shards(node[split], f"data.{split}")


def _path(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__name__}"


@contextmanager
def _notes_of_errors() -> Iterator[None]:
    """Log what is logged inside only where it ends in an error: the training logs it again."""
    logger = logging.getLogger("sightline")
    held = MemoryHandler(capacity=1000, flushLevel=logging.CRITICAL, flushOnClose=False)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(held)
    failed = True
    try:
        yield
        failed = False
    finally:
        logger.removeHandler(held)
        logger.propagate = propagates
        for record in held.buffer if failed else ():
            logger.handle(record)


def _check_manifest(node: Node) -> None:
    file = existing_file(str(node["path"]), "data.path")
    root = node.get("root")
    base = file.parent if root is None else existing_folder(str(root), "data.root")
    if file.stat().st_size > MOST_BYTES:
        return
    with _notes_of_errors():
        _check_columns(node, file, base)


def _check_columns(node: Node, file: Path, base: Path) -> None:
    table = read_table(file)
    columns = Columns(
        node.get("split_column"), node.get("group_column"), node.get("metadata_columns")
    )
    labels = LabelColumns(*(node.get(name) for name in (
        "label_column", "label_separator", "label_columns", "none_label")))  # fmt: skip
    check_columns_of(
        table, base, node.get("image_column"), str(node.get("image_suffix", "")), columns, labels,
        TableOrigin([str(file)], [table.num_rows]),
    )  # fmt: skip


def _check_model(node: Node, config: TrainConfig) -> None:
    """A name of timm's (plugins may register others), and a file of weights or a run."""
    if node["_target_"] == "sightline.models.backbone.timm_backbone" and not config.plugins:
        check_timm_name(str(node["name"]))
    weights = node.get("pretrained_path")
    if weights is None:
        return
    if not names_run(str(weights)):
        existing_weights(str(weights))
        return
    try:
        check_run_name(str(weights), config.tracking.uri)
    except UserError as error:
        raise UserError(f"model.pretrained_path={weights}: {error}") from error
