"""Formats of images: those that can be read here, and the extras that others need."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from sightline.data.reading.dicom import DICOM_SUFFIXES

ARRAY_SUFFIXES = frozenset({".npy"})
# Formats that Pillow identifies without a decoder; PostScript is a program, which Ghostscript runs.
NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
# The extra of Sightline that reads a format.
EXTRAS = {"HEIC": "heif", "JPEG XL": "jxl", "DICOM": "dicom"}
PLUGINS = {"HEIC": "pillow_heif", "JPEG XL": "pillow_jxl"}  # of Pillow
# How files begin: a JPEG XL codestream, or its container; the brands of HEIC.
JPEG_XL = (b"\xff\n", b"\0\0\0\x0cJXL \r\n\x87\n")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
LONGEST = 12  # bytes


def form_of(file: Path | bytes, name: str) -> str:
    """`array`, `dicom`, or empty for what Pillow reads: by its name, and of bytes by content."""
    suffix = Path(name).suffix.lower()
    content = file if isinstance(file, bytes) else b""
    if suffix in ARRAY_SUFFIXES or content.startswith(b"\x93NUMPY"):
        return "array"
    return "dicom" if suffix in DICOM_SUFFIXES or content[128:132] == b"DICM" else ""


def needed_extra(file: Path | bytes) -> str | None:
    """The format of a file, by how it begins, whose extra is not installed; else None."""
    if isinstance(file, bytes):
        begin = file[:LONGEST]
    else:
        with file.open("rb") as stream:
            begin = stream.read(LONGEST)
    heic = begin[4:8] == b"ftyp" and begin[8:12] in HEIC_BRANDS
    form = "HEIC" if heic else "JPEG XL" if begin.startswith(JPEG_XL) else None
    return None if form is None or find_spec(PLUGINS[form]) else form


@cache
def register_plugins() -> None:
    """Let Pillow read HEIC and JPEG XL where their packages are installed."""
    if find_spec(PLUGINS["HEIC"]) is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    if find_spec(PLUGINS["JPEG XL"]) is not None:
        import_module(PLUGINS["JPEG XL"])  # registers itself


@cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of the files that can be read as images, in lower case."""
    register_plugins()
    Image.init()
    readable = Image.OPEN.keys() - NOT_DECODED
    found = {suffix for suffix, kind in Image.EXTENSION.items() if kind in readable}
    dicom = DICOM_SUFFIXES if find_spec("pydicom") is not None else frozenset()
    return ARRAY_SUFFIXES | dicom | found
