"""Parts of the config as conf/ has them."""

from __future__ import annotations

from typing import Any

import yaml

from sightline.config.schema import DataConfig
from sightline.config.tuning_schema import TuningConfig
from sightline.paths import conf_dir


def data_config(**changed: Any) -> DataConfig:
    """The common part of `data` as conf/ has it, with changes."""
    values = yaml.safe_load((conf_dir() / "data_common.yaml").read_text())
    return DataConfig.model_validate(values | changed)


def tuning_config(**changed: Any) -> TuningConfig:
    """Thresholds by `aim: auto` and no calibration, with changes."""
    values = {
        "calibrate": False, "aim": "auto", "hold": None, "false_positive_cost": None,
        "false_negative_cost": None,
    }  # fmt: skip
    return TuningConfig.model_validate(values | changed)
