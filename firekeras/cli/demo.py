"""`firekeras demo`: trains and compresses a small network in a few minutes, without downloads."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import checks
from firekeras.cli.compress import finish, run_rounds
from firekeras.cli.console import import_keras
from firekeras.cli.files import check_output
from firekeras.cli.options import Output, Seed
from firekeras.cli.words import in_options
from firekeras.terminal import Terminal, activity

DEMO_BATCH = 32


def demo(
    seed: Seed = 0,
    output: Output = Path("pruned.keras"),
    conv_macs: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of the convolutions' MACs that is left, above 0, up to 1.")
    ] = 0.25,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training while the network is compressed.")] = 12,
    first_epochs: Annotated[int, typer.Option(min=1, help="Epochs of training before that.")] = 15,
):
    """Trains a small network on handwritten digits and compresses it: takes one to three minutes, downloads nothing.

    A few cuts remove the filters of highest FIRE (how often their ReLU outputs zero), until a quarter of the
    convolutions' MACs is left; then the network trains to the end. A quarter of the training images is held out to
    judge it by; the test images are read once, at the end.

    Example: firekeras demo --seed 1 --output small.keras
    """
    check_output(output)
    checks.check_target("conv_macs", conv_macs)
    checks.check_seed(seed)
    keras = import_keras()
    from firekeras import datasets, zoo
    from firekeras.cli import classifier
    from firekeras.report.progress import RoundsOnTerminal

    keras.utils.set_random_seed(seed)
    dataset = datasets.load_dataset("digits")
    split = datasets.hold_out(dataset, 0.25, seed)
    network = zoo.digits_cnn()
    _train_demo(network, split, first_epochs)
    classifier.compile_for_tuning(network, 0.05)
    settings = {"target": {"conv_macs": conv_macs}, "epochs": epochs, "seed": seed, "batch_size": DEMO_BATCH}
    words = partial(in_options, options=("conv_macs", "epochs"))
    with RoundsOnTerminal(console=Terminal(highlight=False), words=words) as listener:
        before, rounds = run_rounds(network, split, listener, **settings)
        finish(before, rounds, dataset, output, listener)


def _train_demo(network, split, epochs):
    """Trains with a learning rate that ends at zero, so the baseline has converged."""
    keras = import_keras()
    from firekeras.cli import classifier

    x, y, *_ = split
    steps = epochs * math.ceil(len(x) / DEMO_BATCH)
    classifier.compile_for_tuning(network, keras.optimizers.schedules.CosineDecay(0.05, steps))
    with activity(f"Training {network.name} on {len(x)} images for {epochs} epochs"):
        network.fit(x, y, batch_size=DEMO_BATCH, epochs=epochs, verbose=0)
