"""Model soups: the mean of several runs' weights, of all or of those that make val better."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sightline.data.source_data import Split
from sightline.errors import UserError, did_you_mean
from sightline.evaluation.run_export import own_splits
from sightline.inference.device import choose_device
from sightline.inference.load import PREFIX, load_checkpoint, read_checkpoint
from sightline.inference.model import LoadedModel
from sightline.inference.split_probs import probs_on
from sightline.inference.table_files import check_output
from sightline.inference.views import unchanged
from sightline.io.atomic import atomic_path
from sightline.io.console import log_to_console
from sightline.metrics.monitor import direction_of
from sightline.metrics.values import compute_all_metrics
from sightline.models.weight_file import read_weight_file
from sightline.predictions import Predictions
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)
Weights = dict[str, Tensor]
# What runs have to have in common, in a checkpoint's identity.
SHARED = {
    "class_names": "classes", "label_mode": "label mode", "preprocess": "preprocessing",
    "data": "data",
}  # fmt: skip


@dataclass(frozen=True)
class ValJudge:
    """Measures weights on val.

    Attributes:
        model: that the weights are loaded into.
        val: the split, with encoded targets.
        metric: its name.
        plugins: packages with metrics of their own.
    """

    model: LoadedModel
    val: Split
    metric: str
    plugins: tuple[str, ...]

    def score(self, weights: Weights) -> float:
        """The metric's value.

        Raises:
            UserError: there is no such metric.
        """
        mode = self.model.label_mode
        own = {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
        self.model.classifier.load_state_dict(own)
        probs = probs_on(self.model, self.val, {"plain": unchanged}, "auto")["plain"]
        ids = self.val.ids.to_numpy(zero_copy_only=False).astype(str)
        table = Predictions(ids, self.val.targets, probs, mode.class_names, mode.name)
        metrics = compute_all_metrics(mode, table, self.plugins)
        if self.metric not in metrics:
            raise UserError(
                f"metric={self.metric}: label_mode={mode.name} has no such metric on val."
                f"{did_you_mean(self.metric, metrics)} It has: {', '.join(sorted(metrics))}."
            )
        return metrics[self.metric]

    def is_better(self, one: float, other: float) -> bool:
        """Whether one value is at least as good as another."""
        higher = direction_of(self.metric, self.plugins) == "max"
        return one >= other if higher else one <= other


def make_soup(
    runs: Sequence[str], uri: str | None, kind: str, metric: str | None, output: Path,
    overwrite: bool, device: str, plugins: tuple[str, ...],
) -> None:  # fmt: skip
    """Average runs, measure them and the soup on val, and write it as a checkpoint.

    Args:
        runs: two or more run ids, folders or checkpoint files.
        uri: of the tracking store; None for the default.
        kind: uniform or greedy.
        metric: of val; None for what the first run monitored.
        output: the file.
        overwrite: whether it may exist.
        device: auto, cpu, cuda or cuda:1.
        plugins: packages that may build the models.

    Raises:
        UserError: the runs do not fit together, or val is not there.
    """
    check_output(output, (".ckpt",), overwrite)
    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise UserError(f"runs={list(runs)}: expected two or more different runs.")
    with log_to_console():
        files = [find_checkpoint_file(run, uri)[0] for run in runs]
        for file in files[1:]:
            read_checkpoint(file)  # refuses what no training wrote
        model = load_checkpoint(files[0], plugins).to(choose_device(device))
        states = {
            run: read_weight_file(file) for run, file in zip(runs, files, strict=True)
        }  # fmt: skip
        check_alike(states)
        val = (own_splits(files[0], plugins) or {}).get("val")
        if val is None:
            raise UserError(f"runs: the val split of {runs[0]}, on which soups are tried, is gone.")
        first = states[runs[0]]["sightline"]
        wanted = metric or str(first["config"]["monitor"]).removeprefix("val/")
        judge = ValJudge(model, val, "log_loss" if wanted == "loss" else wanted, plugins)
        kept, weights = choose({run: state["state_dict"] for run, state in states.items()},
                               kind, judge)  # fmt: skip
        identity = {key: value for key, value in first.items() if key != "tuning"}
        soup = {"kind": kind, "runs": list(runs), "kept": kept}
        with atomic_path(output) as partial:
            torch.save({"state_dict": weights, "sightline": identity | {"soup": soup}}, partial)
        log.info("written: %s, of %d of %d runs", output, len(kept), len(runs))


def check_alike(states: Mapping[str, Any]) -> None:
    """Check that checkpoints are of one model, the same classes, images and data.

    Raises:
        UserError: names what differs, and in which runs.
    """
    first, *others = states
    for run in others:
        one, other = states[first]["sightline"], states[run]["sightline"]
        for key, words in SHARED.items():
            if one.get(key) != other.get(key):
                raise UserError(f"runs: the {words} of {first} and {run} differ: no soup of them.")
        shapes = [
            {key: value.shape for key, value in states[each]["state_dict"].items()}
            for each in (first, run)
        ]
        if shapes[0] != shapes[1]:
            raise UserError(f"runs: {first} and {run} are of different models: no soup of them.")


def choose(states: Mapping[str, Weights], kind: str, judge: ValJudge) -> tuple[list[str], Weights]:
    """The runs of a soup, and its weights; logs what each run and the soup reach on val.

    Args:
        states: the weights of each run.
        kind: uniform; or greedy, in the order of the runs' own values.
        judge: measures them.
    """
    scores = {run: judge.score(weights) for run, weights in states.items()}
    for run, score in scores.items():
        log.info("%-40s %s %.4f", run, judge.metric, score)
    higher = direction_of(judge.metric, judge.plugins) == "max"
    ranked = sorted(scores, key=scores.__getitem__, reverse=higher)
    if kind == "uniform":
        kept, soup = list(states), mean_of(list(states.values()))
        best = judge.score(soup)
    else:
        kept, soup, best = ranked[:1], states[ranked[0]], scores[ranked[0]]
        for run in ranked[1:]:
            tried = mean_of([states[each] for each in (*kept, run)])
            score = judge.score(tried)
            if judge.is_better(score, best):
                kept, soup, best = [*kept, run], tried, score
    log.info("%-40s %s %.4f", f"{kind} soup of {len(kept)}", judge.metric, best)
    return kept, soup


def mean_of(states: Sequence[Weights]) -> Weights:
    """The mean of each floating-point tensor, taken in double precision; others are the first's."""
    found = {}
    for key, value in states[0].items():
        if value.is_floating_point():
            stacked = torch.stack([state[key].double() for state in states])
            found[key] = stacked.mean(0).to(value.dtype)
        else:
            found[key] = value
    return found
