"""Names of Hugging Face's transformers, put into timm's: a table a family, and fused attention.

Of ViT (also of DeiT, MAE, MSN, I-JEPA), BEiT, Data2Vec, DINOv2, Swin and ConvNeXt (both versions)
and ResNet: in the names of transformers' files and in those that its version 5 has in memory.
Networks of the same names compute the same in both libraries, but for the small number that ViT's
layer norms add to a variance (1e-12 there, 1e-6 in timm).
"""

import re

import torch
from torch import Tensor

Rows = tuple[tuple[str, str], ...]

# Each name is changed by every row that it matches, in this order.
_VIT: Rows = (
    (r"^encoder\.layers\.(\d+)\.(blocks|downsample)\.", r"layers.\1.\2."),
    (r"^(?:encoder\.)?layers?\.(\d+)\.(?!blocks|downsample)", r"blocks.\1."),
    (r"^(blocks\.\d+)\.relative_position_bias\.", r"\1.attn."),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^embeddings\.(cls_token|mask_token|register_tokens)$", r"\1"),
    (r"\.attention\.(?:attention|self)\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.", ".attn."),
    (r"\.attn\.(q)uery\.|\.attn\.(k)ey\.|\.attn\.(v)alue\.|\.attn\.([qkv])_proj\.",
     r".attn.\1\2\3\4."),
    (r"\.relative_position_bias\.relative_position", ".relative_position"),
    (r"\.continuous_position_bias_mlp\.", ".cpb_mlp."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.lambda_([12])$", r".gamma_\1"),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
    (r"^pooler\.layernorm\.", "fc_norm."),
)  # fmt: skip
_CONVNEXT: Rows = (
    (r"^embeddings\.patch_embeddings\.", "stem.0."),
    (r"^embeddings\.layernorm\.", "stem.1."),
    (r"^encoder\.stages\.(\d+)\.downsampling_layer\.", r"stages.\1.downsample."),
    (r"^encoder\.stages\.(\d+)\.layers\.", r"stages.\1.blocks."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv([12])\.", r".mlp.fc\1."),
    (r"\.grn\.", ".mlp.grn."),
    (r"\.layer_scale_parameter$", ".gamma"),
    (r"^layernorm\.", "head.norm."),
)
_RESNET: Rows = (
    (r"^embedder\.embedder\.convolution\.", "conv1."),
    (r"^embedder\.embedder\.normalization\.", "bn1."),
    (r"^encoder\.stages\.0\.layers\.", "layer1."),
    (r"^encoder\.stages\.1\.layers\.", "layer2."),
    (r"^encoder\.stages\.2\.layers\.", "layer3."),
    (r"^encoder\.stages\.3\.layers\.", "layer4."),
    (r"\.layer\.0\.convolution\.", ".conv1."),
    (r"\.layer\.1\.convolution\.", ".conv2."),
    (r"\.layer\.2\.convolution\.", ".conv3."),
    (r"\.layer\.0\.normalization\.", ".bn1."),
    (r"\.layer\.1\.normalization\.", ".bn2."),
    (r"\.layer\.2\.normalization\.", ".bn3."),
    (r"\.shortcut\.convolution\.", ".downsample.0."),
    (r"\.shortcut\.normalization\.", ".downsample.1."),
)
# The first layer, by which a family is known; what stands before it is the network's prefix.
_FAMILIES: dict[str, Rows] = {
    "embeddings.patch_embeddings.projection.weight": _VIT,
    "embeddings.patch_embeddings.weight": _CONVNEXT,
    "embedder.embedder.convolution.weight": _RESNET,
}
_COMPUTED = re.compile(r"\.relative_(position_index|coords_table)$")  # kept in files of version 4
_UNUSED = re.compile(r"^pooler\.dense\.")  # not used by classification there either
_HEAD = re.compile(r"(?:^|\.)(cls_|distillation_)?classifier\.(?:1\.)?(weight|bias)$")
_QUERY = re.compile(r"^(.*\.attn\.)q\.weight$")


def from_transformers(tensors: dict[str, Tensor], head: set[str]) -> dict[str, Tensor] | None:
    """The tensors of a network of transformers' in timm's names.

    Args:
        tensors: of a file, by name.
        head: names of timm's head, to which those of the classifier are mapped.

    Returns:
        None where they are of no family above, or hold layers that it does not have.
    """
    for first, rows in _FAMILIES.items():
        for key in tensors:
            if key == first or key.endswith(f".{first}"):
                return _renamed(tensors, key.removesuffix(first), rows, head)
    return None


def _renamed(
    tensors: dict[str, Tensor], prefix: str, rows: Rows, head: set[str]
) -> dict[str, Tensor] | None:
    layer = min(head, key=len).rpartition(".")[0] if head else "head"
    found = {}
    for key, tensor in tensors.items():
        classifier = _HEAD.search(key)
        if classifier is not None:
            name = "head_dist" if classifier[1] == "distillation_" else layer
            found[f"{name}.{classifier[2]}"] = tensor
        elif not key.startswith(prefix):
            found[key] = tensor  # of another network, as MAE's decoder
        elif not _COMPUTED.search(key):
            old = name = key[len(prefix) :]
            for pattern, replacement in rows:
                name = re.sub(pattern, replacement, name)
            if name == old and not _UNUSED.search(name):
                return None
            # ConvNeXt V2's response normalisation has dimensions of its own there.
            found[name] = tensor.flatten() if ".grn." in name else tensor
    return _shifted(_fused(found))


def _fused(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value as the one layer that timm has.

    Where the key has no bias (BEiT, Swin V2), timm keeps the two others by themselves.
    """
    found = dict(tensors)
    for name in tensors:
        query = _QUERY.match(name)
        if query is None:
            continue
        at = query[1]
        for kind in ("weight", "bias"):
            parts = {each: found.pop(f"{at}{each}.{kind}", None) for each in "qkv"}
            given = {each: part for each, part in parts.items() if part is not None}
            if len(given) == 3:
                found[f"{at}qkv.{kind}"] = torch.cat(list(given.values()))
            else:
                found |= {f"{at}{each}_{kind}": part for each, part in given.items()}
    return found


def _shifted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Swin's halvings where timm has them: at a stage's start, not at the end of that before."""
    return {
        re.sub(r"^layers\.(\d+)\.downsample\.",
               lambda found: f"layers.{int(found[1]) + 1}.downsample.", name): tensor
        for name, tensor in tensors.items()
    }  # fmt: skip
