"""Weights in a file: tensors by name, read without running any code that the file may hold."""

import argparse
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from sightline.errors import UserError, first_line
from sightline.io.declared_size import check_fits, zip_bytes

FROM_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
Keys = tuple[str, ...]
MAX_DEPTH = 3  # of wrappers around the tensors


def read_weight_file(path: Path) -> Any:
    """The content of a .safetensors file, or of torch.save's: plain containers and tensors alone.

    Raises:
        UserError: it is damaged, no file of weights, or holds a pickle of anything else.
    """
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:  # of torch.save, which does not compress
            check_fits(path, zip_bytes(path))
        if path.suffix == ".safetensors":
            return load_file(path)
        problem = zip_damage(path) if is_zip else None
        if problem is not None:
            raise zipfile.BadZipFile(problem)
        # timm's training script stores its arguments in a Namespace, which only holds values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # a damaged file makes the unpickler raise anything
        raise UserError(
            f"{path} is not a checkpoint that is safe to load: {_reason(error)}"
        ) from error


def zip_damage(path: Path) -> str | None:
    """The damage of a file of torch.save's, found by its checksums; None where it is sound.

    torch itself reads a file with changed weights without a word.
    """
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip()
    except (OSError, EOFError, ValueError, RuntimeError, LookupError, *FROM_ZIP) as error:
        return first_line(error)
    return None if broken is None else f"{broken} in it has another checksum"


def _reason(error: Exception) -> str:
    """The reason, without the unpickler's advice to trust the file."""
    if isinstance(error, zipfile.BadZipFile):
        return f"it is damaged ({error})."
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return (
            f"it holds a pickle that needs {named[1]}, which could run any code. Only tensors and "
            "plain containers are loaded; none of its code was run."
        )
    if "TorchScript" in str(error):
        return "it is a TorchScript archive; save its state_dict() with torch.save instead."
    return f"it is damaged, or not a checkpoint ({type(error).__name__})."


def state_dicts(content: Any, keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Tensor]]]:
    """Every mapping from names to tensors in a file's content, with the keys that lead to it."""
    if not isinstance(content, Mapping):
        return
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, Tensor)}
    if tensors:
        yield keys, tensors
    if len(keys) < MAX_DEPTH:
        for key, value in named.items():
            yield from state_dicts(value, (*keys, key))
