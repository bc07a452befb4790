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
    of_word = _indices(synsets, words)
    names = _unique(synsets, words)
    notes = []
    matched = False
    for name in wanted:
        plain = _plain(name)
        found = of_word.get(plain) or of_word.get(plain.removesuffix("s"), [])
        if len(found) > 1:
            means = "; ".join(f"{synsets[index]}: {words[index]}" for index in found)
            raise UserError(f"The class {name!r} means several of ImageNet's ({means}): call it "
                            "by its synset.")  # fmt: skip
        for index in found:
            matched, names[index] = True, name
            if name != words[index]:
                notes.append(f"{name} is {words[index]} ({synsets[index]})")
    if not matched:
        hint = did_you_mean(_plain(wanted[0]), of_word)
        raise UserError(
            f"None of the data's classes ({', '.join(wanted[:5])}, ...) is among those of "
            f"{subset}.{hint} Train the model on this data."
        )
    return tuple(names), notes


def _unique(synsets: Sequence[str], words: Sequence[str]) -> list[str]:
    """The words of each output, with its synset where others have the same words."""
    count = Counter(words)
    return [
        each if count[each] == 1 else f"{each} ({synset})"
        for each, synset in zip(words, synsets, strict=True)
    ]


def _indices(synsets: Sequence[str], words: Sequence[str]) -> dict[str, list[int]]:
    """The outputs that each synset, word, and list of words means."""
    found: dict[str, list[int]] = {}
    for index, (synset, listed) in enumerate(zip(synsets, words, strict=True)):
        for word in {_plain(each) for each in (synset, listed, *listed.split(","))}:
            found.setdefault(word, []).append(index)
    return found


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word).strip().casefold()
