"""The two forms of each augmentation are one distribution, and the config alone decides which."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from support.images import make_folder
from torch import Tensor
from torchvision.transforms.v2 import functional

from sightline.config.compose import compose_job
from sightline.data.augmentations.random_erasing import RandomErasing
from sightline.data.augmentations.timm_policy import TimmPolicy
from sightline.data.image_sizes import ImageSizes
from sightline.data.loading.augmentation import Augmentation
from sightline.data.loading.from_augment import build_augmentation
from sightline.errors import UserError
from sightline.paths import conf_dir
from sightline.runs.find import find_run
from sightline.runs.resume import differences, kept_choices
from sightline.training.setup import Setup, set_up
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(24, 3, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
COUNT = 300
PRESETS = sorted(path.stem for path in (conf_dir() / "augment").glob("*.yaml"))


def batched(preset: str) -> bool:
    values = yaml.safe_load((conf_dir() / "augment" / f"{preset}.yaml").read_text())
    return bool(
        values["batch_transforms"] or (values.get("geometry") and values["batch_transforms"])
    )


def photograph() -> Image.Image:
    rng = np.random.default_rng(2)
    coarse = rng.integers(40, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((44, 36))


def augmentation(preset: str, *words: str) -> Augmentation:
    config, _ = compose_job([f"augment={preset}", "data.cache=ram", *words])
    return build_augmentation(config, SPEC, ImageSizes(np.array([44]), np.array([36])))


def single_images(augment: Augmentation, image: Image.Image, count: int = COUNT) -> Tensor:
    """`count` samples of the form for the loader's processes."""
    seed(0)
    results = []
    for _ in range(count):
        result: Any = image if augment.frame is None else augment.frame(image)
        for step in replace(augment, batched=False).image_steps:
            result = step(result)
        tensor = result if isinstance(result, Tensor) else functional.pil_to_tensor(result)
        assert tensor.dtype == torch.uint8
        assert tensor.shape == (3, 24, 24)
        results.append(tensor)
    return torch.stack(results).float()


def as_batch(augment: Augmentation, image: Image.Image, count: int = COUNT) -> Tensor:
    """`count` samples of the form for batches."""
    form = replace(augment, batched=True).of_batches()
    assert form is not None
    whole: Any = image if augment.frame is None else augment.frame(image)
    pixels, size = functional.pil_to_tensor(whole), None
    if augment.frame is not None:
        pixels, size = augment.frame.padded(pixels)
        size = size.expand(count, 2)
    seed(1)
    result: Tensor = form(pixels.expand(count, *pixels.shape).clone(), size)
    return result.float().round()  # as whole grey levels, which single images have


def seed(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def deviations(first: Tensor, second: Tensor) -> dict[str, float]:
    """How many standard errors two samples of images differ by; each is about 1, or less.

    mean, spread: root mean square over pixels. fill: the share of black; dark, light: the ends of
    the range, as shares of values.
    """
    both = torch.cat([first, second])
    error = both.std(0).clamp(min=1) * (2 / len(first)) ** 0.5
    squares = (both - both.mean(0)).square()
    spread_error = squares.std(0).clamp(min=1) * (2 / len(first)) ** 0.5
    spreads = [(each - both.mean(0)).square().mean(0) for each in (first, second)]
    found = {
        "mean": float(((first.mean(0) - second.mean(0)) / error).square().mean().sqrt()),
        "spread": float(((spreads[0] - spreads[1]) / spread_error).square().mean().sqrt()),
    }
    for name, chosen in (
        ("fill", lambda images: images.amax(1) < 1.5),
        ("dark", lambda images: images < 30),
        ("light", lambda images: images > 250),
    ):
        shares = [chosen(each).flatten(1).float().mean(1) for each in (first, second)]
        error = torch.cat(shares).std().clamp(min=2e-3) * (2 / len(first)) ** 0.5
        found[name] = float((shares[0].mean() - shares[1].mean()).abs() / error)
    return found


@pytest.mark.parametrize("preset", [name for name in PRESETS if batched(name)])
def test_both_forms_are_one_distribution(preset: str) -> None:
    """Pixels of one image are dependent, so that the mean over them varies more than one alone."""
    augment = augmentation(preset)
    image = photograph() if augment.frame else photograph().resize((24, 24))
    found = deviations(single_images(augment, image), as_batch(augment, image))
    assert max(found["mean"], found["spread"]) < 2, found
    assert max(found.values()) < 4, found


BEFORE = {  # what the forms for single images of these presets were
    "light": "{_target_: torchvision.transforms.v2.RandomAffine, degrees: 5, "
    "translate: [0.05, 0.05], scale: [0.95, 1.05]}",
    "strong": "{_target_: torchvision.transforms.v2.ColorJitter, brightness: 0.3, contrast: 0.3}",
}


@pytest.mark.parametrize("preset", BEFORE)
def test_other_distributions_are_told_apart(preset: str) -> None:
    other = augmentation(preset, f"augment.transforms=[{BEFORE[preset]}]")
    image = photograph().resize((24, 24))
    found = deviations(single_images(other, image), as_batch(augmentation(preset), image))
    assert max(found.values()) > 6, found


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_augments_single_images_and_keeps_their_range(preset: str) -> None:
    augment = augmentation(preset)
    image = photograph() if augment.frame else photograph().resize((24, 24))
    images = single_images(augment, image, 40)
    assert (len(images.unique(dim=0)) > 10) is (preset != "none")
    seed(0)
    assert torch.equal(single_images(augment, image, 40), images)  # by the seed alone


@pytest.mark.parametrize("mode", ["const", "rand", "pixel"])
def test_erased_pixels_are_those_of_timms_modes(mode: Any) -> None:
    mean, std = list(SPEC.mean), list(SPEC.std)
    erasing = RandomErasing(1.0, mode, 0.2, 0.3, 1, mean, std)
    images = torch.full((200, 3, 24, 24), 2.0)  # out of range, to find them
    seed(0)
    erased = erasing.augment(images.clone())
    changed = erased < 1
    share = float(changed.all(1).float().mean())
    inside = [values[values < 1] for values in erased.movedim(1, 0)]
    if mode == "const":
        assert share == pytest.approx(0.25, abs=0.01)
        for values, wanted in zip(inside, mean, strict=True):
            assert float((values - wanted).abs().max()) < 1e-6
        return
    distinct = [len(row[row < 1].unique()) for row in erased[:, 1]]
    assert (max(distinct) == 1) is (mode == "rand")
    middle = [float(values.median()) for values in inside]
    assert middle == pytest.approx([min(each, 1) for each in mean], abs=0.06)


def test_randaugment_is_as_timm_writes_it() -> None:
    """timm's own transform with the same options gives the same images for the same seed."""
    from timm.data.auto_augment import rand_augment_transform

    image = photograph()
    theirs = rand_augment_transform(
        "rand-m9-mstd0.5-inc1", {"translate_const": 16, "img_mean": (128, 102, 76)}
    )
    ours = TimmPolicy("rand-m9-mstd0.5-inc1", list(SPEC.mean))
    for number in range(30):
        seed(number)
        try:
            expected = theirs(image)
        except ValueError:  # Posterize to no bit at all, which Pillow refuses
            continue
        seed(number)
        assert np.array_equal(np.asarray(ours(image)), np.asarray(expected))
    for policy in ("3a", "augmix-m5-w4-d2", "original"):
        other = TimmPolicy(policy, [0.5])
        for number in range(40):
            seed(number)
            assert other(image.convert("L")).size == image.size
    with pytest.raises(UserError, match=r"policy=randm9: timm has no such.*rand-m9-mstd0\.5"):
        TimmPolicy("randm9", [0.5])
    with pytest.raises(UserError, match="5 channels"):
        ours(torch.zeros(5, 8, 8, dtype=torch.uint8))


# The form is the config's.


def form(*words: str) -> str:
    return compose_job(list(words))[0].augment.form


def test_the_form_follows_from_the_command_not_from_memory() -> None:
    assert form("augment=light") == "batches"
    assert form("augment=light", "data.cache=device") == "batches"
    assert form("augment=light", "data.cache=ram") == "images"
    assert form("augment=light", "data.cache=ram", "augment.form=batches") == "batches"
    assert form("augment=light", "augment.form=images") == "images"
    assert form("augment=randaugment") == "images"
    assert form("augment=random_resized_crop", "augment.frame_size=null") == "images"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["augment=randaugment", "augment.form=batches"], "has no form for whole batches"),
        (["augment.form=images", "data.cache=device"], "with augment.form=images"),
        (["augment=cifar", "augment.frame_size=null", "augment.form=batches"], "make no batch"),
        (["augment.form=images", "augment.batch_transforms=[]"], "augments one image at a time"),
        (["augment.form=batches", "augment.transforms=[]"], "augments batches"),
        (["augment.form=picture"], "augment.form: expected 'auto', 'images' or 'batches'"),
        (["augment=cifar", "augment.geometry.pad=x"], r"augment\.geometry\.pad: expected"),
        (["augment=cifar", "augment.geometry.padd=1"], r"augment\.geometry\.pad"),
        (["augment=cifar", "augment.repeats=0"], r"augment\.repeats: expected"),
    ],
)
def test_a_form_that_cannot_be_is_refused(words: list[str], message: str) -> None:
    from sightline.config.components import check_components

    with pytest.raises(UserError, match=message):
        check_components(compose_job(words)[0])


def test_a_resumed_run_keeps_its_form(tmp_path: Path) -> None:
    from sightline.runs.folder import RunFolder
    from sightline.runs.resume import resumed_arguments

    folder = tmp_path / "run"
    config, job = compose_job(["augment=light", f"hydra.run.dir={folder}"])
    RunFolder(folder).freeze(config, job)
    frozen = find_run(str(folder), tmp_path)
    kept = kept_choices(frozen.config)
    words = resumed_arguments(frozen.job, [*kept, "data.cache=ram"])
    assert differences(frozen.config, compose_job(words)[0]) == []
    without = [word for word in words if "augment.form" not in word]
    assert differences(frozen.config, compose_job(without)[0]) == [
        ("augment.form", "batches", "images")
    ]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs larger than the model's input, not square."""
    return make_folder(tmp_path_factory.mktemp("shapes"), {"cat": 12, "dog": 12}, size=(60, 40))


def first_batch(root: Path, *words: str) -> tuple[Setup, Tensor]:
    """The first training batch as it reaches the model, and the setup that it comes from."""
    config, _ = compose_job([
        "data=folder", f"data.root={root}", "model.img_size=[16,20]", "trainer=cpu",
        "data.batch_size=9", "model.widths=[8]", "model.hidden=32", *words,
    ])  # fmt: skip
    setup = set_up(config)
    batch: Any = next(iter(setup.datamodule.train_dataloader()))
    seed(5)
    return setup, setup.datamodule.augmented(batch, epoch=0)["image"]


@pytest.mark.parametrize("how", ["images", "batches"])
def test_crops_are_the_same_from_every_cache(shapes: Path, how: str) -> None:
    words = ["augment=random_resized_crop", f"augment.form={how}"]
    found = {}
    for mode in ["none", "ram", "disk", *(["device"] if how == "batches" else [])]:
        workers = [] if mode == "device" else ["data.num_workers=0"]
        setup, images = first_batch(shapes, *words, f"data.cache={mode}", *workers)
        found[mode] = images
        assert setup.datamodule.cached_images.mode == mode
        assert setup.datamodule.augment.frame is not None
        assert setup.datamodule.augment.frame.side == 40  # twice 20; the images have 60
    for mode, images in found.items():
        assert torch.equal(images, found["none"]), mode
    assert found["none"].shape == (9, 3, 16, 20)


def test_whole_images_are_cut_from_as_they_are_where_the_config_says_so(shapes: Path) -> None:
    words = ["augment=random_resized_crop", "augment.frame_size=null", "data.num_workers=0"]
    setup, images = first_batch(shapes, *words)
    assert setup.datamodule.cached_images.mode == "none"
    assert images.shape == (9, 3, 16, 20)
    with pytest.raises(UserError, match=r"data\.cache=ram: with augment\.frame_size=null"):
        first_batch(shapes, *words, "data.cache=ram")


def test_an_epoch_of_repeats_has_fewer_images_as_often(shapes: Path) -> None:
    words = ["augment=cifar", "augment.repeats=3", "data.cache=ram", "data.num_workers=0"]
    setup, _ = first_batch(shapes, *words)
    loader: Any = setup.datamodule.train_dataloader()
    samples = list(loader.sampler)
    positions = [position for position, _ in samples]
    assert len(samples) == len(setup.splits["train"])
    assert positions[0] == positions[1] == positions[2] != positions[3]
    assert len({number for _, number in samples}) == len(samples)  # each augmented anew


PLUGIN = """
import torch
from torch import nn
from sightline.data.geometries.base import Crops, TrainingGeometry

class Corner(TrainingGeometry):
    def __init__(self, part: float) -> None:
        super().__init__("bilinear")
        self.part = part
    def sample(self, sizes, out):
        box = (sizes * self.part).long()
        return Crops(sizes, torch.cat([torch.zeros_like(box), box], 1), self.cubic(len(sizes)))
    def frame_size(self, out):
        return 4 * max(out)

class Negative(nn.Module):
    def forward(self, image):
        return 1 - image
"""
PRESET = """
defaults: [/augment_common@_here_, _self_]
geometry: {_target_: my_augment.Corner, part: 0.5}
transforms: [{_target_: torchvision.transforms.v2.RandomInvert, p: 1.0}]
batch_transforms: [{_target_: my_augment.Negative}]
"""


def test_a_preset_of_a_plugin_is_one_file(
    tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a geometry and a transform of its own, in both forms, from each cache."""
    (tmp_path / "my_augment.py").write_text(PLUGIN)
    (tmp_path / "configs" / "augment").mkdir(parents=True)
    (tmp_path / "configs" / "augment" / "mine.yaml").write_text(PRESET)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["--config-dir", str(tmp_path / "configs"), "augment=mine", "plugins=[my_augment]",
             "data.num_workers=0"]  # fmt: skip
    _, single = first_batch(shapes, *words, "augment.form=images", "data.cache=none")
    _, batch = first_batch(shapes, *words, "augment.form=batches", "data.cache=ram")
    assert (single.float() - batch).abs().max() <= 2  # no random numbers in it
    sys.modules.pop("my_augment", None)
    with pytest.raises(UserError, match="'my_augment' is not trusted"):
        first_batch(shapes, *words[:3])


# Sizes and mixing by the epoch.


def test_sizes_and_mixing_go_by_the_epoch() -> None:
    words = ["mix=mixup", "mix_off_epochs=2", "trainer.max_epochs=5",
             "data.img_size_schedule=[[0,12],[3,[24,20]]]"]  # fmt: skip
    augment = augmentation("light", *words)
    assert [augment.mixes(epoch) for epoch in range(5)] == [True, True, True, False, False]
    assert augment.sizes is not None
    images = torch.randint(0, 256, (2, 3, 24, 20), dtype=torch.uint8)
    small = augment.sizes.resized(images, 2)
    assert torch.equal(small, functional.resize(images, [12, 12]))
    assert augment.sizes.resized(images, 3) is images


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.img_size_schedule=[[1,8]]"], r"ascending epochs from 0.*got the epochs \[1\]"),
        (["data.img_size_schedule=[[0,8],[5,8],[5,9]]"], "ascending epochs from 0"),
        (
            ["data.img_size_schedule=[[0,8],[9,16]]", "trainer.max_epochs=9"],
            "16 pixels from epoch 9 on has no effect, since the training has epochs 0 to 8",
        ),
        (["data.img_size_schedule=[8,16]"], r"data\.img_size_schedule: expected"),
        (["mix=mixup", "mix_off_epochs=1", "trainer.max_epochs=-1"], "mix_off_epochs=1: which"),
        (
            ["data.img_size_schedule=[[0,6]]", "model=cnn"],
            r"SimpleCNN cannot train on 6 pixels: .*shapes cannot be multiplied",
        ),
        (
            ["data.img_size_schedule=[[0,[24,30]]]", "model=timm", "model.name=test_vit"],
            r"cannot train on \[24,30\] pixels",
        ),
        (
            ["model=timm", "model.name=test_vit", "model.img_size=[30,48]"],
            r"of 30×48 pixels.*model\.img_size=\[32,48\],.* A smaller one: \[16,48\]",
        ),
        (["model.img_size=[0,4]"], r"model\.img_size: expected"),
    ],
    ids=str,
)
def test_a_size_that_cannot_be_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        set_up(compose_job(["data=digits", "trainer=cpu", *words])[0])
