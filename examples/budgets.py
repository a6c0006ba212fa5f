"""The accuracy of a network that is pruned to half of its MACs, RAM, file size or time.

    firekeras convert pretrainedResnet.h5 resnet8.keras      (MLPerf Tiny's ResNet-8, a file of Keras 2)
    python examples/budgets.py resnet8.keras --data CIFAR10.npz
    python examples/budgets.py --table

CIFAR10.npz holds x_train, y_train, x_test and y_test; the network takes its images as they are and outputs class
probabilities. Each row starts from the same network: firekeras.compress to a target, or training for as long without
pruning, on flipped and cropped images in batches of 64, by Adam at 1e-3, falling to zero along a cosine. The network as
published has seen all training images, so 2,000 of the test images are for validation; accuracy is on the others, of
the network and of its int8 file in LiteRT, calibrated on 300 images. RAM and file size are those of the int8 file,
latency is that of a table of the float file on this machine. The arena is what LiteRT for Microcontrollers reports for
the file (`pip install -e ".[micro,deployment]"`). Each row is written at once, so the same command resumes if
interrupted.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from augmented import Augmented
from fashion_mnist import accuracy, append, compiled, read, recorded

import firekeras
from firekeras import datasets
from firekeras.export.side_by_side import measure_stages

sys.path.append(str(Path(__file__).parent / "benchmarks"))
from memory import arena

RESULTS = Path(__file__).parent / "results" / "budgets.jsonl"
ROWS = {
    "unpruned": None,
    "half the MACs": {"conv_macs": 0.5},
    "half the RAM": {"ram": 0.5},
    "half the file": {"flash": 0.5},
    "half of both": {"ram": 0.5, "flash": 0.5},
    "half the time": {"latency": 0.5},
}
BATCH, VALIDATION = 64, 2000


class Images:
    """Training images, flipped and cropped; of the test images the first are for validation, the others to test."""

    def __init__(self, path, count):
        found = datasets.load_dataset(path)
        self.plain = found.x_train[:count].astype("float32")
        self.train = Augmented(self.plain, found.y_train[:count], batch=BATCH)
        x, y = found.x_test.astype("float32"), found.y_test
        self.validation, self.test = (x[:VALIDATION], y[:VALIDATION]), (x[VALIDATION:], y[VALIDATION:])


def start(options):
    keras.utils.set_random_seed(options.seed)
    return compiled(keras.models.load_model(options.network, compile=False))


def trained(model, images, target, table, options):
    """The network of a row."""
    if target is not None:
        return firekeras.compress(
            model, images.train, images.validation, target=target, latency=table, epochs=options.epochs
        ).model
    compiled(model, keras.optimizers.schedules.CosineDecay(1e-3, options.epochs * len(images.train)))
    model.fit(images.train, validation_data=images.validation, epochs=options.epochs, verbose=2)
    return model


def outcome(model, images, table):
    """Accuracy and costs, of the network and of its int8 file."""
    with tempfile.TemporaryDirectory() as folder:
        made = firekeras.export_model(model, Path(folder) / "int8.tflite", samples=images.plain[:300], int8=True)
        (stage,) = measure_stages([made.path], images.test, runs=5)
        head, _ = arena(made.path)
    costs = firekeras.count_costs(model)
    found = {"accuracy": accuracy(model, images), "int8": stage.accuracy, "arena": head, "size": stage.size}
    return found | {"conv_macs": costs.conv_macs, "ram": costs.ram, "flash": costs.flash, "latency": by(table, model)}


def by(table, model):
    """Seconds, by the table."""
    scores = firekeras.score_filters(model, "l1")
    return firekeras.plan_pruning(model, scores, pruning_ratio=0.0, latency=table).costs_before.latency


def run(options):
    images = Images(options.data, options.images)
    path = options.results.with_suffix(".latency.json")
    if not path.exists():
        firekeras.latency_table(start(options)).save(path)
    table = firekeras.LatencyTable.load(path)
    common = {"network": options.network.stem, "epochs": options.epochs, "images": len(images.plain)}
    for name in ("as it was", *options.rows):
        key = common | {"seed": options.seed, "row": name}
        if recorded(key, read(options.results)):
            continue
        model = start(options)
        if name != "as it was":
            model = trained(model, images, ROWS[name], table, options)
            firekeras.reestimate_batch_norm(model, images.train)
        found = outcome(model, images, table)
        append(options.results, key | found)
        print(json.dumps(key | found), flush=True)


def table_of(records):
    """Markdown, a line per row."""
    lines = [
        "| | accuracy | int8 | conv MACs | RAM | arena | file, ours | file | ms, by the table |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in records:
        shares = [one["conv_macs"] / records[0]["conv_macs"], one["latency"] / records[0]["latency"]]
        lines.append(
            f"| {one['row']} | {one['accuracy']:.4f} | {one['int8']:.4f} | {shares[0]:.0%} | {one['ram']:,} "
            f"| {one['arena']:,} | {one['flash']:,} | {one['size']:,} | {one['latency'] * 1e3:.3f} ({shares[1]:.0%}) |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, nargs="?", help="a trained network, a .keras file")
    parser.add_argument("--data", type=Path, help="CIFAR10.npz")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=20_000, help="training images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="run nothing: print the existing results as Markdown")
    options = parser.parse_args()
    if not options.table:
        if not (options.network and options.data):
            parser.error("give a network and --data, or --table")
        run(options)
    print(table_of(read(options.results)))


if __name__ == "__main__":
    main()
