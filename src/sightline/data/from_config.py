"""Data of a config: the source it names, its splits, and targets as the label mode encodes them."""

from collections.abc import Iterable
from dataclasses import replace

from sightline.config.components import build
from sightline.config.data_effects import DataFacts, check_data_effects
from sightline.config.schema import DataConfig, TrainConfig
from sightline.config.targets import locate
from sightline.config.validation import without
from sightline.data.source_data import SourceData, Split
from sightline.data.splits.make import make_splits
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode


def read_source(
    config: TrainConfig, overrides: Iterable[str] = (), given: object | None = None
) -> SourceData:
    """The data set of the config with the splits train, val and test, none of them empty.

    Args:
        config: the whole config.
        overrides: of the command line; one that has no effect on this data is refused.
        given: the data of data=given.

    Raises:
        UserError: see `read_given`, `check_data_effects` and `make_splits`.
    """
    source = read_given(config, given)
    own = frozenset(source.splits) - {"train"}
    facts = DataFacts(
        own, source.stream is not None, source.compose is not None,
        any(split.groups is not None for split in source.splits.values()),
    )  # fmt: skip
    check_data_effects(config, overrides, facts)
    return make_splits(source, config.data_common)


def read_given(config: TrainConfig, given: object | None = None) -> SourceData:
    """The data set of the config with the splits that it brings itself.

    Args:
        config: the whole config.
        given: the data of data=given.

    Raises:
        UserError: the source cannot be built, returns something else, has an empty split, or
            (with `on_error=raise`) names a file that does not exist.
    """
    label_mode = locate(config.label_mode, "label_mode", config.plugins)
    node = without(config.data, DataConfig)
    target = locate(node, "data", config.plugins)
    offered = {
        "label_mode": label_mode.name,
        "multi_label": label_mode.multi_label,
        "split_seed": config.data_common.split_seed,
        "given": given,
    }
    source = build(node, "data", config.plugins, offered=offered)
    if not isinstance(source, SourceData):
        raise UserError(
            f"data: {target.__name__} returned {type(source).__name__}, not SourceData."
        )
    for name, split in source.splits.items():
        if len(split) == 0:
            raise UserError(f"The split {name} of {source.name} ({source.location}) has no images.")
    if config.data_common.on_error == "raise":
        _check_files(source)
    return source


def _check_files(source: SourceData) -> None:
    for split in source.splits.values():
        missing = split.images.missing()
        if missing:
            more = f", nor have {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise UserError(
                f"{source.location}: the image {missing[0]} has no file{more}. "
                "data.on_error=skip leaves such images out and lists them."
            )


def apply_label_mode(config: TrainConfig, source: SourceData) -> tuple[LabelMode, dict[str, Split]]:
    """The label mode over the source's classes, and the splits with encoded targets.

    Raises:
        UserError: the targets are of another kind than the label mode expects.
    """
    label_mode = build(
        config.label_mode, "label_mode", config.plugins, {"class_names": source.class_names}
    )
    assert isinstance(label_mode, LabelMode)
    checked = source.splits["val" if source.stream else "train"]
    label_mode.check(checked.targets, f"{source.name} ({source.location})")
    splits = {
        name: replace(split, targets=label_mode.encode(split.targets))
        for name, split in source.splits.items()
    }
    return label_mode, splits
