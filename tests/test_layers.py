"""The structure: imports go downward, also within the big rooms, and one place knows each thing."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import sightline

SOURCE = Path(sightline.__file__).parent
# From the bottom up. A module imports only from its own line, or from those before it; a line
# names packages or modules, and the longest name that fits a module counts.
LAYERS = [
    ["errors", "types", "paths", "tracking.mlflow.tags"],
    ["cluster.ranks", "cluster.slurm"],
    ["cluster.launched", "cluster.requeue", "cluster.run_name"],
    ["io"],
    ["predictions"],
    ["config"],
    ["label_modes.counts"],
    ["label_modes.ranked_scores"],
    ["label_modes.measures", "label_modes.sigmoid", "label_modes.softmax", "label_modes.logits"],
    ["label_modes.base"],
    ["label_modes.single_label"],
    ["label_modes.binary", "label_modes.multiclass", "label_modes.multilabel"],
    ["label_modes.stored"],
    [
        "models.weight_file",
        "models.timm_compat",
        "models.input_check",
        "models.model_names",
        "models.head",
        "models.given",
        "models.preprocessing",
        "models.published",
        "models.imagenet",
    ],
    [
        "models.weight_places",
        "models.transformers_names",
        "models.weight_origin",
        "models.weight_values",
        "models.stored_weights",
        "models.fitting_size",
        "models.lora",
        "models.head_cut",
        "models.linear_head",
    ],
    ["models.fine_tuning"],
    ["models.weights", "models.nearest_model", "models.recipe", "models.weight_paths"],
    ["models.file_weights"],
    ["models.classifier", "models.backbone", "models.cnn", "models.ensemble"],
    ["models.cifar_resnet", "models.two_stage"],
    ["models.feature_map", "models.build", "models.pooling"],
    ["models.grad_cam"],
    ["data.reading"],
    ["data.geometries", "data.augmentations"],
    ["data.source_data", "data.image_sizes"],
    ["data.tables.preamble", "data.tables.encoding"],
    ["data.tables.delimited_rows"],
    ["data.tables.delimited"],
    ["data.tables.files"],
    ["data.labels", "data.tables.repeats", "data.tables.split_column"],
    ["data.tables.source", "data.statistics", "data.pixels", "data.checks"],
    ["data.cache"],
    ["data.splits", "data.sources"],
    ["data.loading", "data.from_config", "data.known_addresses"],
    [
        "metrics.decided",
        "metrics.units",
        "metrics.selective",
        "metrics.set_scores",
        "metrics.ood_scores",
    ],
    ["metrics.fitted_table"],
    ["metrics.scarcity", "metrics.estimates"],
    ["metrics.shares", "metrics.informative"],
    ["metrics.class_shares", "metrics.ood_detection"],
    ["metrics.metric"],
    ["metrics.binned_calibration"],
    ["metrics.definitions"],
    ["metrics.registry"],
    ["metrics.monitor", "metrics.resampling", "metrics.values", "metrics.thresholds"],
    ["metrics.calibration"],
    ["metrics.crossfit", "metrics.bias_correction", "metrics.certified"],
    ["metrics.shrunk_thresholds", "metrics.abstention", "metrics.conformal"],
    ["metrics.fitted_calibration", "metrics.ood_rule"],
    ["metrics.fitted_thresholds"],
    ["metrics.tuning"],
    ["metrics.tuned_table"],
    ["metrics.metric_sets", "metrics.fitted_tuning", "metrics.disagreement"],
    ["metrics.intervals"],
    ["metrics.evaluation"],
    ["metrics.slice_differences"],
    ["metrics.slices", "metrics.robustness"],
    ["reports.parts", "reports.figures.axis_values"],
    ["reports.canvas", "reports.confusion_clusters", "reports.evaluated_split"],
    ["reports.figures", "reports.section_inputs", "reports.set_parts"],
    ["reports.thumbnails", "reports.metric_tables", "reports.formatted_metrics"],
    [
        "reports.sections",
        "reports.page",
        "reports.terminal",
        "reports.verdict",
        "reports.class_table",
    ],
    ["runs"],
    ["tracking.task"],
    ["tracking.description", "tracking.provenance", "tracking.dataset_inputs", "tracking.tracker"],
    [
        "tracking.mlflow.environment",
        "tracking.mlflow.errors",
        "tracking.mlflow.views",
        "tracking.mlflow.ui_address",
    ],
    [
        "tracking.mlflow.databases",
        "tracking.mlflow.links",
        "tracking.mlflow.http_artifacts",
        "tracking.mlflow.batches",
        "tracking.mlflow.system_metrics",
        "tracking.mlflow.client",
    ],
    ["tracking.mlflow.run_names", "tracking.mlflow.model_words", "tracking.mlflow.model_code"],
    ["tracking.mlflow.store", "tracking.mlflow.stored_run", "tracking.mlflow.model"],
    ["tracking.mlflow.run_pages"],
    ["tracking.mlflow.artifacts", "tracking.mlflow.queries"],
    [
        "tracking.mlflow.stored_files",
        "tracking.mlflow.stored_tunings",
        "tracking.mlflow.run_groups",
    ],
    ["tracking.mlflow.delivery"],
    ["tracking.sender.run_upload", "tracking.sender.pending"],
    ["tracking.sender"],
    [
        "comparison.settings",
        "comparison.compared_run",
        "comparison.reproduction",
        "comparison.run_summary",
    ],
    ["comparison.uncertainty", "comparison.stored_metrics", "comparison.sampling_errors"],
    ["comparison.expected_maximum", "comparison.paired_shares"],
    ["comparison.comparability", "comparison.hypothesis_tests", "comparison.replicates"],
    ["comparison.config_columns"],
    ["comparison.grouping", "comparison.named_groups"],
    ["comparison.stored_values"],
    ["comparison.sample_tests", "comparison.config_tests"],
    ["comparison.estimates"],
    ["comparison.power_law"],
    ["comparison.label_curves"],
    ["comparison.label_curve_figure"],
    ["comparison.leaderboard"],
    ["comparison.tasks"],
    ["comparison.verdicts"],
    ["comparison.pair_tests", "comparison.selection"],
    ["comparison.model_differences"],
    ["comparison.differing_models"],
    ["comparison.tables", "comparison.figures", "comparison.tested_board"],
    ["comparison.notes"],
    ["comparison.rendering", "comparison.printed"],
    ["comparison.boards"],
    ["comparison.compare"],
    ["comparison.run"],
    ["inference.corruptions.sampling", "inference.corruptions.textures"],
    ["inference.corruptions", "inference.device", "inference.decisions", "inference.views"],
    ["inference.parquet_images", "inference.image_batches", "inference.feature_probes"],
    ["inference.partial_table", "inference.table_files", "inference.table_options"],
    ["inference.predict_options"],
    ["inference.inputs", "inference.resumable_table"],
    ["inference.image_objects"],
    ["inference.result_rows"],
    ["inference.model", "inference.identity"],
    ["inference.load", "inference.split_probs", "inference.explainer", "inference.formats.base"],
    ["inference.formats"],
    ["inference.model_export"],
    ["inference.export_checks", "inference.features", "inference.ranking"],
    ["inference.ranked_predictions"],
    ["inference.prediction_table"],
    ["inference.pyfunc"],
    ["training"],
    [
        "evaluation.settings",
        "evaluation.options",
        "evaluation.overrides",
        "evaluation.destination",
        "evaluation.stored_model",
    ],
    ["evaluation.samples", "evaluation.published"],
    ["evaluation.seen"],
    ["evaluation.target", "evaluation.ood_checks"],
    ["evaluation.logging", "evaluation.report", "evaluation.result", "evaluation.ood_outputs"],
    ["evaluation.announce", "evaluation.ensemble_members", "evaluation.greedy_members"],
    ["evaluation.ensemble_page", "evaluation.ood_page"],
    ["evaluation.ensemble_run"],
    [
        "evaluation.run",
        "evaluation.run_export",
        "evaluation.soup",
        "evaluation.ensemble",
        "evaluation.ood",
    ],
    ["doctor", "importing"],
    ["sweeps.slots", "sweeps.signals", "sweeps.overrides", "sweeps.sweep"],
    ["sweeps.relaunch"],
    ["sweeps.plan"],
    ["sweeps.forked_jobs", "sweeps.job_server"],
    ["sweeps.process"],
    ["sweeps.table"],
    ["sweeps.groups"],
    ["sweeps.tasks"],
    ["sweeps.label_curves"],
    ["sweeps.figures", "sweeps.board", "sweeps.printed_board"],
    ["sweeps.note"],
    ["sweeps.summary"],
    ["sweeps.jobs", "sweeps.progress"],
    ["sweeps.local"],
    ["sweeps.run"],
    ["sweeps.slurm.sbatch"],
    ["sweeps.slurm.submission", "sweeps.slurm.ends"],
    ["sweeps.slurm.jobs"],
    ["sweeps.slurm.run"],
    ["sweeps.search.options", "sweeps.search.spaces", "sweeps.search.samplers"],
    ["sweeps.search.grammar", "sweeps.search.tasks"],
    ["sweeps.search.plan"],
    ["sweeps.search.summary", "sweeps.search.recalled"],
    ["sweeps.search.trials"],
    ["sweeps.search.run"],
    [
        "probing.words",
        "probing.composed",
        "probing.data",
        "probing.judge",
        "probing.backbone",
        "probing.stored_features",
        "probing.settings",
        "probing.board",
    ],
    ["probing.fitted"],
    ["probing.nearest_neighbours", "probing.logistic", "probing.linear", "probing.few_shot"],
    ["probing.probes", "probing.forward"],
    ["probing.extraction"],
    ["probing.record", "probing.checkpoint"],
    ["probing.report"],
    ["probing.logging"],
    ["probing.fitting"],
    ["probing.run"],
    ["commands"],
    ["api.options", "api.figures"],
    ["api.run"],
    ["api.comparison"],
    ["api"],
    ["cli"],
]
FILES_OF_MLFLOW = {"mlflow.db", "mlflow.yaml"}  # like a tag's name, but none
MODULES = sorted(path for path in SOURCE.rglob("*.py"))
LINES = {name: number for number, names in enumerate(LAYERS) for name in names}


def name_of(path: Path) -> str:
    """`data.sources.folder` for data/sources/folder.py."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def layer(module: str) -> int | None:
    """The line of a module of Sightline's, by the longest name that fits; None for a package's."""
    parts = module.split(".")
    for count in range(len(parts), 0, -1):
        if (name := ".".join(parts[:count])) in LINES:
            return LINES[name]
    return None


@cache
def imported(path: Path) -> set[str]:
    """Full names of what a module imports, also inside functions and for typing alone."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def test_imports_go_downward() -> None:
    """A package's own `__init__`, which re-exports lazily, has no line."""
    lines = {path: layer(name_of(path)) for path in MODULES}
    assert {path.name for path, own in lines.items() if own is None} == {"__init__.py"}
    upward = [
        f"{name_of(path)} imports {name}"
        for path, own in lines.items()
        for name in (imported(path) if own is not None else ())
        if name.startswith("sightline.")
        and (layer(name.removeprefix("sightline.")) or 0) > (own or 0)
    ]
    assert upward == []


def importers(package: str) -> set[str]:
    return {
        name_of(path)
        for path in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imported(path))
    }


def test_mlflow_is_known_to_its_own_room_and_to_the_model_it_loads() -> None:
    known = {name for name in importers("mlflow") if not name.startswith("tracking.mlflow.")}
    assert known == {"inference.pyfunc"}


def test_tracking_knows_neither_training_nor_reports() -> None:
    """Not even for typing: a run of anything can be logged."""
    for path in (SOURCE / "tracking").rglob("*.py"):
        for name in imported(path):
            assert not name.startswith(("sightline.training", "sightline.reports")), path


def test_tags_are_named_in_one_place() -> None:
    """A tag of MLflow's is a constant of tracking.mlflow.tags, which anything may import."""
    tags = SOURCE / "tracking" / "mlflow" / "tags.py"
    assert imported(tags) == set()
    unique = {"run_key", "run_folder", "evaluates", "test.looks", "git.dirty", "told_ms"}
    for path in MODULES:
        if path == tags:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = re.match(r"mlflow\.\w+(\.\w+)*$|evaluated\.$", node.value)
                assert node.value not in unique, f"{path}: {node.value}"
                assert named is None or node.value in FILES_OF_MLFLOW, f"{path}: {node.value}"


def test_hydra_builds_no_object() -> None:
    """It would walk attributes and nested nodes: `config.targets` finds what a config may name."""
    assert importers("hydra.utils") == set()


def test_reports_know_neither_lightning_nor_mlflow() -> None:
    for path in (SOURCE / "reports").rglob("*.py"):
        assert not {n.split(".")[0] for n in imported(path)} & {"mlflow", "pytorch_lightning"}


def test_sections_import_no_other_section() -> None:
    package = "sightline.reports.sections."
    for path in (SOURCE / "reports/sections").glob("*.py"):
        assert not {name for name in imported(path) if name.startswith(package)}, path.name


def test_only_label_modes_know_the_label_mode() -> None:
    for path in MODULES:
        if path.parts[-2] == "label_modes" or path.name == "digits.py":
            continue  # the digits have a question of their own for each mode
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node)
                names = ("'binary'", "'multiclass'", "'multilabel'")
                if path.name == "description.py" and "multiclass" in text:
                    continue  # the run's name leaves out the most common mode
                assert not any(name in text for name in names), f"{path}: {text}"


def test_few_modules_are_loose_at_the_top() -> None:
    assert len(list(SOURCE.glob("*.py"))) <= 6


def test_commands_are_thin() -> None:
    for path in (SOURCE / "commands").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, f"{path.name}: move its code into a room"


def test_no_two_classes_have_one_name() -> None:
    found = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in found.items() if count > 1] == []


def test_csv_text_is_written_in_one_place() -> None:
    """A table over many images is streamed by pyarrow, which is another writer."""
    for path in MODULES:
        if name_of(path) != "io.csv_files":
            text = path.read_text()
            assert "csv.writer(" not in text and "DictWriter(" not in text, path  # noqa: PT018
            assert ".to_csv(" not in text, path
