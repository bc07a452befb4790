"""timm's names of models as its files register them: read without importing timm, thus torch."""

import re
from collections.abc import Collection
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sightline.errors import UserError, did_you_mean

REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
FORMER = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\}\)", re.DOTALL)
KEY = re.compile(r"""['"]([\w.]+)['"]\s*:""")


def check_timm_name(name: str) -> None:
    """Refuse the name of a model that timm does not have; tags of weights are timm's to judge.

    Raises:
        UserError: with the nearest names.
    """
    known, former = _names()
    if known and name.partition(".")[0] not in known | former:
        raise unknown_model(name, known)


def is_timm_name(name: str) -> bool:
    """Whether timm has such a model, or had."""
    return name.partition(".")[0] in set.union(*_names())


def unknown_model(name: str, known: Collection[str]) -> UserError:
    """The error for a name that timm does not have."""
    hint = did_you_mean(name, known)
    return UserError(f"model.name={name}: timm {version('timm')} has no such model.{hint}")


@cache
def _names() -> tuple[set[str], set[str]]:
    """Names of now, and former ones; none where timm's files are not where they were."""
    spec = find_spec("timm")
    assert spec is not None
    assert spec.origin is not None
    known: set[str] = set()
    former: set[str] = set()
    for file in (Path(spec.origin).parent / "models").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        known.update(REGISTERED.findall(text))
        for table in FORMER.findall(text):
            former.update(key.partition(".")[0] for key in KEY.findall(table))
    return known, former
