"""Weights in the names of Hugging Face's transformers: the networks that timm then builds compute
what those of transformers compute, written here by hand over the names of their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional as f

from sightline.errors import UserError
from sightline.models.file_weights import LoadedWeights, load_weights, open_weight_file
from sightline.models.timm_compat import create_with_conversion

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
WIDTH, HEADS = 16, 2


def with_bias(**layers: tuple[int, ...]) -> Shapes:
    """A weight of each shape and a bias of its first number, by names with _ for a dot."""
    found: Shapes = {}
    for name, shape in layers.items():
        found |= {f"{name.replace('__', '.')}.weight": shape,
                  f"{name.replace('__', '.')}.bias": shape[:1]}  # fmt: skip
    return found


def random_state(shapes: Shapes) -> State:
    generator = torch.Generator().manual_seed(3)
    return {
        name: torch.rand(shape, generator=generator) + 0.5 if name.endswith(("_var", "scale"))
        else 0.3 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }  # fmt: skip


def layer(x: Tensor, state: State, name: str) -> Tensor:
    return f.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def norm(x: Tensor, state: State, name: str, eps: float = 1e-6) -> Tensor:
    return f.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def attend(x: Tensor, state: State, name: str, bias: Tensor | float = 0.0) -> Tensor:
    """Attention of tokens (B, N, C) to each other, with layers of their own for q, k and v."""
    query, key, value = (
        layer(x, state, f"{name}.{part}").unflatten(2, (HEADS, -1)).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(2, 3) / (x.shape[2] // HEADS) ** 0.5 + bias
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)


def transformer_block(at: str, attention: str, width: int) -> Shapes:
    a = {f"{at}.attention.{attention}.{part}": (width, width) for part in ("query", "key", "value")}
    return with_bias(**a, **{
        f"{at}.attention.output.dense": (width, width), f"{at}.layernorm_before": (width,),
        f"{at}.layernorm_after": (width,), f"{at}.intermediate.dense": (4 * width, width),
        f"{at}.output.dense": (width, 4 * width),
    })  # fmt: skip


def run_block(
    x: Tensor, state: State, at: str, attention: str, eps: float, bias: Tensor | float = 0.0
) -> Tensor:
    inside = norm(x, state, f"{at}.layernorm_before", eps)
    inside = attend(inside, state, f"{at}.attention.{attention}", bias)
    x = x + layer(inside, state, f"{at}.attention.output.dense")
    inside = layer(norm(x, state, f"{at}.layernorm_after", eps), state, f"{at}.intermediate.dense")
    return x + layer(f.gelu(inside), state, f"{at}.output.dense")


def vit_shapes() -> Shapes:
    blocks: Shapes = {}
    for index in range(2):
        blocks |= transformer_block(f"vit.encoder.layer.{index}", "attention", WIDTH)
    return blocks | with_bias(**{
        "vit.embeddings.patch_embeddings.projection": (WIDTH, 3, 8, 8), "vit.layernorm": (WIDTH,),
        "classifier": (4, WIDTH),
    }) | {"vit.embeddings.cls_token": (1, 1, WIDTH),
          "vit.embeddings.position_embeddings": (1, 17, WIDTH)}  # fmt: skip


def vit(images: Tensor, s: State) -> Tensor:
    at = "vit.embeddings.patch_embeddings.projection"
    x = f.conv2d(images, s[f"{at}.weight"], s[f"{at}.bias"], stride=8).flatten(2).transpose(1, 2)
    x = torch.cat([s["vit.embeddings.cls_token"].expand(len(x), -1, -1), x], dim=1)
    x = x + s["vit.embeddings.position_embeddings"]
    for index in range(2):
        x = run_block(x, s, f"vit.encoder.layer.{index}", "attention", 1e-6)
    return layer(norm(x, s, "vit.layernorm")[:, 0], s, "classifier")


def swin_shapes() -> Shapes:
    """Two stages of one window each: a grid of 4 x 4, then of 2 x 2."""
    found: Shapes = {}
    for stage, width, side in [(0, WIDTH, 4), (1, 2 * WIDTH, 2)]:
        at = f"swin.encoder.layers.{stage}.blocks.0"
        found |= transformer_block(at, "self", width)
        name = f"{at}.attention.self.relative_position_bias_table"
        found[name] = ((2 * side - 1) ** 2, HEADS)
    return found | with_bias(**{
        "swin.embeddings.patch_embeddings.projection": (WIDTH, 3, 4, 4),
        "swin.embeddings.norm": (WIDTH,), "swin.encoder.layers.0.downsample.norm": (4 * WIDTH,),
        "swin.layernorm": (2 * WIDTH,), "classifier": (4, 2 * WIDTH),
    }) | {"swin.encoder.layers.0.downsample.reduction.weight": (2 * WIDTH, 4 * WIDTH)}  # fmt: skip


def swin(images: Tensor, s: State) -> Tensor:
    at = "swin.embeddings.patch_embeddings.projection"
    x = f.conv2d(images, s[f"{at}.weight"], s[f"{at}.bias"], stride=4).flatten(2).transpose(1, 2)
    x = norm(x, s, "swin.embeddings.norm", 1e-5)
    for stage, side in [(0, 4), (1, 2)]:
        at = f"swin.encoder.layers.{stage}.blocks.0"
        table = s[f"{at}.attention.self.relative_position_bias_table"]
        bias = torch.stack([
            torch.stack([table[(a // side - b // side + side - 1) * (2 * side - 1)
                               + a % side - b % side + side - 1] for b in range(side**2)])
            for a in range(side**2)
        ]).permute(2, 0, 1)  # fmt: skip
        x = run_block(x, s, at, "self", 1e-5, bias)
        if stage == 0:  # four neighbours as one, column by column
            grid = x.unflatten(1, (4, 4))
            parts = [grid[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
            x = norm(torch.cat(parts, dim=-1), s, "swin.encoder.layers.0.downsample.norm", 1e-5)
            x = layer(x, s, "swin.encoder.layers.0.downsample.reduction").flatten(1, 2)
    return layer(norm(x, s, "swin.layernorm", 1e-5).mean(dim=1), s, "classifier")


def convnext_shapes(version: int) -> Shapes:
    found: Shapes = {}
    for stage, width in enumerate((4, 8, 12, 16)):
        at = f"convnext.encoder.stages.{stage}"
        found |= with_bias(**{
            f"{at}.layers.0.dwconv": (width, 1, 7, 7), f"{at}.layers.0.layernorm": (width,),
            f"{at}.layers.0.pwconv1": (4 * width, width),
            f"{at}.layers.0.pwconv2": (width, 4 * width),
        })  # fmt: skip
        if version == 1:
            found[f"{at}.layers.0.layer_scale_parameter"] = (width,)
        else:
            found |= {f"{at}.layers.0.grn.{part}": (1, 1, 1, 4 * width)
                      for part in ("weight", "bias")}  # fmt: skip
        if stage:
            found |= with_bias(**{f"{at}.downsampling_layer.0": (width - 4,)})
            found |= {f"{at}.downsampling_layer.1.weight": (width, width - 4, 2, 2),
                      f"{at}.downsampling_layer.1.bias": (width,)}  # fmt: skip
    return found | with_bias(**{
        "convnext.embeddings.patch_embeddings": (4, 3, 4, 4), "convnext.embeddings.layernorm": (4,),
        "convnext.layernorm": (16,), "classifier": (4, 16),
    })  # fmt: skip


def convnext(images: Tensor, s: State) -> Tensor:
    def conv(x: Tensor, name: str, **options: int) -> Tensor:
        return f.conv2d(x, s[f"{name}.weight"], s[f"{name}.bias"], **options)

    def norm_channels(x: Tensor, name: str) -> Tensor:
        return norm(x.movedim(1, 3), s, name).movedim(3, 1)

    x = norm_channels(conv(images, "convnext.embeddings.patch_embeddings", stride=4),
                      "convnext.embeddings.layernorm")  # fmt: skip
    for stage in range(4):
        at = f"convnext.encoder.stages.{stage}"
        if stage:
            x = norm_channels(x, f"{at}.downsampling_layer.0")
            x = conv(x, f"{at}.downsampling_layer.1", stride=2)
        inside = conv(x, f"{at}.layers.0.dwconv", padding=3, groups=x.shape[1]).movedim(1, 3)
        inside = norm(inside, s, f"{at}.layers.0.layernorm")
        inside = f.gelu(layer(inside, s, f"{at}.layers.0.pwconv1"))
        if f"{at}.layers.0.grn.weight" in s:
            size = inside.norm(dim=(1, 2), keepdim=True)
            share = size / (size.mean(dim=-1, keepdim=True) + 1e-6)
            inside = inside + s[f"{at}.layers.0.grn.weight"] * (inside * share)
            inside = inside + s[f"{at}.layers.0.grn.bias"]
        inside = layer(inside, s, f"{at}.layers.0.pwconv2")
        x = x + (inside * s.get(f"{at}.layers.0.layer_scale_parameter", 1.0)).movedim(3, 1)
    return layer(norm(x.mean(dim=(2, 3)), s, "convnext.layernorm"), s, "classifier")


def resnet_shapes() -> Shapes:
    found: Shapes = {}

    def convolution(at: str, *shape: int) -> None:
        found[f"{at}.convolution.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{at}.normalization.{part}"] = shape[:1]

    convolution("resnet.embedder.embedder", 64, 3, 7, 7)
    for stage, width in enumerate((64, 128, 256, 512)):
        at, before = f"resnet.encoder.stages.{stage}.layers.0", max(64, width // 2)
        convolution(f"{at}.layer.0", width, before, 3, 3)
        convolution(f"{at}.layer.1", width, width, 3, 3)
        if stage:
            convolution(f"{at}.shortcut", width, before, 1, 1)
    return found | {"classifier.1.weight": (4, 512), "classifier.1.bias": (4,)}


def resnet(images: Tensor, s: State) -> Tensor:
    def conv(x: Tensor, name: str, stride: int, padding: int) -> Tensor:
        x = f.conv2d(x, s[f"{name}.convolution.weight"], stride=stride, padding=padding)
        parts = [s[f"{name}.normalization.{part}"]
                 for part in ("running_mean", "running_var", "weight", "bias")]  # fmt: skip
        return f.batch_norm(x, *parts)

    x = f.max_pool2d(conv(images, "resnet.embedder.embedder", 2, 3).relu(), 3, 2, 1)
    for stage in range(4):
        at, stride = f"resnet.encoder.stages.{stage}.layers.0", 2 if stage else 1
        short = conv(x, f"{at}.shortcut", stride, 0) if stage else x
        inside = conv(x, f"{at}.layer.0", stride, 1).relu()
        x = (conv(inside, f"{at}.layer.1", 1, 1) + short).relu()
    return layer(x.mean(dim=(2, 3)), s, "classifier.1")


VIT = {"embed_dim": WIDTH, "depth": 2, "num_heads": HEADS, "img_size": 32, "patch_size": 8}
FAMILIES: dict[str, tuple[Shapes, Callable[[Tensor, State], Tensor], str, dict[str, Any], int]] = {
    "vit": (vit_shapes(), vit, "vit_tiny_patch16_224", VIT, 32),
    "swin": (swin_shapes(), swin, "swin_tiny_patch4_window7_224",
             {"embed_dim": WIDTH, "depths": (1, 1), "num_heads": (HEADS, HEADS), "img_size": 16,
              "window_size": 4}, 16),
    "convnext": (convnext_shapes(1), convnext, "convnext_tiny",
                 {"dims": (4, 8, 12, 16), "depths": (1, 1, 1, 1)}, 32),
    "convnext v2": (convnext_shapes(2), convnext, "convnextv2_tiny",
                    {"dims": (4, 8, 12, 16), "depths": (1, 1, 1, 1)}, 32),
    "resnet": (resnet_shapes(), resnet, "resnet18", {"layers": (1, 1, 1, 1)}, 32),
}  # fmt: skip


OF_FILES_AND_MEMORY = {
    "vit.encoder.layer.": "vit.layers.",
    ".attention.output.dense": ".attention.o_proj",
    ".intermediate.dense": ".mlp.fc1",
    ".output.dense": ".mlp.fc2",
    **{
        f".attention.{inner}.{part}": f".attention.{part[0]}_proj"
        for inner in ("attention", "self")
        for part in ("query", "key", "value")
    },
}


def in_memory(key: str) -> str:
    """The name that version 5 of transformers has for a tensor while it runs."""
    for old, new in OF_FILES_AND_MEMORY.items():
        key = key.replace(old, new)
    return key


def load(
    content: Any, name: str, options: dict[str, Any], folder: Path, with_head: bool = True
) -> tuple[Any, LoadedWeights]:
    path = folder / "weights.pth"
    torch.save(content, path)
    network, convert = create_with_conversion(name, options | {"num_classes": 4})
    return network.eval(), load_weights(
        network, name, open_weight_file(str(path)), 3, convert, with_head
    )


@pytest.mark.parametrize("names", ["of files", "in memory"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_network_computes_the_same(family: str, names: str, tmp_path: Path) -> None:
    shapes, forward, name, options, side = FAMILIES[family]
    state = random_state(shapes)
    content: Any = state if names == "of files" else {
        "state_dict": {f"net.backbone.{in_memory(key)}": value for key, value in state.items()}
    }  # fmt: skip
    network, loaded = load(content, name, options, tmp_path)
    assert (loaded.share, loaded.missing, loaded.left_over) == (1.0, (), ())
    assert "in names of transformers" in str(loaded)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(images), forward(images, state), rtol=1e-4, atol=1e-4)


def test_attention_without_a_key_bias_and_registers_are_put_where_timm_has_them(
    tmp_path: Path,
) -> None:
    state = {key.replace("vit.", "beit."): value
             for key, value in random_state(vit_shapes()).items()
             if "position" not in key and not key.startswith("vit.layernorm")}  # fmt: skip
    for index in range(2):
        at = f"beit.encoder.layer.{index}"
        del state[f"{at}.attention.attention.key.bias"]
        state |= {f"{at}.lambda_{part}": torch.full((WIDTH,), part + index) for part in (1.0, 2.0)}
        table = f"{at}.attention.attention.relative_position_bias.relative_position_bias_table"
        state[table] = torch.full((52, HEADS), 3.0 + index)
    state = {key.replace("lambda_1.0", "lambda_1").replace("lambda_2.0", "lambda_2"): value
             for key, value in state.items()}  # fmt: skip
    state |= {f"beit.pooler.layernorm.{part}": torch.ones(WIDTH) for part in ("weight", "bias")}
    network, loaded = load(state, "beit_base_patch16_224", VIT, tmp_path)
    assert (loaded.share, loaded.missing, loaded.left_over) == (1.0, (), ())
    attention = network.blocks[1].attn
    at = "beit.encoder.layer.1.attention.attention"
    assert torch.equal(attention.v_bias, state[f"{at}.value.bias"])
    assert torch.equal(attention.qkv.weight[WIDTH : 2 * WIDTH], state[f"{at}.key.weight"])
    assert attention.relative_position_bias_table.unique().tolist() == [4.0]
    assert network.blocks[1].gamma_2.unique().tolist() == [3.0]


def test_what_else_is_in_the_file_is_said(tmp_path: Path) -> None:
    """MAE's decoder, and a pooler that classification does not use."""
    state = random_state(vit_shapes() | with_bias(**{"vit.pooler.dense": (WIDTH, WIDTH),
                                                     "decoder.decoder_norm": (8,)}))  # fmt: skip
    _, loaded = load(state, "vit_tiny_patch16_224", VIT, tmp_path)
    assert set(loaded.left_over) == {
        f"{name}.{part}" for name in ("pooler.dense", "decoder.decoder_norm")
        for part in ("weight", "bias")
    }  # fmt: skip


def test_other_networks_and_sizes_are_refused_with_what_to_do(tmp_path: Path) -> None:
    state = random_state(vit_shapes())
    yolos = state | {"vit.encoder.mid_position_embeddings": torch.ones(1, 1, 17, WIDTH)}
    with pytest.raises(
        UserError, match=r"transformers, of a network that is not read here; ViT, DeiT"
    ):
        load(yolos, "vit_tiny_patch16_224", VIT, tmp_path)
    with pytest.raises(
        UserError, match=r"patch_embed\.proj\.weight \(16×3×8×8 in the file, 16×3×4×4"
    ):
        load(state, "vit_tiny_patch16_224", VIT | {"patch_size": 4}, tmp_path)
    deeper = {key.replace("layer.0", "layer.2"): value for key, value in state.items()}
    with pytest.raises(UserError, match=r"not in the model: blocks\.2\."):
        load(state | deeper, "vit_tiny_patch16_224", VIT, tmp_path)


def test_a_vit_of_other_patches_is_not_resampled_without_a_word(tmp_path: Path) -> None:
    """timm's conversion would make 16 x 16 patches of 8 x 8 ones, in its own names too."""
    given = timm.create_model("vit_tiny_patch16_224", **(VIT | {"num_classes": 4}))
    with pytest.raises(UserError, match=r"other shape: patch_embed\.proj\.weight"):
        load(given.state_dict(), "vit_tiny_patch16_224", VIT | {"patch_size": 16}, tmp_path)
    _, loaded = load(given.state_dict(), "vit_tiny_patch16_224", VIT | {"img_size": 64}, tmp_path)
    assert "adapted: pos_embed (1×17×16 in the file)" in str(loaded)
