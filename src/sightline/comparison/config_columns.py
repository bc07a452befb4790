"""Columns of a leaderboard: the values of the configs that tell its groups apart."""

import re
from collections.abc import Iterator, Mapping, Sequence

from sightline.config.decided import FOLLOWS
from sightline.config.influence import FORM
from sightline.tracking.mlflow.tags import GROUP_DIGEST

Config = Mapping[str, str]

SHOWN_FIRST = ("model", "model.name", "probe", "pooling", "label_mode", "data", "augment")
DIGESTS = ("data.digest.train", "data.digest.val", "data.digest.test")
IMPORTED = "imported"  # a config of which no more than its name is known, under `NAME`
NAME = "model"
ITEM = re.compile(r"(.+)\.(\d+)\._target_")
TARGET = "._target_"


def config_columns(
    configs: Sequence[Config], digests: Sequence[str]
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Names of the columns, those that tell most first, and the values of each config in them.

    A list of components is also a column of its own, with their names. Left out is what other
    columns tell: the class behind a name, and the arguments that only one of two classes has.

    Args:
        configs: of the groups.
        digests: of the same; a column where two configs have no other difference.
    """
    complete = [{**_lists(config), **config} for config in configs]
    names = _differing(complete)
    names = [name for name in names if not _told(name, names, complete)]
    rows = [{name: _shown(name, config.get(name, "")) for name in names} for config in complete]
    if len({tuple(row.values()) for row in rows}) < len(rows):
        names = [*names, GROUP_DIGEST]
        rows = [row | {GROUP_DIGEST: digest[:8]} for row, digest in zip(rows, digests, strict=True)]
    return tuple(names), rows


def _differing(configs: Sequence[Config]) -> list[str]:
    own = [config for config in configs if IMPORTED not in config] or configs
    keys = dict.fromkeys(key for config in own for key in config)
    found = [key for key in keys if _differs(key, own)]
    if len(own) < len(configs):  # all that is known of an imported one
        found += [key for key in (NAME, f"{NAME}.name") if key not in found]

    def place(key: str) -> tuple[bool, int]:
        return key in DIGESTS, SHOWN_FIRST.index(key) if key in SHOWN_FIRST else len(SHOWN_FIRST)

    return sorted(found, key=place)


def _differs(key: str, configs: Sequence[Config]) -> bool:
    return len({config.get(key) for config in configs}) > 1


def _lists(config: Config) -> dict[str, str]:
    """The names of the components in each list, under the list's key."""
    items = [(match, value) for key, value in config.items() if (match := ITEM.fullmatch(key))]
    items.sort(key=lambda each: (each[0][1], int(each[0][2])))
    found: dict[str, list[str]] = {}
    for match, target in items:
        found.setdefault(match[1], []).append(target.rpartition(".")[2])
    return {key: ", ".join(names) for key, names in found.items()}


def _told(name: str, names: Sequence[str], configs: Sequence[Config]) -> bool:
    """Whether a column says nothing that the others do not."""
    above = list(_above(name))
    if any(_same(name, other, configs) for other in above if other in names):
        return True  # model.name beside model
    if not above and _is_choice(name, configs):
        return not any(key.startswith(f"{name}.") for key in names)
    if (
        name in FOLLOWS
        and FOLLOWS[name][0] in _keys(configs)
        and not _differs(FOLLOWS[name][0], configs)
    ):
        return True  # what it came to is the same
    if name == FORM:
        return len({config[FORM] for config in configs if FORM in config}) < 2  # else no augment
    if name.endswith(TARGET) or any(key.startswith(f"{name}.0.") for key in _keys(configs)):
        return any(_tells(other, name, configs) for other in above if other in names)
    return _is_of_other_component(name, configs)


def _is_of_other_component(name: str, configs: Sequence[Config]) -> bool:
    """Whether it is an argument that one kind of component has, and no two of that kind differ."""
    having = [config for config in configs if name in config]
    lacking = [config for config in configs if name not in config]
    if not lacking or len({config[name] for config in having}) > 1:
        return False
    kinds = [{_kinds(name, config) for config in each} for each in (having, lacking)]
    return not kinds[0] & kinds[1]


def _kinds(name: str, config: Config) -> tuple[str | None, ...]:
    """The components that a value is in, and the lists of such, from the config's root inwards."""
    return tuple(
        config.get(above if f"{above}.0{TARGET}" in config else f"{above}{TARGET}")
        for above in _above(name)
    )


def _above(name: str) -> Iterator[str]:
    """`augment`, `augment.transforms` for `augment.transforms.0`."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        yield ".".join(parts[:count])


def _is_choice(name: str, configs: Sequence[Config]) -> bool:
    """Whether it names the choice of a config group, whose values are below it."""
    return any(key.startswith(f"{name}.") for key in _keys(configs))


def _keys(configs: Sequence[Config]) -> set[str]:
    return {key for config in configs for key in config}


def _same(name: str, other: str, configs: Sequence[Config]) -> bool:
    return all(config.get(name) in (None, config.get(other)) for config in configs)


def _tells(other: str, name: str, configs: Sequence[Config]) -> bool:
    """Whether the value of `other` determines that of `name`."""
    pairs = {(config.get(other), config.get(name)) for config in configs}
    return len(pairs) == len({first for first, _ in pairs})


def _shown(name: str, value: str) -> str:
    """A class by its own name; digests by their first digits."""
    if name.endswith(TARGET):
        return value.rpartition(".")[2]
    return value[:8] if name in DIGESTS else value
