"""All that is fitted on val: calibration, thresholds, and the certainty of given answers."""

import logging
from dataclasses import replace

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.abstention import fit_abstention, out_of_reach
from sightline.metrics.crossfit import parts_of
from sightline.metrics.fitted_thresholds import GROUPED
from sightline.metrics.tuned_table import TunedTable
from sightline.metrics.tuning import Tuning, fit_tuning
from sightline.predictions import Predictions

log = logging.getLogger(__name__)


def fit_on_val(
    label_mode: LabelMode, val: Predictions, config: TuningConfig, shift: np.ndarray | None = None
) -> Tuning:
    """The tuning that the config requests; see `fit_tuning` for the arguments.

    What each part of val is judged by is fitted on the other parts throughout.
    """
    tuning = fit_tuning(label_mode, val, config, shift)
    parts = parts_of(val)
    by_part = tuple(
        _with_abstention(label_mode, val.select(np.flatnonzero(parts != k)), each, config)
        for k, each in enumerate(tuning.parts)
    )
    whole = _with_abstention(label_mode, val, replace(tuning, parts=by_part), config)
    remarks = _remarks(whole, val, config)
    for remark in remarks:
        log.warning("%s", remark)
    return replace(whole, remarks=(*whole.remarks, *remarks))


def _with_abstention(
    label_mode: LabelMode, table: Predictions, tuning: Tuning, config: TuningConfig
) -> Tuning:
    if config.risk is None:
        return tuning
    tuned = TunedTable(label_mode, table, tuning)
    right, known = label_mode.answers(tuned.decisions(tuning.rule), to_tensors(table)[1])
    found = fit_abstention(
        tuned.certainties, right.numpy(), known.numpy(), config.risk, config.guarantee
    )
    return replace(tuning, abstention=found)


def _remarks(tuning: Tuning, val: Predictions, config: TuningConfig) -> list[str]:
    if config.risk is None:
        return []
    if tuning.abstention is None:
        return [out_of_reach(config.risk, config.guarantee)]
    grouped = config.guarantee is not None and val.groups is not None
    return [GROUPED] if grouped and GROUPED not in tuning.remarks else []
