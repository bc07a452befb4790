"""`sightline prefetch`: pretrained weights put where a machine without network finds them."""

from pathlib import Path

from huggingface_hub import constants as hub

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.models.backbone import fetch_weights

USAGE = """\
usage: sightline prefetch model.name=NAME [OVERRIDES]

Downloads what `sightline train` with the same words would download: the pretrained weights of
timm's model NAME, into the hub's cache (HF_HOME, else ~/.cache/huggingface). Run it where there is
a network; a training that has the same cache then needs none.

  sightline prefetch model.name=resnet18
  HF_HOME=/shared/hub sightline prefetch experiment=my_recipe
"""


def prefetch(words: list[str]) -> int:
    """Fetch the weights of the model that a training with these words would have.

    Raises:
        UserError: the model has no pretrained weights, or they are not to be had.
    """
    if {"-h", "--help"} & set(words):
        print(USAGE, end="")
        return 0
    chosen = any(word.startswith(("model=", "experiment=")) for word in words)
    config, _ = compose_job([*words] if chosen else ["model=timm", *words])
    node = config.model
    if "pretrained" not in node or "name" not in node:
        raise UserError(
            f"{node['_target_']} has no pretrained weights; give model.name=NAME of timm's models."
        )
    if node.get("pretrained_path") is not None:
        raise UserError("model.pretrained_path names weights on disk: there is nothing to fetch.")
    file = fetch_weights(node["name"])
    print(f"weights of {node['name']}: {file} ({file.stat().st_size / 2**20:,.1f} MiB)")
    if Path(hub.HF_HUB_CACHE) in file.parents:
        print("A machine that shares this folder finds them without a network, with:")
        print(f"  HF_HOME={hub.HF_HOME} HF_HUB_OFFLINE=1")
    return 0
