"""`sightline models`: timm's models by name, with what they expect and whether they are at hand."""

from sightline.config.command import Command
from sightline.config.options import Options, positional

ROW = "{:58} {:>12}  {:>9}  {:13} {}"


class ModelsOptions(Options):
    """Options of `sightline models`."""

    pattern: str = positional("of names, with * for any characters", "*")


def run(options: ModelsOptions) -> int:
    """List models, a line each, as they are found.

    Raises:
        UserError: no name matches.
    """
    from sightline.models.published import published_models

    found = published_models(options.pattern)
    print(ROW.format("MODEL.NAME", "PARAMETERS", "MB", "INPUT", "WEIGHTS"))
    for model in found:
        count = "?" if model.parameters is None else f"{model.parameters:,}"
        size = "?" if model.parameters is None else f"{4 * model.parameters / 1e6:,.1f}"
        weights = "published" if model.has_weights else "none"
        where = f"in the cache: {model.cached}" if model.cached else weights
        expected = "×".join(map(str, model.input_size))
        print(ROW.format(model.name, count, size, expected, where), flush=True)
    return 0


COMMAND = Command(
    help="list timm's models with their size, input and weights",
    section="training",
    about="""\
Lists the models of timm whose names match a pattern, one line for each set of weights: the name
that model.name takes, the number of parameters and their size in float32, the images that it
expects (channels, height, width), and whether weights were published or are in this machine's
cache. None are downloaded; `sightline prefetch model.name=NAME` does that.""",
    examples={"sightline models 'vit*'": "", "sightline models resnet18": ""},
    options=ModelsOptions,
    run=run,
)
