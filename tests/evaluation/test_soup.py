"""Model soups beside a loop by hand, and as a command over two runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import Trained

from sightline.commands.soup import COMMAND, SoupOptions
from sightline.errors import UserError
from sightline.evaluation.soup import ValJudge, check_alike, choose, mean_of
from sightline.inference.load import load_checkpoint, read_checkpoint


@dataclass(frozen=True)
class Near(ValJudge):
    """The squared distance to 1 of the only weight, in place of a loss on val."""

    def score(self, weights: dict[str, torch.Tensor]) -> float:
        return float((weights["w"] - 1) ** 2)


def judge() -> Near:
    model: Any = None
    return Near(model, model, "log_loss", ())


def states(**values: float) -> dict[str, dict[str, torch.Tensor]]:
    return {run: {"w": torch.tensor(value)} for run, value in values.items()}


def test_a_uniform_soup_is_the_mean() -> None:
    kept, soup = choose(states(a=0.0, b=1.5, c=4.5), "uniform", judge())
    assert (kept, float(soup["w"])) == (["a", "b", "c"], 2.0)
    counted = [
        {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)},
        {"w": torch.tensor([3.0, 6.0]), "n": torch.tensor(5)},
    ]
    assert mean_of(counted)["w"].tolist() == [2.0, 4.0]
    assert mean_of(counted)["n"] == 3


def test_a_greedy_soup_is_the_loop_by_hand() -> None:
    values = {"a": 0.2, "b": 1.7, "c": 9.0, "d": 0.6, "e": 1.2}
    kept: list[float] = []
    best = float("inf")
    for value in sorted(values.values(), key=lambda each: (each - 1) ** 2):
        mean = sum([*kept, value]) / (len(kept) + 1)
        if (mean - 1) ** 2 <= best:
            kept, best = [*kept, value], (mean - 1) ** 2
    runs, soup = choose(states(**values), "greedy", judge())
    assert [values[run] for run in runs] == kept == [1.2, 0.6]
    assert float(soup["w"]) == pytest.approx(sum(kept) / len(kept), abs=1e-6)


def test_runs_that_do_not_fit_are_refused() -> None:
    def checkpoint(names: tuple[str, ...], width: int) -> dict[str, Any]:
        return {"sightline": {"class_names": names}, "state_dict": {"w": torch.zeros(width)}}

    with pytest.raises(UserError, match="the classes of a and b differ"):
        check_alike({"a": checkpoint(("x",), 1), "b": checkpoint(("y",), 1)})
    with pytest.raises(UserError, match="of different models"):
        check_alike({"a": checkpoint(("x",), 1), "b": checkpoint(("x",), 2)})
    with pytest.raises(UserError, match="two or more different runs"):
        COMMAND.run(SoupOptions(runs=("a", "a"), output="s.ckpt"))


def test_the_command_writes_a_checkpoint_that_loads(
    trained: Callable[[str], Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained("multiclass").folder / "checkpoints"
    one, other, soup = folder / "best.ckpt", tmp_path / "other.ckpt", tmp_path / "soup.ckpt"
    state = torch.load(one, weights_only=True)
    changed = {key: value * 1.1 for key, value in state["state_dict"].items()}
    torch.save(state | {"state_dict": changed}, other)
    options = SoupOptions(runs=(str(one), str(other)), output=str(soup), kind="uniform")
    assert COMMAND.run(options) == 0
    weights = read_checkpoint(soup)["state_dict"]
    for key, value in weights.items():
        torch.testing.assert_close(value, state["state_dict"][key] * 1.05)
    assert load_checkpoint(soup).class_names == load_checkpoint(one).class_names
    shown = capsys.readouterr()
    assert "uniform soup of 2" in shown.out + shown.err
    with pytest.raises(UserError, match="overwrite=true"):
        COMMAND.run(options)
