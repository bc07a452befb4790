"""The rule for unknown images: its share of false alarms, its words, and what travels with it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from support.configs import changed_config, tuning_config
from support.random_tables import make_mode, random_table

from sightline.errors import UserError
from sightline.inference.decisions import Decisions
from sightline.inference.formats.base import facts_of
from sightline.inference.model import LoadedModel
from sightline.metrics.abstention import Abstention
from sightline.metrics.fitted_tuning import check_val, fit_on_val
from sightline.metrics.ood_rule import COLUMN, OodRule, fit_ood
from sightline.metrics.tuning import Tuning
from sightline.training.outputs import table_of
from sightline.types import PreprocessSpec

MODES = ["binary", "multiclass", "multilabel"]
LOGITS = {"msp": -0.6, "max_logit": -0.2, "energy": -1.2}


def test_new_images_are_taken_for_unknown_as_seldom_as_it_says() -> None:
    """The true share over the threshold is known: scores are uniform; Beta law over draws."""
    mode, n, share, draws = make_mode("multiclass"), 99, 0.1, 400
    table, rng, found = random_table(mode, n), np.random.default_rng(0), []
    for _ in range(draws):
        scored = replace(table, metadata={COLUMN: rng.random(n)})
        rule, remark = fit_ood(scored, tuning_config(ood="energy", ood_false_alarms=share))
        assert rule is not None
        assert remark is None
        found.append(1 - rule.threshold)
    spread = np.sqrt(share * (1 - share) / (n + 2) / draws)
    assert np.mean(found) == pytest.approx(share, abs=4 * spread)  # Beta(10, 90)


@pytest.mark.parametrize("mode_name", MODES)
@pytest.mark.parametrize("score", LOGITS)
def test_predictions_have_the_score_and_abstain_by_it(mode_name: str, score: str) -> None:
    mode = make_mode(mode_name)
    logits = torch.randn(60, mode.num_outputs, generator=torch.Generator().manual_seed(0))
    ids = pa.array([str(i) for i in range(60)])
    target = torch.zeros((60, 3) if mode.multi_label else 60, dtype=torch.int64)
    val = table_of(mode, ids, torch.arange(60), target, logits, score)
    tuning = fit_on_val(mode, val, tuning_config(aim=None, ood=score, ood_false_alarms=0.2))
    assert tuning.ood is not None
    assert Tuning.from_dict(json.loads(json.dumps(tuning.to_dict()))) == tuning
    rows = Decisions(mode, tuning).rows_of_logits(logits).to_pylist()
    scores = np.array([row["ood_score"] for row in rows])
    np.testing.assert_allclose(scores, val.metadata[COLUMN])
    flagged = scores > tuning.ood.threshold
    assert 0 < flagged.mean() <= 0.2
    withheld = [row["abstain"] for row in rows]
    everything = list(mode.class_names) if mode.multi_label else True
    nothing = [] if mode.multi_label else False
    assert withheld == [everything if each else nothing for each in flagged]

    uncertain = replace(tuning, abstention=Abstention(0.75, 0.1))
    alone = replace(uncertain, ood=None)
    both = Decisions(mode, uncertain).rows_of_logits(logits).to_pylist()
    by_risk = Decisions(mode, alone).rows_of_logits(logits).to_pylist()
    assert "ood_score" not in by_risk[0]
    for place, row in enumerate(both):
        assert row["abstain"] == (everything if flagged[place] else by_risk[place]["abstain"])


@pytest.mark.parametrize("mode_name", MODES)
def test_an_exported_file_says_how_it_is_computed(mode_name: str) -> None:
    mode = make_mode(mode_name)
    spec = PreprocessSpec(2, 3, (0.5,) * 3, (0.5,) * 3)
    for score in LOGITS:
        rule = OodRule(score, -0.5, 0.05)
        model = LoadedModel(torch.nn.Identity(), mode, spec, Tuning(ood=rule))  # type: ignore[arg-type]
        facts = facts_of(model)
        assert json.loads(facts["ood"]) == {
            "score": score, "threshold": -0.5, "false_alarms": 0.05,
        }  # fmt: skip
        assert f"`{score}`" in json.loads(facts["how"])
    plain = LoadedModel(torch.nn.Identity(), mode, spec)  # type: ignore[arg-type]
    assert json.loads(facts_of(plain)["ood"]) is None


def test_what_cannot_be_fitted_is_said() -> None:
    mode = make_mode("multiclass")
    table = random_table(mode, 100)
    tuning = fit_on_val(mode, table, tuning_config(aim=None, ood="energy"))
    assert tuning.ood is None
    assert "tuning.ood=msp takes these" in tuning.remarks[-1]
    of_probs = fit_on_val(mode, table, tuning_config(aim=None, ood="msp")).ood
    assert of_probs is not None
    over = (-table.probs.max(axis=1) > of_probs.threshold).mean()
    assert 0.02 <= over <= 0.05

    with pytest.raises(UserError, match=r"at least 99 samples of val, but there are 50"):
        check_val(mode, table.targets[:50], None, tuning_config(ood="msp", ood_false_alarms=0.01))
    for word in ("knn", "mahalanobis", "vim"):
        with pytest.raises(UserError, match=rf"tuning.ood={word}: this score compares with feat"):
            changed_config(f"tuning.ood={word}")
    for words in (["tuning.ood=entropy"], ["tuning.ood=msp", "tuning.ood_false_alarms=1"]):
        with pytest.raises(UserError, match=words[-1].split("=")[0]):
            changed_config(*words)
    changed = {"ood": {"score": "knn", "threshold": 1.0, "false_alarms": 0.05}}
    with pytest.raises(ValueError, match=r"'knn' over 1\.0 is unknown"):
        Tuning.from_dict(changed)
