"""Style of figures: width, font sizes, fonts for any script, and their form as PNG."""

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

WIDTH = 4.3  # inches: as wide as a narrow screen at CSS_PIXELS, so that text is readable there
CSS_PIXELS = 84  # of the page for each inch
DPI = 168  # twice CSS_PIXELS, for high-density screens
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
    """Decorate a drawing function: it draws in the reports' style, which holds only inside it."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(_style()):
            return draw(*args, **kwargs)

    return drawn


@cache
def _style() -> Any:
    """The style with matplotlib's font, and installed fonts for the scripts that it lacks."""
    there = {font.name for font in fontManager.ttflist}
    return STYLE | {"font.family": ["DejaVu Sans", *(name for name in SCRIPTS if name in there)]}


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of `width` by `height` inches with constrained layout."""
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
    """A figure as a chart of a section."""
    return Chart(name, to_png(figure), alt, round(figure.get_figwidth() * CSS_PIXELS), shrinks)


def to_png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG."""
    out = io.BytesIO()
    with matplotlib.rc_context(_style()), warnings.catch_warnings():
        # Letters without a font become boxes; the tables beside the figure hold the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _lay_out(figure, dpi)
        figure.savefig(out, dpi=dpi, format="png")
    return out.getvalue()


def _lay_out(figure: Figure, dpi: int) -> None:
    """Place its parts once; `savefig` alone would draw it twice, once for the layout."""
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.set_dpi(dpi)
        engine.execute(figure)
        figure.set_layout_engine(None)


def short(name: str, limit: int = 16) -> str:
    """A class's name for matplotlib: on one line, at most `limit` characters, `$` escaped."""
    line = " ".join(name.split()) or "(no name)"
    return (line if len(line) <= limit else line[: limit - 1] + "…").replace("$", r"\$")
