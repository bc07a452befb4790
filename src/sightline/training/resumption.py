"""The words of `sightline train resume=...`: those of the run that is resumed, and its folder."""

import yaml

from sightline.config.augment_form import with_logged_form
from sightline.config.compose import compose_job, register_resolvers
from sightline.config.data_addresses import addresses_in
from sightline.config.options import as_tuple
from sightline.config.stored import trusted_plugins
from sightline.config.stored_words import check_composed
from sightline.config.words import quoted
from sightline.data.known_addresses import check_addresses
from sightline.errors import UserError
from sightline.paths import project_root
from sightline.runs.find import find_run, find_unfinished
from sightline.runs.folder import RunFolder
from sightline.runs.imported import check_is_training
from sightline.runs.resume import (
    former_defaults,
    kept_choices,
    no_download,
    resumed_arguments,
)


def with_folder_to_resume(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """`resume=RUN_ID|FOLDER|auto` as the folder of a run, with the arguments that it began with.

    Args:
        arguments: of the command, one `resume=` among them.

    Returns:
        The arguments, and which of them the command gave; None where all are its own.

    Raises:
        UserError: there is no such run, or what its folder holds could run code that this command
            does not allow.
    """
    wanted = [word.partition("=")[2] for word in arguments if word.startswith("resume=")]
    if "-m" in arguments or "--multirun" in arguments:
        raise UserError("resume= is for one run; a sweep resumes when its command is given again.")
    given = [word for word in arguments if not word.startswith("resume=")]
    if wanted[-1] != "auto":
        frozen = find_run(wanted[-1], project_root())
        run = RunFolder(frozen.job.output_dir)
        check_is_training(run.state.name or run.path.name, run.state.tags)
        params = run.state.params
        began = with_logged_form(frozen.config, params)
        before = [*former_defaults(began), *kept_choices(began), *no_download(began)]
        words = resumed_arguments(frozen.job, [*before, *given])
        register_resolvers(words)
        uri = _given(given, "tracking.uri")
        known = run.upload.position().get("run_id")
        composed = check_composed(words, trusted_plugins(_plugins_of(given)), run.path, uri, known)
        check_addresses(composed["data"], run.path, addresses_in(given))
        return words, given
    folder = find_unfinished(project_root() / "runs", compose_job(given)[0])
    if folder is None:
        print("resume=auto: no unfinished run has this config; a new one is started.")
        return given, None
    return [*given, f"hydra.run.dir={quoted(str(folder))}"], None


def _plugins_of(words: list[str]) -> tuple[str, ...]:
    """The packages that the words of this command name."""
    value = _given(words, "plugins")
    named = as_tuple(yaml.safe_load(value)) if value is not None else ()
    return tuple(map(str, named)) if isinstance(named, (list, tuple)) else ()


def _given(words: list[str], key: str) -> str | None:
    """The value of a key in the words of this command, without quotes; None where it has none."""
    values = [word.partition("=")[2] for word in words if word.lstrip("+").startswith(f"{key}=")]
    return values[-1].strip("\"'") if values else None
