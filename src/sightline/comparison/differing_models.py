"""Reading of two runs' predictions and images, for where their models differ."""

from collections.abc import Mapping, Sequence

import numpy as np

from sightline.comparison.comparability import check_same_samples
from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.model_differences import Model, differences_section
from sightline.comparison.verdicts import Pair
from sightline.config.job_words import with_allowed_download
from sightline.data.from_config import read_source
from sightline.data.known_addresses import check_addresses
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.raster import ImageData
from sightline.errors import UserError
from sightline.label_modes.stored import label_mode_of
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Section
from sightline.reports.section_inputs import ReadImage
from sightline.tracking.mlflow.stored_files import read_tables
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.stored_tunings import read_tunings


def differing_models(
    pairs: Sequence[Pair], stored: Mapping[str, StoredRun], split: str
) -> Section | None:
    """Where the first pair's models differ; of several runs of a group those of the lowest seed.

    Args:
        pairs: the best group against the next.
        stored: by the run's id.
        split: whose predictions are compared.

    Returns:
        None where there is no pair, or its runs were not evaluated on the same samples.
    """
    if not pairs:
        return None
    runs = _same_repeat(*pairs[0].runs)
    needed = [stored[run.run_id] for run in runs]
    tables, tunings = read_tables(needed, split), read_tunings(needed)
    models = []
    for letter, run in zip("AB", runs, strict=True):
        table, tuning = tables[run.run_id], tunings[run.run_id]
        if isinstance(table, UserError):
            return None
        known = tuning if isinstance(tuning, Tuning) else Tuning()
        models.append(Model(letter, run.name, _evaluated(table, known, split)))
    first, second = models
    try:
        check_same_samples(first.evaluated.table, second.evaluated.table, (runs[0], runs[1]), split)
    except UserError:
        return None
    read_image, note = _images(needed, split)
    return differences_section(first, second, read_image, note)


def _same_repeat(
    first: Sequence[ComparedRun], second: Sequence[ComparedRun]
) -> tuple[ComparedRun, ComparedRun]:
    """Runs of one seed and fold, where both groups have it."""
    theirs = {run.repeat: run for run in second}
    shared = [run for run in first if run.repeat in theirs]
    return (shared[0], theirs[shared[0].repeat]) if shared else (first[0], second[0])


def _evaluated(table: Predictions, tuning: Tuning, split: str) -> EvaluatedSplit:
    """The table under its tuning, ordered by id."""
    parts = parts_of_val(tuning, table) if split == "val" else None
    found = EvaluatedSplit(split, label_mode_of(table), table, tuning, parts)
    return found.select(np.argsort(table.ids, kind="stable"))


def _images(runs: Sequence[StoredRun], split: str) -> tuple[ReadImage, str]:
    """Access to the images by id, as the first run's config says; else why there is none."""
    frozen = next((run.folder.frozen for run in runs if run.folder and run.folder.frozen), None)
    if frozen is None:
        return _no_image, "Images are missing: the run's folder is not on this machine."
    try:
        check_addresses(frozen.config.data, frozen.job.output_dir)
        source = read_source(with_allowed_download(frozen.config, False))
        samples = source.splits[split]
    except (UserError, OSError, KeyError) as error:
        return _no_image, f"Images are missing: the data cannot be read ({error})."
    places = {name: place for place, name in enumerate(samples.ids.to_pylist())}

    def read(name: str) -> ImageData:
        if name not in places:
            raise UnreadableImage(f"{name} is not in the data any more")
        return samples.read(places[name])

    return read, ""


def _no_image(name: str) -> ImageData:
    raise UnreadableImage(f"{name} cannot be read here")
