"""Images to predict, from a file, a folder, a pattern, a table of images, or a list."""

import glob
import hashlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sightline.data.reading.images import FileImages, Images
from sightline.data.reading.scan import scan_images
from sightline.data.sources.folder import existing_folder
from sightline.data.sources.image_paths import with_suffix
from sightline.data.sources.manifest_checks import IMAGE_COLUMNS
from sightline.data.tables.files import DELIMITERS, JSON_LINES, PARQUET, read_table, require_column
from sightline.errors import UserError, did_you_mean, first_line
from sightline.inference.parquet_images import ParquetImages, holds_images
from sightline.io.printable import as_utf8

log = logging.getLogger(__name__)

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Inputs:
    """Images in an order that stays the same as long as the input does.

    Attributes:
        ids: N ids as in a training's tables: paths relative to the root, or row keys.
        paths: N paths; of an image inside a table its id.
        images: N images.
    """

    ids: pa.Array
    paths: pa.Array
    images: Images

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over ids and paths, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for column in (self.ids, self.paths):
            for name in column.to_pylist():
                digest.update(f"{name}\0".encode())
        return digest.hexdigest()


def read_inputs(
    given: str | Path | Sequence[str | Path],
    root: str | None = None,
    image_column: str | None = None,
    image_suffix: str = "",
) -> Inputs:
    """The images that an input names.

    Args:
        given: an image; a folder, whose images are found at any depth; a pattern; a table (CSV,
            TSV, JSON lines, Parquet) that names images, or a Parquet file that holds them; `-`
            for a list of paths on standard input; or a list of paths.
        root: the folder that ids, and the paths in a table, are relative to; None: the given
            folder, the folder of the table, or, for other inputs, ids are the paths themselves.
        image_column: of a table; None: the first of image, path, file, ... that it has.
        image_suffix: appended to names in a table that have no ending, such as .jpg.

    Raises:
        UserError: the input does not exist, cannot be read, or holds no images.
    """
    if root is not None:
        existing_folder(root, "root")
    if not isinstance(given, (str, Path)):
        return _listed([os.fspath(path) for path in given], root)
    if str(given) == STANDARD_INPUT:
        return _listed([line for line in sys.stdin.read().splitlines() if line.strip()], root)
    path = Path(given).expanduser()
    if path.is_dir():
        return _in_folder(path, root, image_column)
    files = _files(path)
    if all(file.suffix.lower() in PARQUET for file in files):
        return _in_parquet(files, root, image_column, image_suffix)
    if len(files) == 1 and files[0].suffix.lower() in (*DELIMITERS, *JSON_LINES):
        return _in_table(files[0], root, image_column, image_suffix)
    return _listed([str(file) for file in files], root)


def check_input(given: str, root: str | None) -> None:
    """Refuse an input or a root that is not there, before a model is loaded.

    Raises:
        UserError: as `read_inputs`.
    """
    if root is not None:
        existing_folder(root, "root")
    path = Path(given).expanduser()
    if given != STANDARD_INPUT and not path.is_dir():
        _files(path)


def _files(path: Path) -> list[Path]:
    """The file, or those that a pattern matches; at least one."""
    if path.is_file():
        return [path]
    matching = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  as it was typed
    files = [Path(name) for name in matching if Path(name).is_file()]
    if not files:
        raise UserError(_nothing(path))
    return files


def _nothing(path: Path) -> str:
    if glob.has_magic(str(path)):
        return f"input={path}: no file matches this pattern."
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"input={path}: there is no such file or folder.{did_you_mean(path.name, beside)}"


def _listed(paths: list[str], root: str | None) -> Inputs:
    if not paths:
        raise UserError("input: the list of images is empty.")
    column = _texts(paths)
    ids = column if root is None else _texts(_relative(paths, root))
    return Inputs(ids, column, FileImages(Path(), column))


def _texts(names: Iterable[str]) -> pa.Array:
    """Names as text; a name that is not UTF-8 then names no file: its row has an error."""
    return pa.array(map(as_utf8, names), pa.string())


def _relative(paths: list[str], root: str) -> Iterator[str]:
    base = Path(root).expanduser().absolute()
    return (os.path.relpath(Path(path).absolute(), base) for path in paths)


def _in_folder(folder: Path, root: str | None, image_column: str | None) -> Inputs:
    scan = scan_images(folder, folder)
    names = sorted(os.path.normpath(name) for name in scan.images)
    if scan.left_out:
        log.warning("input=%s: left out: %s.", folder, scan.left_out.describe())
    if names:
        paths = [str(folder / name) for name in names]
        column = _texts(paths)
        ids = _texts(names if root is None else _relative(paths, root))
        return Inputs(ids, column, FileImages(Path(), column))
    tables = sorted(path for ending in PARQUET for path in folder.rglob(f"*{ending}"))
    if not tables:
        raise UserError(f"input={folder}: there are no images in this folder.")
    return _in_parquet(tables, root, image_column, "")


def _in_parquet(
    files: list[Path], root: str | None, image_column: str | None, image_suffix: str
) -> Inputs:
    """Images inside Parquet files, or the files that a single Parquet file names."""
    try:
        schema = pq.read_schema(files[0])
    except (pa.ArrowInvalid, OSError) as error:
        line = first_line(error)
        raise UserError(f"{files[0]} cannot be read: {line}") from error
    column = _image_column(schema.names, image_column)
    if column in schema.names and holds_images(schema.field(column).type):
        images = ParquetImages(files, column)
        return Inputs(images.names, images.names, images)
    if len(files) > 1:
        raise UserError(
            f"{files[0]}, column {column!r}: expected images as bytes. Of tables that name "
            "images, give one at a time."
        )
    return _in_table(files[0], root, image_column, image_suffix)


def _in_table(file: Path, root: str | None, image_column: str | None, image_suffix: str) -> Inputs:
    table = read_table(file)
    column = _image_column(table.column_names, image_column)
    require_column(table, column, "image_column", str(file))
    names = pc.fill_null(table[column].combine_chunks().cast(pa.string()), "")
    names = with_suffix(names, image_suffix)
    base = file.parent if root is None else Path(root).expanduser()
    paths = pa.array([str(base / name) for name in names.to_pylist()], pa.string())
    return Inputs(names, paths, FileImages(Path(), paths))


def _image_column(names: list[str], wanted: str | None) -> str:
    return wanted or next((name for name in IMAGE_COLUMNS if name in names), "image")
