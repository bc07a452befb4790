"""Methods, schedules and callbacks: SAM by hand, and a plugin package that brings one of each."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import QUICK, Sightline
from support.configs import changed_config
from support.differences import differing
from torch import nn
from torch.optim import SGD

from sightline.errors import UserError
from sightline.label_modes.multiclass import Multiclass
from sightline.models.classifier import Classifier
from sightline.training.callbacks import user_callbacks
from sightline.training.epoch_sums import EpochSums
from sightline.training.methods.base import Method, StepOutput
from sightline.training.methods.build import build_method
from sightline.training.methods.sam import Sam
from sightline.training.methods.supervised import Supervised
from sightline.training.train_step import train_step
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(4, 1, (0.5,), (0.25,))
MODE = Multiclass(("a", "b", "c"))
CRITERION = nn.CrossEntropyLoss()


def small() -> Classifier:
    """Convolution, batch normalisation and a head; the first convolution does not learn."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    network[0].requires_grad_(False)
    return Classifier(network, SPEC).train()


def batches(count: int) -> Iterator[Any]:
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        image = torch.randint(0, 256, (8, 1, 4, 4), generator=draw).float()
        yield {"image": image, "target": torch.randint(0, 3, (8,), generator=draw)}


def sam_by_hand(model: Classifier, rho: float, lr: float, steps: int) -> None:
    """Foret et al. 2021, algorithm 1, with momentum 0.9: weights there and back in place."""
    learn = [parameter for parameter in model.parameters() if parameter.requires_grad]
    speed = [torch.zeros_like(parameter) for parameter in learn]
    for batch in batches(steps):
        CRITERION(model(batch["image"]), batch["target"]).backward()
        statistics = copy.deepcopy(dict(model.named_buffers()))
        norm = torch.sqrt(sum(parameter.grad.square().sum() for parameter in learn))
        moves = [rho * parameter.grad / (norm + 1e-12) for parameter in learn]
        with torch.no_grad():
            for parameter, move in zip(learn, moves, strict=True):
                parameter += move
                parameter.grad = None
        CRITERION(model(batch["image"]), batch["target"]).backward()
        with torch.no_grad():
            for parameter, move, kept in zip(learn, moves, speed, strict=True):
                parameter -= move
                kept.mul_(0.9).add_(parameter.grad)
                parameter -= lr * kept
                parameter.grad = None
            for name, buffer in model.named_buffers():
                buffer.copy_(statistics[name])


def test_sam_is_the_loop_by_hand() -> None:
    ours, theirs, plain = small(), small(), small()
    sam_by_hand(theirs, rho=0.5, lr=0.1, steps=20)
    for model, method in ((ours, Sam(rho=0.5)), (plain, Supervised())):
        learn = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = SGD(learn, lr=0.1, momentum=0.9)
        sums = EpochSums(torch.device("cpu"))
        for batch in batches(20):
            optimizer.zero_grad()
            train_step(method, MODE, model, batch, CRITERION, sums).backward()
            optimizer.step()
    wanted = theirs.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, wanted[name], atol=1e-6, rtol=0)
    distance = [(a - b).abs().max() for a, b in zip(
        plain.parameters(), theirs.parameters(), strict=True)]  # fmt: skip
    assert max(distance) > 0.01  # it is another training than without
    assert not ours.network[0].weight.requires_grad


def test_the_sums_are_of_what_the_method_gives() -> None:
    sums = EpochSums(torch.device("cpu"))
    seen = []
    for batch in batches(3):
        model = small()
        before = CRITERION(model(batch["image"]), batch["target"]).item()
        train_step(Sam(rho=0.5), MODE, small(), batch, CRITERION, sums)
        seen.append(before)
    metrics = sums.metrics(sums.values(), seconds=1.0)
    assert metrics["train/loss_before_ascent"] == pytest.approx(sum(seen) / 3)
    assert metrics["train/loss"] > metrics["train/loss_before_ascent"]
    again = EpochSums(torch.device("cpu"), sums.values(), 0.0, sorted(sums.logs))
    assert again.metrics(again.values(), 1.0) == metrics


PLUGIN = '''
import math
from pathlib import Path
import torch
from pytorch_lightning import Callback
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from sightline.training.methods.base import Method, StepOutput

class Twin(Method):
    """A teacher that follows the weights, a head that learns, and a count of its own."""
    def __init__(self, classifier, num_classes: int, weight: float):
        self.teacher = nn.Linear(num_classes, num_classes).requires_grad_(False)
        self.head = nn.Linear(num_classes, num_classes)
        self.weight, self.steps = weight, 0
    def trained(self):
        return {"head": self.head}
    def owned(self):
        return {"teacher": self.teacher}
    def state_dict(self):
        return {"teacher": self.teacher.state_dict(), "steps": self.steps}
    def load_state_dict(self, state):
        self.teacher.load_state_dict(state["teacher"])
        self.steps = state["steps"]
    def step(self, classifier, batch, criterion):
        logits = classifier(batch["image"])
        self.steps += 1
        far = (self.head(logits) - self.teacher(logits.detach())).square().mean()
        with torch.no_grad():
            self.teacher.weight.lerp_(self.head.weight, 0.1)
        loss = criterion(logits, batch["target"]) + self.weight * far
        return StepOutput(loss, logits, {"far": far, "steps": float(self.steps)})

def square_root(optimizer, steps_per_epoch: int, unit_epochs: float):
    return LambdaLR(optimizer, lambda t: 1 / math.sqrt(1 + t / (unit_epochs * steps_per_epoch)))

class Falls(Callback):
    """Ends the process's training once, before a batch; counts batches over all processes."""
    def __init__(self, marker: str, at: int):
        self.marker, self.at, self.seen = Path(marker), at, 0
    def state_dict(self):
        return {"seen": self.seen}
    def load_state_dict(self, state):
        self.seen = state["seen"]
    def on_train_batch_start(self, trainer, module, batch, index):
        if trainer.global_step == self.at and not self.marker.exists():
            self.marker.touch()
            raise RuntimeError("fallen")
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.seen += 1
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The words that use it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sightline_twin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(site))
    configs = {
        "method/twin.yaml": "_target_: sightline_twin.Twin\nweight: 0.1\n",
        "scheduler/square_root.yaml": "_target_: sightline_twin.square_root\nunit_epochs: 0.5\n",
    }
    for path, text in configs.items():
        (tmp_path / "configs" / path).parent.mkdir(parents=True)
        (tmp_path / "configs" / path).write_text(text)
    yield ["--config-dir", str(tmp_path / "configs"), "plugins=[sightline_twin]", "method=twin",
           "scheduler=square_root"]  # fmt: skip
    sys.modules.pop("sightline_twin", None)


def test_a_plugins_method_schedule_and_callback_train_and_resume(
    sightline: Sightline, plugin: list[str], tmp_path: Path
) -> None:
    def words(name: str) -> list[str]:
        falls = f"{{_target_: sightline_twin.Falls, marker: {tmp_path / name}, at: 7}}"
        return [
            *plugin, *QUICK, "trainer.max_epochs=2", "data.batch_size=300", "ema.decay=0.5",
            f"callbacks=[{falls}]", "checkpoint.every_n_steps=2",
            f"hydra.run.dir={tmp_path}/r{name}",
            "optimizer.param_groups=[{pattern: method.*, lr_factor: 4}]",
        ]  # fmt: skip

    (tmp_path / "a").touch()
    whole = sightline("train", *words("a"))
    assert whole.status == 0, whole.err
    with pytest.raises(RuntimeError, match="fallen"):
        sightline("train", *words("b"))
    trusted = "plugins=[sightline_twin]"
    again = sightline("train", f"resume={tmp_path}/rb", trusted, tracked=False)
    assert again.status == 0, again.err
    last = {name: torch.load(tmp_path / f"r{name}/checkpoints/last.ckpt", weights_only=True)
            for name in "ab"}  # fmt: skip
    assert {key for key in last["a"]["state_dict"] if not key.startswith("classifier.")} == {
        "method.head.weight", "method.head.bias",
    }  # fmt: skip
    for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers",
                 "method", "callbacks"):  # fmt: skip
        assert not list(differing(last["a"][part], last["b"][part], part))
    assert last["a"]["method"]["steps"] == last["a"]["callbacks"]["Falls"]["seen"] == 10
    assert last["a"]["optimizer_states"][0]["param_groups"][-1]["lr_factor"] == 4
    run = whole.run
    assert run.data.metrics["train/steps"] == pytest.approx(
        (300 * (6 + 7 + 8 + 9) + 58 * 10) / 1258
    )
    assert run.data.metrics["train/far"] > 0
    assert run.data.params["method"] == "twin"
    assert "schedule/lr.png" in whole.artifacts()
    assert "method.head.weight,10x10,true,4,0.01,method.*" in (
        tmp_path / "ra/param_groups.csv").read_text()  # fmt: skip


REFUSED = {
    "no method": (["method._target_=torch.nn.Identity"], "not trusted by this config"),
    "rho of 0": (["method=sam", "method.rho=0"], "method.rho: expected greater than 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_method_is_refused(case: str) -> None:
    words, expected = REFUSED[case]
    config = changed_config(*words)
    with pytest.raises(UserError, match=expected):
        build_method(config, {})


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("[{_target_: torch.nn.ReLU}]", "not trusted by this config"),
        ("[{_target_: pytorch_lightning.callbacks.EMAWeightAveraging}]", "use ema.decay"),
        ("[{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/loss}]",
         "there is a second EarlyStopping"),
        ("[{_target_: pytorch_lightning.callbacks.Timer, durration: 3}]",
         "'callbacks[0].duration'"),
        ("[{every: 3}]", "expected a callback with `_target_`"),
    ],
)  # fmt: skip
def test_a_callback_that_cannot_be_one_is_refused(listed: str, expected: str) -> None:
    with pytest.raises(UserError) as refused:
        user_callbacks(changed_config(f"callbacks={listed}"))
    assert expected in str(refused.value)


@pytest.mark.parametrize("given", [
    "ModelCheckpoint, dirpath: /tmp/x", "ModelCheckpoint, dirpath: x",
    "ModelCheckpoint, dirpath: ''",
    "ModelCheckpoint, filename: ../../x", "ModelCheckpoint, filename: /tmp/x",
    "OnExceptionCheckpoint, dirpath: /tmp/x", "SpikeDetection, exclude_batches_path: /tmp/x",
])  # fmt: skip
def test_a_callback_of_lightnings_writes_into_the_runs_folder_alone(given: str) -> None:
    name, option = given.split(", ")
    key = option.partition(":")[0]
    target = "pytorch_lightning.callbacks."
    target += {"SpikeDetection": "spike."}.get(name, "") + name
    with pytest.raises(UserError, match=rf"callbacks\[0\]\.{key}=.*run's folder alone"):
        user_callbacks(changed_config(f"callbacks=[{{_target_: {target}, {option}}}]"))
    kept = "{_target_: pytorch_lightning.callbacks.ModelCheckpoint, filename: '{step}'}"
    assert len(user_callbacks(changed_config(f"callbacks=[{kept}]"))) == 1


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (torch.zeros(()), "returned Tensor; expected a StepOutput"),
        ({"loss": torch.zeros(8)}, "a loss of shape (8,)"),
        ({"logits": torch.zeros(3, 3)}, "logits of 3 images; expected one number, and 8 images"),
        ({"logs": {"loss": 1.0}}, "logs loss, a name that the training has itself"),
    ],
)
def test_a_step_that_returns_something_else_is_refused(output: Any, expected: str) -> None:
    class Odd(Method):
        def step(self, classifier: Any, batch: Any, criterion: Any) -> Any:
            if not isinstance(output, dict):
                return output
            return StepOutput(**{"loss": torch.zeros(()), "logits": torch.zeros(8, 3)} | output)

    [batch] = batches(1)
    with pytest.raises(UserError) as refused:
        train_step(Odd(), MODE, small(), batch, CRITERION, EpochSums(torch.device("cpu")))
    assert expected in str(refused.value)
