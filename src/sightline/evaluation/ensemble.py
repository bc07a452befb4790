"""Ensembles: the mean of several runs' predictions, as a run with a model of its own."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich import get_console

from sightline.config.checks import check
from sightline.config.schema import MODEL_COMMON, Job, TrainConfig
from sightline.config.validation import Node
from sightline.errors import UserError, did_you_mean
from sightline.evaluation.ensemble_members import Member, common_tables, find_members
from sightline.evaluation.ensemble_page import INFORMATION, MemberTables
from sightline.evaluation.ensemble_run import log_ensemble
from sightline.evaluation.greedy_members import Mean, greedy_weights
from sightline.inference.load import PREFIX, load_checkpoint
from sightline.io.console import log_to_console
from sightline.label_modes.base import LabelMode
from sightline.metrics.disagreement import mutual_information
from sightline.metrics.fitted_tuning import fit_on_val
from sightline.metrics.monitor import direction_of
from sightline.metrics.ood_rule import COLUMN
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_all_metrics
from sightline.models.ensemble import TARGET
from sightline.predictions import Predictions
from sightline.reports.formatted_metrics import format_metrics, metrics_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EnsembleSettings:
    """Settings of an ensemble.

    Attributes:
        runs: names of runs, or `group:NAME`.
        kind: uniform, or greedy on val.
        how: probs, the mean of probabilities; or logits.
        metric: of val, for greedy; None for what the first run monitored.
        plugins: packages that may build the models.
    """

    runs: tuple[str, ...]
    kind: str
    how: str
    metric: str | None
    plugins: tuple[str, ...]


def make_ensemble(settings: EnsembleSettings, uri: str | None, now: TrainConfig, job: Job) -> None:
    """Put runs together, and log the ensemble as a run.

    Args:
        settings: which runs, and how.
        uri: of the tracking store; None for the default.
        now: the config composed now, for its tracking.
        job: the folder of the new run, and the command.

    Raises:
        UserError: the runs do not fit together, or share no samples.
    """
    with log_to_console():
        members = find_members(settings.runs, uri)
        mode = load_checkpoint(members[0].checkpoint, settings.plugins).label_mode
        tables = {split: common_tables(members, split) for split in ("val", "test")}
        there = {split: each for split, each in tables.items() if each is not None}
        if not there:
            raise UserError(
                "runs: these runs have no evaluated samples in common, neither of val nor of test; "
                "their splits differ."
            )
        weights = _weights(settings, mode, members, there)
        kept = np.flatnonzero(weights)
        members, weights = [members[place] for place in kept], weights[kept]
        if len(kept) == 1:
            log.warning("greedy: no further run makes %s better on val.", members[0].run.name)
        mean = Mean(mode, settings.how)
        combined = {}
        own = {split: [every[place] for place in kept] for split, every in there.items()}
        for split, every in own.items():
            information = mutual_information(mode, every, weights)
            table = mean.of(every, weights)
            columns = {k: v for k, v in table.metadata.items() if k != COLUMN}  # of one member
            combined[split] = replace(table, metadata=columns | {INFORMATION: information})
        config = _config(members[0], now, settings.plugins)
        tuning = Tuning()
        if "val" in combined:
            tuning = fit_on_val(mode, combined["val"], check(config).tuning)
        else:
            log.warning("val: the runs' val splits differ: nothing is fitted on them.")
        node = _node(members, weights, settings.how, mode)
        checkpoint = _checkpoint(members, node, tuning, settings.plugins)
        frozen = check(config | {"model": node})
        shown = _shown(members, weights, own)
        found = log_ensemble(members, mode, combined, tuning, checkpoint, frozen, job, shown)
        get_console().print(metrics_table(format_metrics(found)))


def _shown(
    members: Sequence[Member], weights: np.ndarray, tables: Mapping[str, list[Predictions]]
) -> list[MemberTables]:
    """The members as the page shows them."""
    return [
        MemberTables(
            str(member.run.name), float(weight), {split: each[i] for split, each in tables.items()}
        )
        for i, (member, weight) in enumerate(zip(members, weights, strict=True))
    ]


def _checkpoint(
    members: Sequence[Member], node: Node, tuning: Tuning, plugins: tuple[str, ...]
) -> dict[str, Any]:
    """Weights and identity, as a training writes them."""
    state = {}
    for place, member in enumerate(members):
        model = load_checkpoint(member.checkpoint, plugins)
        for key, value in model.classifier.state_dict().items():
            state[f"{PREFIX}network.members.{place}.{key.removeprefix('network.')}"] = value
    first = members[0].identity
    identity = first.model_dump() | {
        "config": first.config | {"model": node}, "tuning": tuning.to_dict(),
    }  # fmt: skip
    return {"state_dict": state, "sightline": identity}


def _weights(
    settings: EnsembleSettings, mode: LabelMode, members: Sequence[Member],
    tables: Mapping[str, list[Predictions]],
) -> np.ndarray:  # fmt: skip
    """The weight of each member; logs what each reaches on val, and the ensemble."""
    uniform = np.full(len(members), 1 / len(members))
    val = tables.get("val")
    if val is None:
        if settings.kind == "greedy":
            raise UserError(
                "kind=greedy: the runs' val splits differ, so that none of them can choose; give "
                "kind=uniform."
            )
        return uniform
    monitored = str(members[0].identity.config["monitor"]).removeprefix("val/")
    metric = settings.metric or ("log_loss" if monitored == "loss" else monitored)
    known = compute_all_metrics(mode, val[0], settings.plugins)
    if metric not in known:
        raise UserError(
            f"metric={metric}: label_mode={mode.name} has no such metric on val."
            f"{did_you_mean(metric, known)} It has: {', '.join(sorted(known))}."
        )
    sign = 1 if direction_of(metric, settings.plugins) == "max" else -1

    def score(table: Predictions) -> float:
        return sign * compute_all_metrics(mode, table, settings.plugins)[metric]

    mean = Mean(mode, settings.how)
    weights = uniform if settings.kind == "uniform" else greedy_weights(val, mean, score)
    for member, table, weight in zip(members, val, weights, strict=True):
        value = sign * score(table)
        log.info("%-40s weight %.3f  val %s %.4f", member.run.name, weight, metric, value)
    value = sign * score(mean.of(val, weights))
    log.info("%-40s %12s val %s %.4f", f"{settings.kind} ensemble", "", metric, value)
    return weights


def _node(members: Sequence[Member], weights: np.ndarray, how: str, mode: LabelMode) -> Node:
    """The config's `model`, by which the ensemble is built again; members of no weight aside."""
    first = members[0].identity.config["model"]
    common = {key for each in MODEL_COMMON for key in each.model_fields}
    listed: list[dict[str, Any]] = [
        {"model": each.identity.config["model"], "preprocess": each.identity.preprocess,
         "weight": float(weight)}
        for each, weight in zip(members, weights, strict=True)
    ]  # fmt: skip
    shared = {key: value for key, value in first.items() if key in common}
    return shared | {
        "_target_": TARGET, "members": listed, "how": how, "exclusive": mode.exclusive,
    }  # fmt: skip


def _config(member: Member, now: TrainConfig, plugins: tuple[str, ...]) -> Node:
    return member.identity.config | {
        "plugins": list(plugins), "tracking": now.tracking.model_dump(by_alias=True),
    }  # fmt: skip
