"""The accuracy of pruned CIFAR-10 networks: ResNet-56 at 39% and VGG-16 at 21% and 13% of their conv MACs.

    python examples/cifar10.py CIFAR10.npz --networks resnet56.keras --shares 0.39
    python examples/cifar10.py CIFAR10.npz --networks vgg16.keras --shares 0.21 0.13
    python examples/cifar10.py CIFAR10.npz --networks resnet20.keras --shares 0.5 --epochs 10   (without a GPU)
    python examples/cifar10.py --table

CIFAR10.npz holds x_train, y_train, x_test and y_test; the networks take its images as they are and output class scores.
Each row starts from the same trained network: firekeras.compress to a share of the conv MACs, with distillation by
default, always or never; or training for as long without pruning. 48,000 images are for training, flipped and cropped,
in batches of 256, by SGD with Nesterov momentum and a learning rate that falls from 0.05 to zero along a cosine; 2,000
more are for validation; accuracy is on all test images, before and at the end, settled. The times are recorded with
each row, and each row is written at once, so the same command resumes if interrupted. KERAS_BACKEND is respected.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from augmented import Augmented
from fashion_mnist import accuracy, append, read, recorded

import firekeras
from firekeras import datasets
from firekeras.cli import classifier
from firekeras.keras_models import model_file

RESULTS = Path(__file__).parent / "results" / "cifar10.jsonl"
ROWS = {"compress": {}, "distill": {"distill": True}, "no distill": {"distill": False}, "unpruned": None}
BATCH = 256
HELD_OUT = 0.04  # share of the training images for validation


class Cifar:
    """Training images with augmentation, validation and test images without."""

    def __init__(self, path):
        dataset = datasets.load_dataset(path)
        x, y, *validation = datasets.hold_out(dataset, HELD_OUT)
        self.train = Augmented(x, y, batch=BATCH)
        self.validation = tuple(validation)
        self.test = (dataset.x_test, dataset.y_test)


def compiled(model, learning_rate):
    """SGD as used to train these networks; a decay of 0.005 equals an L2 penalty of 0.0005."""
    optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True, weight_decay=0.005)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=classifier.gives_logits(model))
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def compressed(model, data, share, options, settings):
    result = firekeras.compress(
        model, data.train, data.validation, target={"conv_macs": share}, epochs=options.epochs, verbose=2, **settings
    )
    return result.model, {part: round(seconds, 1) for part, seconds in result.time.items()}


def trained_on(model, data, options):
    steps = options.epochs * len(data.train)
    compiled(model, keras.optimizers.schedules.CosineDecay(options.learning_rate, steps))
    model.fit(data.train, validation_data=data.validation, epochs=options.epochs, verbose=2)
    return model, {}


def row(key, data, options):
    """The outcome of a row, as recorded in the results."""
    keras.utils.set_random_seed(key["seed"])
    model = compiled(model_file.load_model(key["file"], compile=False), options.learning_rate)
    whole, before = firekeras.count_costs(model).conv_macs, accuracy(model, data)
    start, settings = time.monotonic(), ROWS[key["row"]]
    if settings is None:
        model, parts = trained_on(model, data, options)
    else:
        model, parts = compressed(model, data, key["share"], options, settings)
    seconds = round(time.monotonic() - start, 1)
    firekeras.reestimate_batch_norm(model, data.train)
    found = {"before": before, "after": accuracy(model, data), "seconds": seconds, "parts": parts}
    return {"conv_macs": firekeras.count_costs(model).conv_macs / whole} | found


def keys(options):
    """The requested rows."""
    common = {"epochs": options.epochs, "backend": keras.backend.backend()}
    for seed in options.seeds:
        for file in options.networks:
            for name in options.rows:
                for share in options.shares if ROWS[name] is not None else [1.0]:
                    yield common | {"network": Path(file).stem, "row": name, "share": share, "seed": seed}, file


def run(options):
    data = Cifar(options.data)
    for key, file in keys(options):
        if recorded(key, read(options.results)):
            continue
        found = row(key | {"file": file}, data, options)
        append(options.results, key | found)
        print(json.dumps(key | found), flush=True)


def table(records):
    """Markdown, a line per row."""
    lines = [
        "| network | conv MACs | | epochs | before | after | points | seconds |",
        "|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    for one in sorted(records, key=lambda record: (record["network"], -record["share"], record["row"], record["seed"])):
        points = 100 * (one["after"] - one["before"])
        lines.append(
            f"| {one['network']} | {one['conv_macs']:.1%} | {one['row']} | {one['epochs']} | {one['before']:.4f} "
            f"| {one['after']:.4f} | {points:+.2f} | {one['seconds']:.0f} |"
        )
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="CIFAR10.npz")
    parser.add_argument("--networks", nargs="+", default=[], help="trained networks, .keras files")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.39], help="shares of the conv MACs to keep")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=["compress"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="run nothing: print the existing results as Markdown")
    options = parser.parse_args()
    if not options.table and not (options.data and options.networks):
        parser.error("give the data and --networks, or --table")
    return options


def main():
    options = arguments()
    if not options.table:
        run(options)
    print(table(read(options.results)))


if __name__ == "__main__":
    main()
