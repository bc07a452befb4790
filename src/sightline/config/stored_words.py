"""Stored words: arguments that a run's folder holds, and that are given to Hydra again.

A stranger may have written them. They may set values of the training's config and name a folder of
configs; what Hydra itself would act on (callbacks, launchers, logging, variables of the
environment) is as in Sightline's own configs, whatever they or that folder say.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from sightline.config.explain import explain
from sightline.config.search_path import search_path_override
from sightline.config.stored import check_plugins
from sightline.errors import UserError
from sightline.io.stored_address import check_address
from sightline.paths import conf_dir, config_folders

CONFIG_DIR = ("--config-dir", "-cd")
# Parts of Hydra's config that differ from command to command, and by which nothing is run.
OF_A_COMMAND = ("overrides", "runtime", "run", "sweep", "job", "searchpath")
OF_A_JOB = ("chdir", "env_set", "env_copy")  # parts of `hydra.job` that change the process


def check_words(words: Sequence[str], origin: object) -> None:
    """Refuse a word that says more than a value of the training's config.

    Args:
        words: as stored, those that this command gives anew left out.
        origin: where they are stored.

    Raises:
        UserError: names the word.
    """
    coming = iter(words)
    for word in coming:
        if word in CONFIG_DIR:
            next(coming, None)
        elif not word.startswith("--config-dir=") and not _is_value(word):
            raise UserError(
                f"{origin}: its argument {word!r} is not taken from a file, since Hydra would act "
                "on it. Give it again in this command if you mean it."
            )


def _is_value(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    is_flag = word.startswith("-")
    return not is_flag and "${" not in word and "@hydra" not in key and not key.startswith("hydra")


def check_composed(
    arguments: list[str], allowed: Iterable[str], origin: object, given: str | None,
    run_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The config of stored arguments, refused where it would do more than the user allows.

    Args:
        arguments: complete; the folder of configs that they name is read.
        allowed: packages that this command allows.
        origin: where they are stored.
        given: the address of the store that this command names, or None.
        run_id: of the run in the store, or None.

    Raises:
        UserError: they cannot be composed, change what Hydra runs, or name another package, or a
            store that the user does not name.
    """
    own = _compose([], [])
    config = _compose(
        [word for word in arguments if "=" in word and not word.startswith("-")],
        config_folders(arguments)[1:],
    )
    for key, value in _of_hydra(config).items():
        if value != _of_hydra(own).get(key):
            raise UserError(
                f"{origin}: the configs that it was launched with set hydra.{key}, which could run "
                "any code. Start a new run with your own command instead of resuming this one."
            )
    values, default = (_plain(each) for each in (config, own))
    named = values["plugins"]
    check_plugins(map(str, named if isinstance(named, list) else [named]), allowed, origin)
    address = values["tracking"]["uri"]
    if address in (None, default["tracking"]["uri"]):
        return values
    if "${" in str(address):  # it would carry what this environment holds to that address
        raise UserError(
            f"{origin}: the configs that it was launched with set tracking.uri={address}, an "
            "interpolation. Give tracking.uri=ADDRESS in this command."
        )
    check_address(str(address), origin, given, run_id)
    return values


def _plain(config: DictConfig) -> dict[str, Any]:
    """The values of the training's config as they are written, interpolations too."""
    return OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]


def _compose(words: list[str], folders: list[Path]) -> DictConfig:
    """The config with Hydra's own part; composing runs nothing that it names."""
    search_path = search_path_override(folders)
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("train", overrides=[*words, *search_path], return_hydra_config=True)
    except HydraException as error:
        raise UserError(explain(error, words)) from error


def _of_hydra(config: DictConfig) -> dict[str, Any]:
    """What Hydra acts on, unresolved, by its key."""
    plain = OmegaConf.to_container(config.hydra, resolve=False)
    assert isinstance(plain, dict)
    found = {str(key): value for key, value in plain.items() if key not in OF_A_COMMAND}
    return found | {f"job.{key}": plain["job"].get(key) for key in OF_A_JOB}
