"""Names of probes and of poolings, which the command knows before anything heavy is imported."""

from typing import Any, Literal

ProbeName = Literal["knn", "logistic", "linear"]
Pooling = Literal["head", "token", "mean", "attention"]


def once_each(value: Any) -> Any:
    """A list without repeats; of one where a single value is given."""
    if isinstance(value, str | int):
        return [value]
    return list(dict.fromkeys(map(str, value))) if isinstance(value, list) else value
