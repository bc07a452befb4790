"""Names of sweeps: readable, without paths, the same for the same command."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline import paths
from sightline.paths import sweep_name, sweep_title


@pytest.mark.parametrize(("words", "title"), [
    (["-m", "data=folder", "data.root=/home/me/photos", "model.widths=[4,8],[8,16]", "seed=1,2"],
     "widths × seed-photos"),
    (["-m", "model.hidden=8,32", "seed=range(0,5)", "hydra.launcher.n_jobs=2"], "hidden × seed"),
    (["-m", "optimizer.lr=tag(log,interval(1e-4,1e-1))", "experiment=linear_probe"],
     "lr-linear_probe"),
    (["-m", "seed=1"], "sweep"),
])  # fmt: skip
def test_a_name_says_what_differs_and_on_which_data(words: list[str], title: str) -> None:
    name = sweep_name(words)
    assert sweep_title(name) == title
    assert "/" not in name
    assert sweep_name([*words, "tracking.uri=http://x", "sweep.max_failures=1"]) == name
    assert sweep_name([*words, "trainer.max_epochs=3"]) != name


def test_a_folder_of_an_earlier_version_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    words = ["-m", "model.hidden=8,32", "seed=1,2"]
    digest = sweep_name(words).rpartition("-")[2]
    former = f"model.hidden=8,32_seed=1,2-{digest}"
    (tmp_path / "sweeps" / former).mkdir(parents=True)
    assert sweep_name(words) == former
