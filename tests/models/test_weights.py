"""Weights of a file: counted by name and shape, and refused where a layer would stay random."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from support.hub import backbone
from support.runs import Trained
from torch import Tensor

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.models.file_weights import percent
from sightline.training.weights_of_run import model_with_file
from sightline.types import PreprocessSpec

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def stored(weights: Path) -> State:
    return load_file(weights)


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def other(state: State) -> State:
    """Another network of the same architecture."""
    return {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}


def lightning(state: State) -> Any:
    return {"epoch": 3, "state_dict": under("model.", state) | {"criterion.weight": torch.ones(3)},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}]}  # fmt: skip


FORMS: dict[str, tuple[Callable[[State], Any], str]] = {
    "plain": (lambda s: s, ""),
    "state_dict": (lambda s: {"state_dict": s}, "state_dict"),
    "unknown wrapper": (lambda s: {"weights_of_it": s, "epoch": 3}, "weights_of_it"),
    "lightning": (lightning, "state_dict/model."),
    "nested prefixes": (lambda s: under("module._orig_mod.net.encoder.", s),
                        "module._orig_mod.net.encoder."),
    "wrapped layers": (lambda s: {"state_dict": {
        f"module.{key.replace('layer1.', 'layer1._fsdp_wrapped_module.')}".replace(
            "layer2.0.", "layer2.0._checkpoint_wrapped_module._orig_mod."): value
        for key, value in s.items()}}, "state_dict/module."),
    "unknown prefix": (lambda s: under("my_net.", s), "my_net."),
    "moco": (lambda s: {"state_dict": under("module.encoder_k.", other(s))
                        | under("module.encoder_q.", s) | {"module.queue": torch.ones(4, 4)}},
             "state_dict/module.encoder_q."),
    "dino": (lambda s: {"student": under("module.backbone.", other(s)),
                        "teacher": under("backbone.", s) | {"head.mlp.0.weight": torch.ones(4, 4)}},
             "teacher/backbone."),
    "average": (lambda s: {"model": other(s), "model_ema": s}, "model_ema"),
    "half precision, other head": (
        lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()}
        | {"fc.weight": torch.ones(7, 96), "fc.bias": torch.ones(7)}, ""),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_wrappers_and_prefixes_are_found(form: str, stored: State, tmp_path: Path) -> None:
    make, place = FORMS[form]
    path = tmp_path / "weights.pth"
    torch.save(make(stored), path)
    network: Any = backbone(pretrained_path=str(path))
    assert network.loaded_weights.share == 1
    assert network.loaded_weights.missing == ()
    assert network.loaded_weights.place == place
    for key, value in network.state_dict().items():
        if not key.startswith("fc."):
            near = 1e-3 if form.startswith("half") else 0
            torch.testing.assert_close(value, stored[key], rtol=near, atol=near)


def test_own_wrapper_of_safetensors_and_another_number_of_channels(
    stored: State, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(under("encoder.", stored), path)
    network: Any = backbone(pretrained_path=str(path), in_chans=5)
    assert network.loaded_weights.share == 1
    first = next(key for key, value in stored.items() if value.ndim == 4)
    seen = network.state_dict()[first]
    torch.testing.assert_close(seen[:, 3], stored[first][:, 0] * 3 / 5)


def refusal(content: Any, tmp_path: Path, name: str = "test_resnet") -> str:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(UserError) as caught:
        backbone(name, pretrained_path=str(path))
    return str(caught.value)


def test_a_file_that_lacks_a_layer_is_refused_however_small(stored: State, tmp_path: Path) -> None:
    gone = "layer1.0.conv1.weight"
    said = refusal({k: v for k, v in stored.items() if k != gone}, tmp_path)
    assert f"not in the file: {gone}" in said
    without = {k: v for k, v in stored.items() if not k.endswith(("running_mean", "running_var"))}
    assert "not in the file: conv1.1.running_mean" in refusal(without, tmp_path)


def test_a_shape_that_does_not_fit_is_named(stored: State, tmp_path: Path) -> None:
    said = refusal(stored | {"bn1.weight": torch.ones(5)}, tmp_path)
    width = len(stored["bn1.weight"])
    assert f"other shape: bn1.weight (5 in the file, {width} in the model)" in said


def test_layers_of_the_file_that_would_be_left_out_are_refused(
    stored: State, tmp_path: Path
) -> None:
    """As of a ResNet-34 for a ResNet-18, which has all of its names and shapes."""
    deeper = stored | {"layer1.7.conv1.weight": torch.ones(4, 4, 3, 3)}
    assert "not in the model: layer1.7.conv1.weight" in refusal(deeper, tmp_path)
    inside = stored | {"layer1.0.se.fc.weight": torch.ones(4, 4)}
    assert "not in the model: layer1.0.se.fc.weight" in refusal(inside, tmp_path)
    path = tmp_path / "with_decoder.pth"
    torch.save(stored | {"decoder.0.weight": torch.ones(4, 4)}, path)
    network: Any = backbone(pretrained_path=str(path))
    assert network.loaded_weights.left_over == ("decoder.0.weight",)
    assert "not used: decoder.0.weight" in str(network.loaded_weights)


def test_the_nearest_architecture_is_named(stored: State, tmp_path: Path) -> None:
    said = refusal({"model": under("module.", timm.create_model("resnet18").state_dict())},
                   tmp_path, "resnet34")  # fmt: skip
    assert "Nearest architecture of timm: model.name=resnet18, of which the file has 100 %" in said


@pytest.mark.parametrize(
    "names", ["features.1.0.block.0.weight", "encoder.layers.encoder_layer_0.ln_1.weight"]
)
def test_names_of_torchvision_are_explained(names: str, tmp_path: Path) -> None:
    content = {names: torch.ones(4, 4), "classifier.1.weight": torch.ones(3, 4)}
    said = refusal(content, tmp_path)
    assert "Its names are those of torchvision, of a network that is not read here" in said
    assert names in said  # as it is in the file


def test_values_that_no_training_leaves_are_refused(stored: State, tmp_path: Path) -> None:
    name = "layer1.0.conv1.weight"
    said = refusal(stored | {name: stored[name] * float("nan")}, tmp_path)
    assert f"{name} holds values that are not finite" in said
    said = refusal(stored | {name: (100 * stored[name]).to(torch.int8)}, tmp_path)
    assert f"{name} holds whole numbers (int8): quantised weights are not read" in said
    said = refusal({key: torch.zeros_like(value) for key, value in stored.items()}, tmp_path)
    assert "all weights of a layer are the same, in every layer" in said


class Anything:
    """A class that only a pickle brings."""


@pytest.mark.parametrize("content", [{"state_dict": {}, "args": Anything()}, [1, 2], {"epoch": 3}])
def test_pickles_and_files_without_tensors_are_refused(content: Any, tmp_path: Path) -> None:
    said = refusal(content, tmp_path)
    assert ("could run any code" in said) or ("holds no tensors with names" in said)


def test_position_embeddings_are_resized_as_timm_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    given = timm.create_model("test_vit", img_size=160)
    path = tmp_path / "vit.pth"
    torch.save({"state_dict": under("model.", given.state_dict())}, path)
    network: Any = backbone("test_vit", pretrained_path=str(path), img_size_override=64)
    assert network.loaded_weights.share == 1
    from timm.layers import resample_abs_pos_embed

    expected = resample_abs_pos_embed(given.pos_embed, [4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(network.pos_embed, expected)


def test_timms_own_lines_do_not_appear(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        backbone(pretrained_path=str(weights))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "100 %"), (0.99999, "over 99.9 %"), (0.5, "50 %"), (0, "0 %"), (1e-5, "under 0.1 %")],
)
def test_a_share_is_full_only_where_all_is_there(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_checkpoint_of_sightlines_brings_its_preprocessing(stored: State, tmp_path: Path) -> None:
    spec = PreprocessSpec(48, 3, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), crop_pct=0.9)
    path = tmp_path / "best.ckpt"
    content = {
        "state_dict": under("classifier.network.", stored),
        "current_model_state": under("classifier.network.", other(stored)),
        "sightline": {"config": {"model": {"name": "test_resnet"}}, "preprocess": spec.to_dict()},
    }
    torch.save(content, path)
    network: Any = backbone(pretrained_path=str(path))
    assert network.loaded_weights.place == "state_dict/classifier.network."
    assert network.preprocess == spec
    larger: Any = backbone(pretrained_path=str(path), img_size_override=64)
    assert larger.preprocess.img_size == 64
    first = next(key for key, value in stored.items() if value.ndim == 4)
    assert torch.equal(network.state_dict()[first], stored[first])
    with pytest.raises(UserError, match="checkpoint of Sightline's, of the model test_resnet"):
        backbone("test_convnext", pretrained_path=str(path))


def test_a_run_is_named_by_its_folder_or_its_id(trained: Callable[[str], Trained]) -> None:
    run = trained("multiclass")
    for named, store in (
        (str(run.folder), "sqlite:////nowhere/mlflow.db"),
        (run.run_id, run.store),
        (f"runs:/{run.run_id}", run.store),
    ):
        config, _ = compose_job(
            ["model=timm", f"model.pretrained_path='{named}'", f"tracking.uri={store}"]
        )
        found = model_with_file(config)["pretrained_path"]
        assert Path(found).read_bytes() == run.checkpoint.read_bytes()
        with pytest.raises(UserError, match="checkpoint of Sightline's, of the model"):
            backbone(pretrained_path=found)
