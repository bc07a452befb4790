"""Keys that have no effect for how a model is trained: from scratch, whole, or its head alone."""

from sightline.config.effect_rule import Rule
from sightline.config.fine_tuning_keys import is_pretrained, way_of_training
from sightline.config.legacy import BEFORE
from sightline.config.schema import TrainConfig


def _own_size(config: TrainConfig) -> bool:
    return config.model.get("img_size") is not None or is_pretrained(config.model)


def augments(config: TrainConfig) -> bool:
    """Whether an image of train differs from epoch to epoch: by `augment`, mix or its size."""
    parts = (*config.augment.model_dump().values(), config.mix, config.data["img_size_schedule"])
    return any(part for part in parts if isinstance(part, list | dict))


MODEL_RULES = (
    Rule("model.max_img_size", _own_size,
         "it bounds the size taken from the data, and model.img_size or pretrained weights set it"),
    Rule("model.head_std", lambda c: way_of_training(c.model) == "scratch",
         "without pretrained weights a head starts as the rest of its model", None),
    Rule("model.cache_features", lambda c: way_of_training(c.model) != "head",
         "model.freeze_backbone=false changes the features with every step", False),
    Rule("model.cache_features", lambda c: c.model.get("cache_features") is True and augments(c),
         "augment or mix changes images in each epoch; augment=none mix=none leaves them alone"),
    Rule("model.freeze_batch_norm", lambda c: way_of_training(c.model) == "head",
         "model.freeze_backbone=true leaves all before the head as it is", False),
    Rule("optimizer.layer_decay", lambda c: way_of_training(c.model) == "head",
         "the head alone learns (model.freeze_backbone=true)", None),
    *(Rule(f"model.{key}", lambda c: c.model.get("lora_rank") is None,
           "model.lora_rank=null has no low-rank updates", silent)
      for key, silent in (("lora_alpha", BEFORE["model.lora_alpha"]),
                          ("lora_layers", BEFORE["model.lora_layers"]))),
)  # fmt: skip
