"""`firekeras demo`: a small network, trained and compressed in a minute, nothing to download."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from firekeras.cli.compress import finish, run_rounds
from firekeras.cli.console import errors_in_words, import_keras
from firekeras.cli.files import check_output
from firekeras.cli.options import Output, Seed, Tolerance

DEMO_BATCH = 32


@errors_in_words()
def demo(
    seed: Seed = 0,
    output: Output = Path("pruned.keras"),
    tolerance: Tolerance = 0.01,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs that the network is trained for, before any cut.")] = 15,
    epochs_per_round: Annotated[int, typer.Option(min=0, help="Epochs of fine-tuning after each cut.")] = 10,
    max_rounds: Annotated[int, typer.Option(min=1, help="How many rounds at most: it bounds the time.")] = 6,
):
    """Trains a small network on handwritten digits, and compresses it: about a minute, nothing to download.

    Each round removes a tenth of the filters, those with the highest FIRE (how often their ReLU gives zero), and
    fine-tunes. A quarter of the training images is held out to decide on each round; the test images are read once,
    at the end.

    Example: firekeras demo --seed 1 --output small.keras
    """
    check_output(output)
    keras = import_keras()
    from firekeras import classifier, datasets, zoo
    from firekeras.report.progress import RoundsOnTerminal

    keras.utils.set_random_seed(seed)
    dataset = datasets.load_dataset("digits")
    split = datasets.hold_out(dataset, 0.25, seed)
    network = zoo.digits_cnn()
    _train_demo(network, split, epochs)
    classifier.compile_for_tuning(network, 0.02)
    settings = {"pruning_ratio": 0.1, "epochs_per_round": epochs_per_round, "batch_size": DEMO_BATCH}
    with RoundsOnTerminal(console=Console(highlight=False)) as listener:
        result = run_rounds(network, split, listener, tolerance=tolerance, max_rounds=max_rounds, **settings)
        finish(network, result, dataset, "accuracy", output, listener)


def _train_demo(network, split, epochs):
    """Trains with a learning rate that ends at zero, so that the accuracy to compare with is a settled one."""
    keras = import_keras()
    from firekeras import classifier

    x, y, *_ = split
    steps = epochs * math.ceil(len(x) / DEMO_BATCH)
    classifier.compile_for_tuning(network, keras.optimizers.schedules.CosineDecay(0.05, steps))
    with Console(stderr=True).status(f"Training {network.name} on {len(x)} images for {epochs} epochs"):
        network.fit(x, y, batch_size=DEMO_BATCH, epochs=epochs, verbose=0)
