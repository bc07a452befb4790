"""Ensembles: mean and greedy selection against loops, and the run that is made."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.random_tables import make_mode, random_table
from support.runs import MODES, Trained
from torch import nn

from sightline.commands.ensemble import COMMAND, EnsembleOptions
from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.evaluation import ensemble as made
from sightline.evaluation.ensemble_members import Member, common_tables
from sightline.evaluation.greedy_members import Mean, greedy_weights
from sightline.evaluation.run_export import own_splits
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.inference.split_probs import probs_on
from sightline.inference.views import unchanged
from sightline.metrics.disagreement import mutual_information
from sightline.models.ensemble import Ensemble
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run
from sightline.types import PreprocessSpec


class Fixed(nn.Module):
    """Logits of its own, plus the mean of the image that it is given."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits + image.mean(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("how", ["probs", "logits"])
def test_the_module_gives_the_weighted_mean(name: str, how: str) -> None:
    mode = make_mode(name)
    drawn = 3 * torch.randn(3, 7, mode.num_outputs, generator=torch.Generator().manual_seed(0))
    spec = PreprocessSpec(8, 1, (0.5,), (0.5,))
    own = [PreprocessSpec(8, 1, (mean,), (std,)) for mean, std in ((0.5, 0.5), (0.1, 0.2), (0, 1))]
    weights = [0.5, 0.25, 0.25]
    network = Ensemble([Fixed(each) for each in drawn], weights, how, mode.exclusive, spec, own)
    image = torch.rand(7, 1, 8, 8)  # in [0, 1]
    seen = [(image - each.mean[0]) / each.std[0] for each in own]
    logits = [each + x.mean(dim=(1, 2, 3))[:, None] for each, x in zip(drawn, seen, strict=True)]
    found = mode.probs(network((image - 0.5) / 0.5))
    if how == "logits":
        expected = mode.probs(sum(w * x for w, x in zip(weights, logits, strict=True)))  # type: ignore[arg-type]
    else:
        expected = sum(w * mode.probs(x) for w, x in zip(weights, logits, strict=True))  # type: ignore[assignment]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    tables = [
        replace(random_table(mode, 7), probs=mode.probs(each).numpy()) for each in logits
    ]  # fmt: skip
    together = Mean(mode, how).of(tables, np.array(weights)).probs
    np.testing.assert_allclose(together, expected, atol=1e-6 if how == "probs" else 1e-4)


def test_greedy_selection_is_the_loop_by_hand() -> None:
    mode = make_mode("multiclass")
    target = random_table(mode, 80).targets
    tables = [replace(random_table(mode, 80, seed), targets=target) for seed in range(4)]

    def score(table: Predictions) -> float:
        own = table.probs[np.arange(80), target].astype(float)
        return float(np.log(own).mean())

    chosen: list[int] = []
    best, kept = -np.inf, chosen
    for _ in range(8):
        means = [np.mean([tables[i].probs for i in [*chosen, k]], axis=0) for k in range(4)]
        scores = [np.log(each[np.arange(80), target].astype(float)).mean() for each in means]
        chosen = [*chosen, int(np.argmax(scores))]
        if max(scores) > best:
            best, kept = max(scores), chosen
    weights = greedy_weights(tables, Mean(mode, "probs"), score, rounds=8)
    np.testing.assert_allclose(weights, np.bincount(kept, minlength=4) / len(kept))
    assert 0 in weights or len(set(kept)) == 4


@pytest.mark.parametrize("name", MODES)
def test_disagreement_is_the_information_of_a_loop(name: str) -> None:
    mode = make_mode(name)
    tables = [random_table(mode, 20, seed) for seed in range(3)]
    weights = np.array([0.5, 0.3, 0.2])
    found = mutual_information(mode, tables, weights)

    def entropy(probs: np.ndarray) -> float:
        if name != "multilabel":
            return float(-(probs * np.log(probs)).sum())
        return float(-(probs * np.log(probs) + (1 - probs) * np.log(1 - probs)).sum())

    for i in range(20):
        rows = [each.probs[i].astype(float) for each in tables]
        mean = sum(w * row for w, row in zip(weights, rows, strict=True))
        inside = sum(w * entropy(row) for w, row in zip(weights, rows, strict=True))
        assert found[i] == pytest.approx(entropy(np.asarray(mean)) - inside, abs=1e-6)
    assert mutual_information(mode, [tables[0]] * 3, weights) == pytest.approx(0, abs=1e-9)


def member(tmp_path: Path, key: str, table: Predictions, **changed: Any) -> Member:
    folder = tmp_path / key
    table.write(folder / "predictions" / "val.parquet")
    run = StoredRun(key, "", "1", None, key, "FINISHED", {}, {}, {}, f"file://{folder}")
    described: Any = SimpleNamespace(class_names=list(table.class_names))
    return Member(run, folder / "best.ckpt", changed.get("identity", described))


def test_tables_are_joined_by_their_ids(tmp_path: Path) -> None:
    mode = make_mode("multiclass")
    table = random_table(mode, 30)
    shuffled = table.select(np.random.default_rng(0).permutation(30))
    both = common_tables([member(tmp_path, "a", table), member(tmp_path, "b", shuffled)], "val")
    assert both is not None
    np.testing.assert_array_equal(both[1].probs, table.probs)
    others = replace(table, ids=np.array([f"x{i}" for i in range(30)]))
    assert (
        common_tables([member(tmp_path, "a", table), member(tmp_path, "c", others)], "val") is None
    )
    assert common_tables([member(tmp_path, "a", table)] * 2, "test") is None
    wrong = replace(table, targets=(table.targets + 1) % 5)
    with pytest.raises(UserError, match="samples of val have other targets in 'd'"):
        common_tables([member(tmp_path, "a", table), member(tmp_path, "d", wrong)], "val")


def test_an_ensemble_is_a_run_whose_model_gives_its_predictions(
    trained: Callable[[str], Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures_drawn_once: None,
) -> None:
    run = trained("multiclass")
    first = find_stored_run(str(run.folder), run.store)
    state = torch.load(run.checkpoint, weights_only=True)
    state["state_dict"] = {key: value * 1.3 for key, value in state["state_dict"].items()}
    other = tmp_path / "other" / "best.ckpt"
    other.parent.mkdir()
    torch.save(state, other)
    model = load_checkpoint(other)
    splits = own_splits(other, ())
    assert splits is not None
    for split in ("val", "test"):
        stored = Predictions.read(run.folder / "predictions" / f"{split}.parquet")
        probs = probs_on(model, splits[split], {"plain": unchanged}, 0)["plain"]
        ids = splits[split].ids.to_pylist()
        table = stored.select(np.array([stored.ids.tolist().index(each) for each in ids]))
        replace(table, probs=probs).write(other.parent / "predictions" / f"{split}.parquet")
    second = replace(
        first, run_id="b" * 32, folder=None, name="other", artifacts=f"file://{other.parent}"
    )
    members = [
        Member(one, path, read_checkpoint(path)["sightline"])
        for one, path in ((first, run.checkpoint), (second, other))
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(made, "find_members", lambda names, uri: members)
    now, job = compose_job(["tracking.offline=true", f"hydra.run.dir='{tmp_path}/made'"])
    settings = made.EnsembleSettings(("a", "b"), "uniform", "probs", None, ())
    made.make_ensemble(settings, None, now, job)

    folder = RunFolder(tmp_path / "made")
    assert folder.status == "FINISHED"
    ensemble = load_checkpoint(folder.best)
    found = Predictions.read(folder.path / "predictions" / "test.parquet")
    probs = probs_on(ensemble, splits["test"], {"plain": unchanged}, 0)["plain"]
    order = [found.ids.tolist().index(each) for each in splits["test"].ids.to_pylist()]
    np.testing.assert_allclose(found.probs[order], probs, atol=1e-5)
    assert (found.metadata["mutual_information"] > 0).any()
    results = folder.results()
    assert results is not None
    assert {"val", "test"} == set(results["metrics"])
    assert folder.state.params["model"] == "ensemble"
    assert "Members of the ensemble" in (folder.path / "report.html").read_text()
    with (folder.path / "report" / "members.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["weight"] for row in rows] == ["0.5", "0.5", ""]
    accuracy = (found.probs.argmax(axis=1) == found.targets).mean()
    assert float(rows[-1]["accuracy"]) == pytest.approx(accuracy, abs=1e-6)


def test_options_that_fit_no_ensemble_are_refused() -> None:
    options = EnsembleOptions(runs=("a", "b"))
    object.__setattr__(options, "_overrides", ("trainer.max_epochs=3",))
    with pytest.raises(UserError, match="Unknown option 'trainer"):
        COMMAND.run(options)
