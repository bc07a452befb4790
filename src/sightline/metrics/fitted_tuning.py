"""All that is fitted on val: calibration, thresholds, abstention, sets and unknown images."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch

from sightline.config.tuning_schema import TuningConfig
from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.abstention import fit_abstention, out_of_reach
from sightline.metrics.conformal import CLASS, fit_sets, too_few, truths
from sightline.metrics.crossfit import parts_of
from sightline.metrics.fitted_thresholds import GROUPED
from sightline.metrics.ood_rule import check_ood, fit_ood
from sightline.metrics.tuned_table import TunedTable
from sightline.metrics.tuning import Tuning, fit_tuning
from sightline.predictions import Predictions

log = logging.getLogger(__name__)

OF_LABELS = (
    "tuning.guarantee of tuning.risk takes answers to be independent, but there are several answers"
    " an image: where their errors go together, the confidence is lower than it says."
)
GROUPED_SETS = (
    "tuning.coverage takes the samples of val to be exchangeable with new ones, but they are in "
    "groups: over new groups the coverage varies more than it says."
)


def fit_on_val(
    label_mode: LabelMode, val: Predictions, config: TuningConfig, shift: np.ndarray | None = None
) -> Tuning:
    """The tuning that the config requests; see `fit_tuning` for the arguments.

    What each part of val is judged by is fitted on the other parts throughout.
    """
    tuning = fit_tuning(label_mode, val, config, shift)
    parts = parts_of(val)
    by_part = tuple(
        _fitted(label_mode, val.select(np.flatnonzero(parts != k)), each, config)
        for k, each in enumerate(tuning.parts)
    )
    whole = _fitted(label_mode, val, replace(tuning, parts=by_part), config)
    remarks = _remarks(label_mode, whole, val, config)
    if config.ood is not None:
        rule, remark = fit_ood(val, config)
        whole = replace(whole, ood=rule)
        remarks += [remark] if remark else []
    for remark in remarks:
        log.warning("%s", remark)
    return replace(whole, remarks=(*whole.remarks, *remarks))


def check_val(
    label_mode: LabelMode, targets: np.ndarray, metadata: pa.Table | None, config: TuningConfig
) -> None:
    """Refuse sets, or a rule for unknown images, that val or the label mode does not allow.

    Args:
        label_mode: of the targets.
        targets: encoded, of val.
        metadata: its further columns, or None.
        config: of the tuning.

    Raises:
        UserError: names the column that is missing, or how many samples the coverage takes.
    """
    names = [] if metadata is None else metadata.column_names
    check_ood(len(targets), names, config)
    if config.coverage is None:
        return
    if label_mode.multi_label and config.sets in ("aps", "raps"):
        raise UserError(
            f"tuning.sets={config.sets}: with label_mode={label_mode.name} each label's set is of "
            "absent and present, by threshold; leave tuning.sets out."
        )
    column = None
    if config.sets_by not in (None, CLASS):
        if config.sets_by not in names:
            raise UserError(
                f"tuning.sets_by={config.sets_by}: expected class, or a column of the data."
                f"{did_you_mean(str(config.sets_by), names)} It has: {', '.join(names) or 'none'}."
            )
        assert metadata is not None
        column = np.array(metadata[config.sets_by].to_pylist(), dtype=str)
    problem = too_few(targets, config, label_mode.class_names, column)
    if problem is not None:
        raise UserError(f"{problem}: give val more samples, or ask for a lower coverage.")


def _fitted(
    label_mode: LabelMode, table: Predictions, tuning: Tuning, config: TuningConfig
) -> Tuning:
    """The tuning with abstention and sets fitted on the table."""
    tuned = TunedTable(label_mode, table, tuning)
    if config.coverage is not None:
        options = label_mode.options(torch.from_numpy(tuned.calibrated.probs)).numpy()
        column = table.metadata.get(config.sets_by or "")
        sets = fit_sets(options, truths(table.targets), config, column)
        tuning = replace(tuning, sets=sets)
    if config.risk is None:
        return tuning
    right, known = label_mode.answers(tuned.decisions(tuning.rule), to_tensors(table)[1])
    found = fit_abstention(
        tuned.certainties, right.numpy(), known.numpy(), config.risk, config.guarantee
    )
    return replace(tuning, abstention=found)


def _remarks(
    label_mode: LabelMode, tuning: Tuning, val: Predictions, config: TuningConfig
) -> list[str]:
    remarks = []
    if config.risk is not None and tuning.abstention is None:
        remarks.append(out_of_reach(config.risk, config.guarantee))
    elif config.risk is not None and config.guarantee is not None:
        remarks += [OF_LABELS] if label_mode.multi_label else []
        if val.groups is not None and GROUPED not in tuning.remarks:
            remarks.append(GROUPED)
    if config.coverage is not None:
        column = val.metadata.get(config.sets_by or "")
        problem = too_few(val.targets, config, val.class_names, column)
        if problem is not None:
            remarks.append(f"{problem}: sets of these hold everything.")
        if val.groups is not None:
            remarks.append(GROUPED_SETS)
    return remarks
