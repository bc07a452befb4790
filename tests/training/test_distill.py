"""Distillation: each kind beside a loop by hand, teachers that are found, matched or refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from support.configs import changed_config
from support.runs import Trained
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD

from sightline.config.decided import TEACHER
from sightline.config.effects import check_effects
from sightline.config.influence import TEACHER_RUN, group_digest, influences
from sightline.errors import UserError
from sightline.inference.load import load_checkpoint
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.models.classifier import Classifier
from sightline.models.cnn import SimpleCNN
from sightline.training.epoch_sums import EpochSums
from sightline.training.methods.build import build_method, check_method
from sightline.training.methods.distill import Distill
from sightline.training.methods.teacher import Teacher, Teachers
from sightline.training.stand_in import check_on_stand_in
from sightline.training.train_step import train_step
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(16, 1, (0.5,), (0.25,))
MODES: dict[str, tuple[LabelMode, Callable[[Tensor, Tensor], Tensor]]] = {
    "multiclass": (Multiclass(("a", "b", "c")), F.cross_entropy),
    "binary": (Binary(("a", "b"), None), F.binary_cross_entropy_with_logits),
    "multilabel": (Multilabel(("a", "b", "c")), F.binary_cross_entropy_with_logits),
}
NONE = Teachers(None, (), {})


class Given(Teachers):
    """A teacher that is there already."""

    def __init__(self, teacher: Teacher) -> None:
        object.__setattr__(self, "teacher", teacher)

    def load(self, given: str, student: PreprocessSpec, label_mode: LabelMode | None) -> Teacher:
        found: Teacher = self.teacher  # type: ignore[attr-defined]
        return found


def cnn(outputs: int, hidden: int = 8, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(SimpleCNN(outputs, 1, 16, [4], hidden, 0.0), SPEC).train()


def teacher_of(outputs: int) -> Teacher:
    classifier = cnn(outputs, hidden=12, seed=1).eval().requires_grad_(False)
    for parameter in classifier.parameters():
        parameter.mul_(3)  # of clear opinions
    return Teacher(classifier, "d", None)


def batches(mode: str, count: int = 20) -> Iterator[dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        image = torch.randint(0, 256, (8, 1, 16, 16), generator=draw).float()
        shape, top = {"multiclass": ((8,), 3), "binary": ((8,), 2)}.get(mode, ((8, 3), 2))
        target = torch.randint(0, top, shape, generator=draw)
        yield {"image": image, "target": target.float() if mode == "multilabel" else target}


def train(method: Distill, mode: str, model: Classifier) -> EpochSums:
    label_mode, _ = MODES[mode]
    learn = [*model.parameters(), *nn.ModuleDict(method.trained()).parameters()]
    optimizer, sums = SGD(learn, 0.05, 0.9), EpochSums(torch.device("cpu"))
    criterion = label_mode.criterion(None, 0.0)
    for batch in batches(mode):
        optimizer.zero_grad()
        train_step(method, label_mode, model, batch, criterion, sums).backward()  # type: ignore[arg-type]
        optimizer.step()
    return sums


def assert_same_weights(ours: nn.Module, theirs: nn.Module) -> None:
    wanted = theirs.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, wanted[name], atol=1e-6, rtol=0)


def divergence(mode: str, logits: Tensor, guide: Tensor) -> Tensor:
    if mode == "multiclass":
        wanted, found = guide.softmax(1), logits.log_softmax(1)
        return F.kl_div(found, wanted, reduction="batchmean")
    p, q = guide.sigmoid(), logits.sigmoid()
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()


@pytest.mark.parametrize("mode", MODES)
def test_logits_are_the_loop_by_hand(mode: str) -> None:
    label_mode, cross_entropy = MODES[mode]
    teacher = teacher_of(label_mode.num_outputs)
    before = copy.deepcopy(teacher.classifier)
    ours, theirs = cnn(label_mode.num_outputs), cnn(label_mode.num_outputs)
    method = Distill(ours, label_mode, Given(teacher), "", "logits", 0.7, 3.0)
    sums = train(method, mode, ours)

    optimizer = SGD(theirs.parameters(), 0.05, 0.9)
    for batch in batches(mode):
        optimizer.zero_grad()
        logits, guide = theirs(batch["image"]), teacher.classifier(batch["image"])
        flat = logits if mode != "binary" else logits[:, 0]
        target = batch["target"].float() if mode == "binary" else batch["target"]
        taught = 9 * divergence(mode, logits / 3, guide / 3)
        (0.3 * cross_entropy(flat, target) + 0.7 * taught).backward()
        optimizer.step()
    assert_same_weights(ours, theirs)
    assert_same_weights(teacher.classifier, before)
    assert method.trained() == {}
    logged = sums.metrics(sums.values(), 1.0)
    assert logged["train/loss"] == pytest.approx(
        0.3 * logged["train/label_loss"] + 0.7 * logged["train/teacher_loss"], rel=1e-5
    )


def test_features_are_the_loop_by_hand() -> None:
    label_mode, _ = MODES["multiclass"]
    teacher = teacher_of(3)
    ours, theirs = cnn(3), cnn(3)
    method = Distill(ours, label_mode, Given(teacher), "", "features", 0.5, 2.0)
    projection = copy.deepcopy(method.projection)
    assert isinstance(projection, nn.Linear)
    assert (projection.in_features, projection.out_features) == (8, 12)
    train(method, "multiclass", ours)

    optimizer = SGD([*theirs.parameters(), *projection.parameters()], 0.05, 0.9)
    for batch in batches("multiclass"):
        optimizer.zero_grad()
        far = projection(theirs.features(batch["image"])) - teacher.features(batch["image"])
        loss = F.cross_entropy(theirs(batch["image"]), batch["target"])
        (0.5 * loss + 0.5 * far.square().mean()).backward()
        optimizer.step()
    assert_same_weights(ours, theirs)
    assert_same_weights(method.trained()["projection"], projection)


def test_the_token_of_deit_is_the_loop_by_hand() -> None:
    label_mode, _ = MODES["multiclass"]

    def deit() -> Classifier:
        torch.manual_seed(0)
        return Classifier(timm.create_model(
            "deit_tiny_distilled_patch16_224", img_size=16, in_chans=1, num_classes=3, depth=1,
            embed_dim=8, num_heads=2,
        ), SPEC).train()  # fmt: skip

    teacher, ours, theirs = teacher_of(3), deit(), deit()
    train(Distill(ours, label_mode, Given(teacher), "", "token", 0.5, 2.0), "multiclass", ours)
    network: Any = theirs.network
    optimizer = SGD(theirs.parameters(), 0.05, 0.9)
    for batch in batches("multiclass"):
        optimizer.zero_grad()
        tokens = network.norm(network.blocks(network.norm_pre(network.patch_drop(
            network._pos_embed(network.patch_embed(theirs.normalise(batch["image"])))
        ))))  # fmt: skip
        first, second = network.head(tokens[:, 0]), network.head_dist(tokens[:, 1])
        decided = teacher.classifier(batch["image"]).argmax(1)
        loss = F.cross_entropy(first, batch["target"]) + F.cross_entropy(second, decided)
        (0.5 * loss).backward()
        optimizer.step()
    assert_same_weights(ours, theirs)
    ours.eval()
    assert ours(torch.zeros(2, 1, 16, 16)).shape == (2, 3)  # the mean of both heads


def test_a_teacher_of_a_run_is_matched_by_the_names_of_the_classes(
    trained: Callable[[str], Trained],
) -> None:
    folder = trained("multiclass").folder
    model = load_checkpoint(folder / "checkpoints/best.ckpt")
    place, spec, names = str(folder), model.preprocess, model.class_names
    side, chans = spec.img_size, spec.in_chans
    found = NONE.load(place, spec, Multiclass(names))
    image = torch.randint(0, 256, (4, chans, side, side), dtype=torch.uint8)
    assert torch.equal(found.logits(image), model.classifier(image))
    turned = NONE.load(place, spec, Multiclass(names[::-1]))
    assert torch.equal(found.logits(image), turned.logits(image).flip(1))
    assert found.logits(image[..., : side // 2, : side // 2]).shape == (4, len(names))  # resized
    assert not any(parameter.requires_grad for parameter in found.classifier.parameters())
    lacking = rf"other classes than the data. It lacks x. The data lacks {names[-1]}"
    with pytest.raises(UserError, match=lacking):
        NONE.load(place, spec, Multiclass((*names[:-1], "x")))
    with pytest.raises(UserError, match=r"its label_mode is multiclass, and here is binary"):
        NONE.load(place, spec, Binary(names[:2], None))
    with pytest.raises(UserError, match=rf"takes images of {chans} channels, and the student's ha"):
        NONE.load(place, replace(spec, in_chans=7), Multiclass(names))
    with pytest.raises(UserError, match="not those that this run began with"):
        Teachers(None, (), {TEACHER: "another"}).load(place, spec, None)


def test_a_teacher_is_found_by_its_run_where_its_place_is_another_now(
    trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    run = trained("multiclass")
    spec = load_checkpoint(run.folder / "checkpoints/best.ckpt").preprocess
    there = Teachers(run.store, (), {}).load(str(run.folder), spec, None)
    assert there.run_id == run.run_id
    before = {TEACHER: there.digest, TEACHER_RUN: run.run_id}
    again = Teachers(run.store, (), before).load(str(tmp_path / "gone"), spec, None)
    assert again.digest == there.digest
    with pytest.raises(UserError, match="Where the teacher was moved, give its place now"):
        NONE.locate(str(tmp_path / "gone"))


def test_two_classes_in_the_other_order_turn_the_sign(trained: Callable[[str], Trained]) -> None:
    best = trained("binary").folder / "checkpoints/best.ckpt"
    model = load_checkpoint(best)
    spec, names = model.preprocess, model.class_names
    same = NONE.load(str(best), spec, Binary(names, names[1]))
    turned = NONE.load(str(best), spec, Binary(names, names[0]))
    image = torch.randint(0, 256, (4, spec.in_chans, spec.img_size, spec.img_size))
    assert torch.equal(same.logits(image), -turned.logits(image))


def test_a_pretrained_teacher_has_imagenets_names(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(SPEC, in_chans=3, mean=(0.5,) * 3, std=(0.25,) * 3)

    def untrained(num_classes: int, in_chans: int, *_: Any, **options: Any) -> nn.Module:
        network = timm.create_model("test_resnet", num_classes=num_classes, in_chans=in_chans)
        network.preprocess = spec  # type: ignore[assignment]
        return network

    monkeypatch.setattr("sightline.training.methods.teacher.timm_backbone", untrained)
    found = NONE.load("test_resnet.r160_in1k", spec, Multiclass(("goldfish", "n01440764")))
    assert found.columns == (1, 0)
    with pytest.raises(UserError, match=r"It lacks ants"):
        NONE.load("test_resnet.r160_in1k", spec, Multiclass(("goldfish", "ants")))
    with pytest.raises(UserError, match=r"method.kind=features"):
        NONE.load("test_resnet.r160_in1k", spec, Multilabel(("goldfish",)))


TOKEN = ("method=distill", "method.teacher=resnet18", "method.kind=token")
FEATURES = ("method=distill", "method.teacher=resnet18", "method.kind=features")
REFUSED = {
    "no teacher": (("method=distill", "method.teacher=resnet81x"), "it is none of these"),
    "compiled": ((*FEATURES, "model.compile=true"), "model.compile=true: method.kind=features"),
    "frozen": (
        (*FEATURES, "model=timm", "model.freeze_backbone=true"), "model.freeze_backbone=true: the"
    ),
    "no second head": (TOKEN, "SimpleCNN has no second head"),
    "sam": (("method=sam", "model.grad_checkpointing=true"), "runs the network with other weights"),
    "temperature": ((*FEATURES, "method.temperature=4"), "method.temperature=4 has no effect"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_before_data_is_read(case: str) -> None:
    words, expected = REFUSED[case]
    config = changed_config(*words)

    def checks() -> None:
        check_effects(config, words, in_sweep=False)
        check_method(config, NONE)
        check_on_stand_in(config)

    with pytest.raises(UserError) as refused:
        checks()
    assert expected in str(refused.value)


def test_a_config_builds_it_and_the_weights_tell_runs_apart() -> None:
    config = changed_config("method=distill", "method.teacher=folder/of/run")
    teacher = teacher_of(3)
    offered = {"classifier": cnn(3), "label_mode": MODES["multiclass"][0],
               "teachers": Given(teacher)}  # fmt: skip
    method = build_method(config, offered)
    assert method.facts() == {TEACHER: "d"}
    assert method.owned() == {"teacher": teacher.classifier}
    values = config.model_dump(mode="json")
    moved = copy.deepcopy(values)
    moved["method"]["teacher"] = "elsewhere"
    one, other = (group_digest(influences(each, method.facts())) for each in (values, moved))
    assert one == other != group_digest(influences(values, {TEACHER: "e"}))
