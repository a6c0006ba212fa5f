"""FIRE against Li's l1, random filters and training from scratch: ResNets on CIFAR-10, several seeds.

    python examples/compare_cifar.py CIFAR10.npz --output cifar [--depth 20] [--model TRAINED.keras]

CIFAR10.npz holds x_train, y_train, x_test and y_test. If no model is given, one is trained first. Images are flipped
and cropped for training; a tenth of the training images is not trained on. Finished runs are kept in the output
folder, so the same command resumes if interrupted. It writes results.jsonl, comparison.md, .svg, .html,
and the network of each run. Random filters and FIRE go in a few cuts, l1 all at once; all have the same epochs.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from augmented import Augmented

from firekeras import atomic, datasets, methods, zoo
from firekeras.cli.classifier import compile_for_tuning
from firekeras.studies.compare import Scratch, compare
from firekeras.studies.compare.entries import factories
from firekeras.studies.compare.report import markdown, outcome_line, write_report

DEFAULTS = ["fire", "fire_paper", "l1", "l1_global", "random", "scratch", "unpruned"]


def trained(arguments, data, validation):
    """The network that all runs begin with: from the file, or trained now and written."""
    path = arguments.model or arguments.output.with_suffix(".baseline.keras")
    if path.exists():
        return keras.models.load_model(path, compile=False)
    network = zoo.resnet_cifar(arguments.depth)
    steps = arguments.baseline_epochs * len(data)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=0.1, warmup_steps=len(data))
    compile_for_tuning(network, schedule)
    start = time.monotonic()
    network.fit(data, epochs=arguments.baseline_epochs, validation_data=validation, verbose=2)
    print(f"Baseline: {(time.monotonic() - start) / 3600:.2f} h. Written: {path}")
    atomic.save_model(network, path)
    return network


def entries(arguments):
    """The methods to compare, by name."""
    found = factories([name for name in arguments.methods if name != "fire_measured"])
    if "fire_measured" in arguments.methods:
        found["fire_measured"] = lambda seed: methods.get("fire", mode="measured")
    if "scratch" in found:
        found["scratch"] = Scratch(learning_rate=0.1)
        found["scratch, longer"] = Scratch(epochs=arguments.scratch_epochs, learning_rate=0.1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("cifar"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=DEFAULTS)
    parser.add_argument("--macs", type=float, nargs="+", default=[0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--scratch-epochs", type=int, default=80)
    parser.add_argument("--baseline-epochs", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()

    start = time.monotonic()
    dataset = datasets.load_dataset(arguments.data, limit=arguments.limit)
    x, y, *validation = datasets.hold_out(dataset, 0.1)
    data = Augmented(x, y)
    keras.utils.set_random_seed(0)
    network = trained(arguments, data, tuple(validation))
    compile_for_tuning(network, arguments.learning_rate)
    found = compare(
        network,
        data,
        tuple(validation),
        (dataset.x_test, dataset.y_test),
        methods=entries(arguments),
        target={"conv_macs": arguments.macs},
        seeds=arguments.seeds,
        epochs=arguments.epochs,
        folder=arguments.output,
        on_result=lambda outcome, so_far: print(outcome_line(outcome, so_far), flush=True),
    )
    print(markdown(found))
    print(f"{(time.monotonic() - start) / 3600:.2f} h", *write_report(found, arguments.output), sep="\n")


if __name__ == "__main__":
    main()
