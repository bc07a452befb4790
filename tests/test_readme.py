"""What the README tells a newcomer to type works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.commands import Sightline, few_canvases
from support.images import make_folder

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", README.read_text(), re.DOTALL)
LINES = [line.split(" #")[0].strip() for block in BLOCKS for line in block.splitlines()]
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
COMMANDS = [line for line in LINES if line.startswith("sightline ")]
# These need what the test machine has not: a hub, a server, somebody's own package.
ELSEWHERE = (
    "model.pretrained=true", "tracking.uri=", "--config-dir", "prefetch", "launcher=slurm",
    " soup ",  # of two runs: tests/evaluation/test_soup.py
)  # fmt: skip
HERE = [line for line in COMMANDS if not any(word in line for word in ELSEWHERE)]
TRAINING = [line for line in HERE if re.match("sightline (train|doctor)", line)]
AFTERWARDS = [line for line in HERE if line not in TRAINING]
SHORTER = {
    "seed=1,2,3": "seed=1",
    "n_trials=20": "n_trials=2",
}  # many jobs have a test of their own


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 20
    assert len(TRAINING) >= 7
    assert len(AFTERWARDS) >= 8


@pytest.mark.parametrize("command", TRAINING)
def test_a_command_of_the_readme_works(sightline: Sightline, command: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "work" / "photos" / "train", {"cat": 20, "dog": 20})
    for long, short in SHORTER.items():
        command = command.replace(long, short)
    quick = ["trainer.max_epochs=1", "tracking.system_metrics_interval_s=null"]
    if "optimizer.lr" not in command:
        quick.append("optimizer.lr=0.001")
    if "data=folder" not in command:
        quick += ["data.test_fraction=0.4", "data.val_fraction=0.4"]
        quick += few_canvases("multilabel" if "multilabel" in command else "")
    done = sightline(*shlex.split(command)[1:], *quick)
    assert done.status == 0, done.err
    expected = 0 if " doctor " in command else 2 if " -m " in command else 1
    assert len(done.runs) == expected


def test_the_python_of_the_readme_works(sightline: Sightline, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save("image.png")
    [snippet] = SNIPPETS
    quick = '"tracking.system_metrics_interval_s=null", "report=none", "trainer.max_epochs=1"'
    assert '"trainer.max_epochs=3"' in snippet
    found: dict[str, Any] = {}
    exec(snippet.replace('"trainer.max_epochs=3"', quick), found)
    assert found["run"].status == "FINISHED"
    assert found["model"].class_names == tuple("0123456789")


def test_the_commands_for_a_trained_model_work(
    sightline: Sightline, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "work" / "photos" / "train", {"cat": 20, "dog": 20})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    data = ["data=folder", "data.root=photos", "tracking.system_metrics_interval_s=null"]
    done = sightline("train", *data, "model.widths=[4,8]", "trainer.max_epochs=1", tracked=False)
    assert done.status == 0, done.err
    [checkpoint] = tmp_path.glob("work/runs/*/*/checkpoints/best.ckpt")
    for command in AFTERWARDS:
        words = shlex.split(command.replace("run=RUN", f"run={checkpoint.parent.parent}"))
        done = sightline(*words[1:], tracked=False)
        assert done.status == 0, f"{command}: {done.err}"


@pytest.mark.parametrize(
    "command",
    [line for line in COMMANDS if line not in HERE and not re.search("prefetch| -m | soup ", line)],
)
def test_a_command_for_elsewhere_composes(
    sightline: Sightline, command: str, tmp_path: Path
) -> None:
    configs = tmp_path / "work" / "my_configs" / "model"
    configs.mkdir(parents=True)
    (configs / "my_model.yaml").write_text("_target_: my_package.MyModel\n")
    done = sightline(*shlex.split(command)[1:], "--cfg", "job", tracked=False)
    assert done.status == 0, done.err
    assert "label_mode" in done.out


@pytest.mark.parametrize("path", re.findall(r"`((?:conf|src|experiments|tests|benchmarks)/[^`*]*)`",
                                            README.read_text()))  # fmt: skip
def test_a_path_of_the_readme_exists(path: str) -> None:
    assert (README.parent / path).exists()
