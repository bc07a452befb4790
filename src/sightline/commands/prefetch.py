"""`sightline prefetch`: pretrained weights for machines without network."""

from pathlib import Path

from sightline.config.command import Command
from sightline.config.options import Options
from sightline.errors import UserError


class PrefetchOptions(Options):
    """Options of `sightline prefetch`: none but a training's overrides."""


def run(options: PrefetchOptions) -> int:
    """Download the weights of the model that a training with these overrides would have.

    Raises:
        UserError: the model has no pretrained weights, or they cannot be downloaded.
    """
    from huggingface_hub import constants as hub

    from sightline.config.compose import compose_job
    from sightline.config.timm_names import check_timm_name

    words = options.overrides
    chosen = any(word.startswith(("model=", "experiment=")) for word in words)
    config, _ = compose_job(words if chosen else ["model=timm", *words])
    node = config.model
    if "pretrained" not in node or "name" not in node:
        raise UserError(
            f"{node['_target_']} has no pretrained weights; give model.name=NAME of timm's models."
        )
    if node.get("pretrained_path") is not None:
        raise UserError("model.pretrained_path names weights on disk: there is nothing to fetch.")
    if not config.plugins:
        check_timm_name(node["name"])
    from sightline.models.backbone import fetch_weights

    file = fetch_weights(node["name"])
    print(f"weights of {node['name']}: {file} ({file.stat().st_size / 2**20:,.1f} MiB)")
    if Path(hub.HF_HUB_CACHE) in file.parents:
        print("A machine that shares this folder finds them without a network, with:")
        print(f"  HF_HOME={hub.HF_HOME} HF_HUB_OFFLINE=1")
    return 0


COMMAND = Command(
    help="download pretrained weights for machines without network",
    section="training",
    about="""\
Downloads the weights that `sightline train` with the same overrides would download: those of timm's
model model.name=NAME, into the hub's cache (HF_HOME, else ~/.cache/huggingface). Run it where there
is a network; a training with the same cache then needs none.""",
    examples={
        "sightline prefetch model.name=resnet18": "",
        "HF_HOME=/shared/hub sightline prefetch experiment=my_recipe": "",
    },
    options=PrefetchOptions,
    overrides={"OVERRIDES": "as for `sightline train`, such as model.name=NAME"},
    others="anything",
    run=run,
)
