"""Parts of the config as conf/ has them."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from omegaconf import OmegaConf

from sightline.config.checks import check
from sightline.config.compose import compose_job, register_resolvers
from sightline.config.schema import DataConfig, TrainConfig
from sightline.config.tuning_schema import TuningConfig
from sightline.paths import conf_dir


def data_config(**changed: Any) -> DataConfig:
    """The common part of `data` as conf/ has it, with changes."""
    values = yaml.safe_load((conf_dir() / "data_common.yaml").read_text())
    return DataConfig.model_validate(_resolved({"model": {}, "data": values})["data"] | changed)


def tuning_config(**changed: Any) -> TuningConfig:
    """Thresholds by `aim: auto` and no calibration, with changes."""
    values = {
        "calibrate": False, "aim": "auto", "hold": None, "false_positive_cost": None,
        "false_negative_cost": None,
    }  # fmt: skip
    return TuningConfig.model_validate(values | changed)


@cache
def _defaults() -> dict[str, Any]:
    return compose_job([])[0].model_dump(by_alias=True)


def changed_config(*words: str) -> TrainConfig:
    """The default config with words as `GROUP=OPTION` and `GROUP.KEY=VALUE`, checked.

    It is composed once: Hydra takes a second each time.
    """
    values = dict(_defaults())
    for word in words:
        path, _, text = word.partition("=")
        group, _, key = path.partition(".")
        if key:
            values[group] = {**values[group], key: yaml.safe_load(text)}
        elif not isinstance(values[group], dict):
            values[group] = yaml.safe_load(text)
        else:
            values[group] = _option(group, text)
    return check(_resolved(values))


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    register_resolvers([])
    found: Any = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    return found


def _option(group: str, name: str) -> dict[str, Any]:
    """A file of a config group with those that its `defaults` name, as Hydra merges them."""
    own = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text())
    merged: dict[str, Any] = {}
    for each in own.pop("defaults", []):
        if each.startswith("/"):  # the common part, which holds no defaults
            common = each.removeprefix("/").partition("@")[0]
            merged |= yaml.safe_load((conf_dir() / f"{common}.yaml").read_text())
        elif each != "_self_":
            merged |= _option(group, each)
    return merged | own
