"""Keys of `data` that have no effect on the source that was read, such as one with own splits."""

from collections.abc import Iterable
from dataclasses import dataclass

from sightline.config.effects import FILE, idle, is_set, keys_of, value_of
from sightline.config.schema import TrainConfig

DRAWN = ("data.split_seed", "data.split_by", "data.val_fraction", "data.test_fraction")


@dataclass(frozen=True)
class DataFacts:
    """What is known of a data source when it has been read.

    Attributes:
        own: the splits that it brings.
        streamed: whether its training samples are read in sequence.
        composed: whether its samples are composed of others after splitting.
        grouped: whether groups of its samples stay in one split.
    """

    own: frozenset[str]
    streamed: bool
    composed: bool
    grouped: bool = False


def check_data_effects(config: TrainConfig, overrides: Iterable[str], facts: DataFacts) -> None:
    """Refuse keys of `data` that were set and have no effect on the source that was read.

    Args:
        config: the whole config.
        overrides: of the command line, as Hydra has them.
        facts: of the source, before it is split.

    Raises:
        UserError: names the first such key, its value and the reason.
    """
    named = keys_of(overrides)
    reasons: dict[str, str] = {}
    if facts.streamed:
        reasons = dict.fromkeys(DRAWN, "the data is read in sequence, with splits of its own")
    elif {"val", "test"} <= facts.own and config.data["folds"] is None:
        reasons = dict.fromkeys(DRAWN, "the data has a val and a test split of its own")
    elif "val" in facts.own:
        reasons = {"data.val_fraction": "the data has a val split of its own"}
    if "test" in facts.own:
        reasons |= {"data.test_fraction": "the data has a test split of its own"}
    if facts.composed:
        reasons.pop("data.split_seed", None)
    else:
        reasons["data.canvases"] = "canvases are composed for label_mode=multilabel alone"
        if config.data["split_file"] is not None:
            reasons["data.split_seed"] = FILE
    if facts.grouped and config.data_common.split_by == "content":
        reasons.setdefault(
            "data.split_by",
            "groups are split by the hash of their names, which is data.split_by=hash",
        )
    for key, because in reasons.items():
        if is_set(key, named):
            raise idle(key, value_of(config, key), because)
