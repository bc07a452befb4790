"""Scans of folders for images, and the files there that are left out, with reasons."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sightline.data.reading.formats import EXTRAS, image_suffixes
from sightline.errors import counted
from sightline.io.printable import as_utf8

# Folders that file managers, cameras, notebooks and storage servers make, in any case.
SYSTEM_FOLDERS = frozenset({
    "@eadir", "__macosx", "__pycache__", "lost+found", "#recycle", "@recycle", "$recycle.bin",
    "system volume information", "thumbnails", "thumbs",
})  # fmt: skip
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
# Formats of images that are not read, or only with an extra, by suffix.
NAMED_FORMATS = {
    ".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF", ".jxl": "JPEG XL",
    ".dcm": "DICOM", ".dicom": "DICOM", ".nii": "NIfTI", ".svg": "SVG", ".pdf": "PDF",
    ".dng": "camera raw", ".cr2": "camera raw", ".cr3": "camera raw", ".nef": "camera raw",
    ".arw": "camera raw", ".raf": "camera raw", ".orf": "camera raw", ".rw2": "camera raw",
    ".exr": "OpenEXR", ".hdr": "Radiance HDR", ".mat": "MATLAB", ".npz": "NumPy archive",
    ".mp4": "video", ".mov": "video", ".avi": "video", ".mkv": "video", ".zip": "archive",
}  # fmt: skip
FILES = " files"  # after a suffix
HIDDEN = "in hidden or system folders"
NO_SUFFIX = "without a suffix"
BESIDE = "beside the class folders"
SHOWN = 6  # reasons that a summary names


@dataclass
class LeftOut:
    """Files of a folder that are not read.

    Attributes:
        paths: relative to the data's root.
        reasons: of each path: a format, `.txt files`, `without a suffix`, ...
    """

    paths: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.paths)

    def add(self, path: str, reason: str) -> None:
        """Add a file."""
        self.paths.append(as_utf8(path))
        self.reasons.append(reason)

    def extend(self, other: "LeftOut") -> None:
        """Add the files of another scan."""
        self.paths += other.paths
        self.reasons += other.reasons

    def describe(self) -> str:
        """The number of files for each reason: `12 HEIC, 3 without a suffix`."""
        counts = sorted(Counter(self.reasons).items(), key=lambda each: (-each[1], each[0]))
        shown = [
            counted(count, reason.removesuffix("s") if reason.endswith(FILES) else reason, reason)
            + _extra(reason)
            for reason, count in counts[:SHOWN]
        ]
        others = sum(count for _, count in counts[SHOWN:])
        return ", ".join(shown + ([counted(others, "other")] if others else []))

    def rows(self) -> list[dict[str, str]]:
        """A row a file."""
        return [
            {"path": path, "reason": reason}
            for path, reason in zip(self.paths, self.reasons, strict=True)
        ]


def _extra(reason: str) -> str:
    return f" (sightline[{EXTRAS[reason]}] reads them)" if reason in EXTRAS else ""


@dataclass(frozen=True)
class Scan:
    """Files of a folder.

    Attributes:
        images: paths of those that are read, relative to the data's root, sorted.
        left_out: those that are not.
    """

    images: list[str]
    left_out: LeftOut


def scan_images(base: Path, folder: Path) -> Scan:
    """All files in `folder` and below; links to folders are followed once.

    Hidden folders, those of file managers and storage servers (`@eaDir`, `__MACOSX`, ...), and
    files whose suffix is not that of an image are left out.

    Args:
        base: the folder that paths are relative to.
        folder: that is scanned.
    """
    images: list[str] = []
    left_out = LeftOut()
    for path, hidden in _walk(base, folder):
        reason = HIDDEN if hidden else why_left_out(path.rpartition("/")[2])
        if reason is None:
            images.append(path)
        elif reason:
            left_out.add(path, reason)
    return Scan(sorted(images), left_out)


def holds_images(folder: Path) -> bool:
    """Whether there is an image in a folder or below."""
    files = (path.rpartition("/")[2] for path, hidden in _walk(folder, folder) if not hidden)
    return any(why_left_out(file) is None for file in files)


def _walk(base: Path, folder: Path) -> Iterator[tuple[str, bool]]:
    """Each file's path relative to `base`, and whether it is in a hidden or system folder."""
    # A link may lead back to a folder above.
    seen = {str(above) for above in Path(os.path.realpath(folder)).parents}
    hidden: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a link to a folder above itself
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        hidden |= {f"{parent}/{each}" for each in folders if parent in hidden or is_hidden(each)}
        prefix = os.path.relpath(parent, base)
        for file in files:
            yield f"{prefix}/{file}", parent in hidden


def scan_beside(base: Path, folder: Path) -> LeftOut:
    """Images that lie in `folder` itself, where only its subfolders are classes, and those in
    hidden and system folders there."""
    left_out = LeftOut()
    for path in sorted(folder.iterdir()):
        if path.is_file() and (reason := why_left_out(path.name)) != "":
            left_out.add(os.path.relpath(path, base), reason or BESIDE)
        if path.is_dir() and is_hidden(path.name):
            for file, _ in _walk(base, path):
                if why_left_out(file.rpartition("/")[2]) is None:
                    left_out.add(file, HIDDEN)
    return left_out


def why_left_out(file: str) -> str | None:
    """The reason to leave out a file, by its name.

    Returns:
        None for an image; an empty text for a hidden file or one of a file manager.
    """
    if file.startswith(".") or file.lower() in SYSTEM_FILES:
        return ""
    suffix = Path(file).suffix.lower()
    if suffix in image_suffixes():
        return None
    if not suffix:
        return NO_SUFFIX
    if suffix in NAMED_FORMATS:
        return NAMED_FORMATS[suffix]
    if suffix.strip() in image_suffixes():
        return "with a space after the suffix"
    return f"{suffix}{FILES}"


def is_hidden(folder: str) -> bool:
    """Whether a folder's name is that of a hidden folder, or of a file manager's own."""
    return folder.startswith(".") or folder.lower() in SYSTEM_FOLDERS


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones and links to where they are."""
    place = Path(os.path.realpath(folder))
    above = {place, *place.parents}
    with os.scandir(folder) as entries:
        return sorted(
            e.name
            for e in entries
            if e.is_dir()
            and not is_hidden(e.name)
            and not (e.is_symlink() and Path(os.path.realpath(e.path)) in above)
        )
