"""ImageNet's classes, and which of them other names of classes mean."""

import re
from collections import Counter
from collections.abc import Sequence

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn

from sightline.errors import UserError, did_you_mean


def imagenet_names(network: nn.Module, wanted: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """A name for each output of a network that was trained on ImageNet, or one of its larger sets.

    A class of `wanted` means the output whose synset (`n02206856`) it is, or one of whose words;
    case, `_` and `-` do not matter, and a plural in s is one of the word. That output is called as
    in `wanted`, any other by ImageNet's words.

    Args:
        network: timm's, with its own head.
        wanted: the classes of other data.

    Returns:
        The names, and a line for each class of `wanted` that is called otherwise by ImageNet.

    Raises:
        UserError: the network has other outputs, a word means several of them, or no class of
            `wanted` is among them.
    """
    subset = infer_imagenet_subset(network)
    if subset is None:
        raise UserError(
            f"{type(network).__name__} has {getattr(network, 'num_classes', '?')} outputs, which "
            "are those of no set of ImageNet: what they mean is not known. Train it on this data."
        )
    info = ImageNetInfo(subset)
    synsets = info.label_names()
    words = [info.label_name_to_description(synset) for synset in synsets]
    of_word: dict[str, list[int]] = {}
    for index, (synset, listed) in enumerate(zip(synsets, words, strict=True)):
        for word in {synset, *listed.split(",")}:
            of_word.setdefault(_plain(word), []).append(index)
    count = Counter(words)
    unique = [
        each if count[each] == 1 else f"{each} ({synset})"
        for each, synset in zip(words, synsets, strict=True)
    ]
    names, notes = list(unique), []
    for name in wanted:
        plain = _plain(name)
        found = of_word.get(plain) or of_word.get(plain.removesuffix("s"), [])
        if len(found) > 1:
            means = "; ".join(f"{synsets[index]}: {words[index]}" for index in found)
            raise UserError(f"The class {name!r} means several of ImageNet's ({means}): call it "
                            "by its synset.")  # fmt: skip
        if found:
            names[found[0]] = name
            if name != words[found[0]]:
                notes.append(f"{name} is {words[found[0]]} ({synsets[found[0]]})")
    if names == unique and not set(wanted) & set(unique):
        hint = did_you_mean(_plain(wanted[0]), of_word)
        raise UserError(
            f"None of the data's classes ({', '.join(wanted[:5])}, ...) is among those of "
            f"{subset}.{hint} Train the model on this data."
        )
    return tuple(names), notes


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word).strip().casefold()
