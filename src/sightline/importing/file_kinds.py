"""Files of other programs that hold no table, refused with what to save in their place."""

from pathlib import Path

from sightline.errors import UserError

IN_PLACE = "expected a table (CSV, TSV, Parquet, JSON lines) with a row for each sample"
ARRAYS = (".npz", ".npy", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".h5", ".safetensors")


def check_file_kind(given: Path) -> None:
    """Refuse what cannot hold ids and the numbers of all classes.

    Raises:
        UserError: it is a folder, arrays without ids, or a text file.
    """
    suffix = given.suffix.lower()
    if given.expanduser().is_dir():
        raise UserError(
            f"predictions={given} is a folder; {IN_PLACE}. The files that Ultralytics writes to "
            "labels/ hold the five most probable classes, rounded to two digits: save "
            "result.path and result.probs.data of each image."
        )
    if suffix in ARRAYS:
        raise UserError(
            f"predictions={given}: {suffix} holds arrays without the ids of the samples; "
            f"{IN_PLACE}. Of transformers' Trainer.predict, save the ids, in the order of the data "
            "set, and predictions, as a column logits."
        )
    if suffix == ".txt":
        raise UserError(
            f"predictions={given}: a .txt file has no columns; {IN_PLACE}. Ultralytics' hold the "
            "five most probable classes of an image, rounded to two digits: save result.path and "
            "result.probs.data."
        )
