"""timm's policies of Pillow operations: RandAugment, AutoAugment, AugMix and 3-Augment by name."""

from typing import Any

from PIL import Image
from timm.data.auto_augment import (
    augment_and_mix_transform,
    auto_augment_transform,
    rand_augment_transform,
)
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.models.timm_compat import with_a_bit_kept

KINDS = {
    "rand": rand_augment_transform,
    "augmix": augment_and_mix_transform,
}
POLICIES = ("original", "originalr", "v0", "v0r", "3a")
TRANSLATE = 0.45  # of the shorter side, as timm's `create_transform` has it


class TimmPolicy(nn.Module):
    """The augmentation that timm's `--aa` names, on one image at a time.

    Args:
        policy: as timm writes it: rand-m9-mstd0.5-inc1 (RandAugment of magnitude 9, its deviation
            0.5), 3a (3-Augment, Touvron et al. 2022), original, v0, augmix-m5-w4-d2.
        mean: of each channel, in [0, 1], which fills what is moved in; of the preprocessing.

    Raises:
        UserError: timm has no such policy.
    """

    def __init__(self, policy: str, mean: list[float]) -> None:
        super().__init__()
        self.policy = policy
        colour = tuple(min(255, round(255 * value)) for value in mean)
        self.fill: Any = colour[0] if len(colour) == 1 else colour
        self._built: dict[int, Any] = {}
        self._of_side(224)

    def _of_side(self, side: int) -> Any:
        """timm's transform for images of a shorter side, in pixels."""
        if side not in self._built:
            kind = self.policy.split("-")[0]
            hparams = {"translate_const": int(side * TRANSLATE), "img_mean": self.fill}
            try:
                if kind not in KINDS and kind not in POLICIES:
                    raise ValueError(kind)
                make = KINDS.get(kind, auto_augment_transform)
                self._built[side] = with_a_bit_kept(make(self.policy, hparams))
            except (AssertionError, ValueError, KeyError) as error:
                raise UserError(
                    f"augment: policy={self.policy}: timm has no such augmentation; it has "
                    f"{', '.join([*KINDS, *POLICIES])}, with options such as rand-m9-mstd0.5-inc1."
                ) from error
        return self._built[side]

    def forward(self, image: Image.Image | Tensor) -> Image.Image:
        """The augmented image, grey or in colour.

        Raises:
            UserError: it has other channels, which the operations do not take.
        """
        if isinstance(image, Tensor):
            if len(image) not in (1, 3):
                raise UserError(
                    f"augment: policy={self.policy} takes images in grey or colour, but these have "
                    f"{len(image)} channels; use another augment."
                )
            image = Image.fromarray(image.movedim(0, 2).squeeze(2).numpy())
        width, height = image.size
        augmented: Image.Image = self._of_side(min(width, height))(image)
        return augmented
