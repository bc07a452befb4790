"""torchvision's names of data sets, read from its files: without importing it, thus torch."""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from sightline.errors import UserError, did_you_mean


def check_data_set_name(name: str) -> None:
    """Refuse the name of a data set that torchvision does not have.

    Raises:
        UserError: with the nearest names.
    """
    known = data_set_names()
    if name not in known:
        raise UserError(
            f"data.name={name}: torchvision has no such data set.{did_you_mean(name, known)}"
        )


@cache
def data_set_names() -> frozenset[str]:
    """The classes that `torchvision.datasets` imports."""
    spec = find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "datasets" / "__init__.py"
    imports = (
        node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom)
    )
    return frozenset(alias.name for node in imports for alias in node.names)
