"""How every figure looks: one width, one print, and names of any script and length."""

import io
import warnings
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sightline.reports.parts import Chart

P = ParamSpec("P")

WIDTH = 4.3  # inches: on the page as wide as a narrow screen, so that the print is readable there
CSS_PIXELS = 84  # an inch, on the page
DPI = 168  # twice as many, for screens that have them
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
}
SCRIPTS = ("Noto Sans", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Arial Unicode MS")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the style of all figures, without changing anybody else's."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(_style()):
            return draw(*args, **kwargs)

    return drawn


@cache
def _style() -> Any:
    """With the usual font, and those that this machine has for the scripts that it lacks."""
    there = {font.name for font in fontManager.ttflist}
    return STYLE | {"font.family": ["DejaVu Sans", *(name for name in SCRIPTS if name in there)]}


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of that many inches, laid out by constraints."""
    layout = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def plain_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches, in matplotlib's own style."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def to_chart(figure: Figure, name: str, alt: str, shrinks: bool = False) -> Chart:
    """A figure as it goes into a page and into a file."""
    return Chart(name, to_png(figure), alt, round(figure.get_figwidth() * CSS_PIXELS), shrinks)


def to_png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure's drawing."""
    out = io.BytesIO()
    with matplotlib.rc_context(_style()), warnings.catch_warnings():
        # A script without a font becomes boxes here; the tables beside have the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, dpi=dpi, format="png")
    return out.getvalue()


def short(name: str, limit: int = 16) -> str:
    """A class's name as matplotlib may print it: on one line, cut, and no formula."""
    line = " ".join(name.split()) or "(no name)"
    return (line if len(line) <= limit else line[: limit - 1] + "…").replace("$", r"\$")
