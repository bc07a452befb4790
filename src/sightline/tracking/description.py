"""A run in words: its name, its parameters, its note."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from sightline.config.schema import REPLICATES, Job, TrainConfig

# Config groups whose choice is itself what one compares by.
GROUPS = (
    "data", "label_mode", "model", "augment", "mix", "loss", "optimizer", "scheduler", "trainer",
)  # fmt: skip
MAX_VALUE = 200


def run_name(config: TrainConfig, job: Job) -> str:
    """A name whose telling part comes first: model, seed, then what else the group's name says."""
    if config.tracking.run_name:
        return config.tracking.run_name
    model, *rest = _name_parts(config, job)
    fold = [f"f{config.data_common.fold}"] if config.data_common.folds is not None else []
    return " ".join([model, f"s{config.seed}", *fold, *rest])[:MAX_VALUE]


def group_name(config: TrainConfig, job: Job) -> str:
    """The same name for all runs that differ in their seed and their fold alone."""
    return " ".join(_name_parts(config, job))[:MAX_VALUE]


def _name_parts(config: TrainConfig, job: Job) -> list[str]:
    """Model, what was overridden, data, label mode."""
    said = [_short_override(override) for override in job.overrides]
    parts = [_model(config, job), *filter(None, said), _data(config, job)]
    if job.choices["label_mode"] != "multiclass":
        parts.append(job.choices["label_mode"])
    return parts


def _data(config: TrainConfig, job: Job) -> str:
    """The data set's name, its table's or its folder's, else the choice of `data`."""
    for key in ("name", "path", "root"):
        value = config.data.get(key)
        if isinstance(value, str):
            return PurePath(value).name if key == "root" else PurePath(value).stem
    return job.choices["data"]


def _model(config: TrainConfig, job: Job) -> str:
    name = config.model.get("name") or job.choices["model"]
    return f"{name}*" if config.model.get("pretrained") else str(name)


def _short_override(override: str) -> str:
    """`optimizer.lr=0.1` as `lr=0.1`; nothing for what the name or the place says anyhow."""
    key, _, value = override.lstrip("+~").partition("=")
    said_anyhow = {"model", "model.name", "model.pretrained", "label_mode", "data", *REPLICATES}
    said_anyhow |= {
        f"data.{key}" for key in ("name", "path", "train", "val", "test", "class_names")
    }
    elsewhere = (
        "tracking.", "checkpoint.", "hydra.", "data.root", "hydra/", "evaluate_test", "plugins",
        "sweep.", "report",
    )  # fmt: skip
    if key in said_anyhow or key.startswith(elsewhere):
        return ""
    if re.fullmatch(r"-?\d*\.\d{6,}(e[+-]?\d+)?", value):
        value = f"{float(value):.6g}"  # as a search draws it
    return f"{key.rsplit('.', 1)[-1]}={value}"


def params(config: TrainConfig, job: Job) -> dict[str, Any]:
    """What a person compares by: each group's choice, and every value under a short dotted key."""
    values: dict[str, Any] = {name: job.choices[name] for name in GROUPS if name in job.choices}
    if "name" in config.model:
        values["model"] = config.model["name"]
    values["seed"] = config.seed
    values["group"] = group_name(config, job)
    values["monitor"] = config.monitor
    values["early_stopping.patience_epochs"] = config.early_stopping.patience_epochs
    values["ema.decay"] = config.ema.decay
    values |= dict(_flatten(config.tuning.model_dump(), "tuning."))
    for group in GROUPS:
        node = getattr(config, group)
        node = node if isinstance(node, dict) else node.model_dump()
        values |= dict(_flatten(node, f"{group}."))
    return {key: value for key, value in values.items() if value is not None}


def _flatten(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if key == "_target_" or value is None:
            continue
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            continue  # a list of components: in the config artifact, its choice is above
        else:
            yield f"{prefix}{key}", value


def note(facts: Mapping[str, str], results: Mapping[str, Mapping[str, str]]) -> str:
    """The run's summary in Markdown.

    Args:
        facts: what it is, line by line.
        results: metrics for each split, in words.
    """
    lines = [f"- **{name}**: {value}" for name, value in facts.items()]
    names = list(dict.fromkeys(name for metrics in results.values() for name in metrics))
    if names:
        lines += [
            "",
            f"| metric [95 % interval] | {' | '.join(results)} |",
            f"|---|{'---:|' * len(results)}",
        ]
        for name in names:
            cells = [metrics.get(name, "") for metrics in results.values()]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
