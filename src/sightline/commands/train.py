"""`sightline train`: one training, or with -m a sweep."""

from sightline.config.command import Command


def run(words: list[str]) -> int:
    """Compose the config with Hydra and train: once, or once for each job of a sweep (`-m`)."""
    asked = {"--help", "-h"} & set(words)
    if asked:
        from sightline.config.help_page import help_page

        behind = words[words.index(asked.pop()) + 1 :]
        print(help_page(words, next((w for w in behind if not w.startswith("-")), None)), end="")
        return 0
    from sightline.cluster.requeue import ignore_signals

    ignore_signals()
    from sightline.training.launch import launch

    return launch(words)


COMMAND = Command(help="train one model, or with -m a sweep of models", section="training", run=run)
