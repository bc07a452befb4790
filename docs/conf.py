"""Sphinx's configuration: the pages of this folder, and the reference generated from code."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from generate import write_reference  # noqa: E402
from sightline import __version__  # noqa: E402

project = "Sightline"
author = "the authors of Sightline"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False  # types of libraries whose pages are elsewhere
myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "attrs_block"]

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"Sightline {release}"
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]
templates_path: list[str] = []


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for pages."""
    app.connect("builder-inited", lambda _: write_reference(HERE / "reference"))
