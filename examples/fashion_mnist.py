"""The cost and the results of pruning in an everyday job: small networks on Fashion-MNIST, trained for 4 epochs.

    apt install dataset-fashion-mnist
    python examples/fashion_mnist.py [--networks conv_bn plain] [--seeds 0 1 2] [--rows "compress*" "unpruned*"]
    python examples/fashion_mnist.py --table [--plot fashion.png]

Each row starts from the same trained network: firekeras.compress to a target or within its tolerance, the callback
inside fit, or training for as long without pruning; narrower networks are trained from scratch, for as many epochs in
all. Training uses 20,000 images, batches of 64 and Adam at 1e-3; 2,000 more images are for validation. Accuracy is on
all 10,000 test images, once for the network as it is and once settled: with BatchNormalization's statistics measured
again on training images. Each row is written at once, so the same command resumes if interrupted.
KERAS_BACKEND is respected.
"""

import argparse
import dataclasses
import fnmatch
import functools
import gzip
import json
import os
import tempfile
import time
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import firekeras
from firekeras import atomic

DATA = Path("/usr/share/datasets/fashion-mnist")
RESULTS = Path(__file__).parent / "results" / "fashion_mnist.jsonl"
CACHE = Path(tempfile.gettempdir()) / "firekeras-fashion-mnist"
BATCH, LEARNING_RATE = 64, 1e-3
REFERENCE, CLOCK = "unpruned cosine", "unpruned constant"  # what accuracies and times are compared with

# Data


@dataclasses.dataclass(frozen=True)
class Data:
    """Pairs of images, from 0 to 1, and classes."""

    train: tuple
    validation: tuple
    test: tuple


def load(folder, images=20_000):
    """Fashion-MNIST with a number of training images, and a tenth as many more for validation."""
    x, y = read_idx(folder, "train")
    end = images + images // 10
    if end > len(y):
        raise SystemExit(f"Fashion-MNIST has {len(y):,} training images: --images is {len(y) * 10 // 11:,} at most.")
    return Data((x[:images], y[:images]), (x[images:end], y[images:end]), read_idx(folder, "t10k"))


def read_idx(folder, split):
    x, y = (_array(folder / f"{split}-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    return x[..., None].astype("float32") / 255, y.astype("int64")


def _array(path):
    """An IDX file: two zeros, the type, the number of dimensions; then these, big-endian; then the bytes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise SystemExit(
            f"There is no {path}. Install the data with `apt install dataset-fashion-mnist`, or give the folder of "
            "Fashion-MNIST's four .gz files with --data."
        ) from None
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, "uint8", offset=4 + 4 * dimensions).reshape(shape)


# Networks


def conv_bn(scale=1.0):
    """Four times convolution, normalisation, ReLU: 8,778,240 conv MACs."""
    x = image = keras.Input((28, 28, 1))
    for number, filters in enumerate((32, 64, 128, 128)):
        x = layers.ReLU()(_normalised(x, filters, scale))
        x = layers.MaxPooling2D()(x) if number < 3 else x
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="conv_bn")


def plain(scale=1.0):
    """Three convolutions, no normalisation, a hidden Dense layer."""
    x = image = keras.Input((28, 28, 1))
    for filters in (24, 48, 64):
        x = layers.Conv2D(_scaled(filters, scale), 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="plain")


def residual(scale=1.0):
    """A ResNet of three blocks, each of which halves the image size and has a projection shortcut."""
    image = keras.Input((28, 28, 1))
    x = layers.ReLU()(_normalised(image, 20, scale))
    for filters in (20, 40, 64):
        inner = layers.ReLU()(_normalised(x, filters, scale, strides=2))
        inner = _normalised(inner, filters, scale)
        x = layers.ReLU()(layers.Add()([inner, _normalised(x, filters, scale, kernel_size=1, strides=2)]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="residual")


def _normalised(x, filters, scale, kernel_size=3, strides=1):
    settings = {"strides": strides, "padding": "same", "use_bias": False}
    return layers.BatchNormalization()(layers.Conv2D(_scaled(filters, scale), kernel_size, **settings)(x))


def _scaled(filters, scale):
    return max(1, round(filters * scale))


NETWORKS = {build.__name__: build for build in (conv_bn, plain, residual)}


def narrowed(build, share):
    """The network with all convolutions narrower by one factor, of about this share of the conv MACs."""
    whole = firekeras.count_costs(build()).conv_macs
    low, high = 0.0, 1.0
    for _ in range(10):
        middle = (low + high) / 2
        few = firekeras.count_costs(build(middle)).conv_macs <= share * whole
        low, high = (middle, high) if few else (low, middle)
    return build(low)


# Training and judging


def compiled(model, learning_rate=LEARNING_RATE):
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, data, epochs, callbacks=()):
    settings = {"batch_size": BATCH, "epochs": epochs, "validation_data": data.validation, "verbose": 0}
    model.fit(*data.train, callbacks=list(callbacks), **settings)
    return model


def fit_cosine(model, data, epochs):
    """Trains with a learning rate that falls to zero by a cosine."""
    steps = epochs * -(-len(data.train[1]) // BATCH)
    return fit(compiled(model, keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)), data, epochs)


def settle(model, data):
    """Measures BatchNormalization's statistics again, in place."""
    firekeras.reestimate_batch_norm(model, data.train[0], batch_size=250, samples=5000)
    return model


def accuracy(model, data):
    x, y = data.test
    return float(np.mean(model.predict(x, batch_size=250, verbose=0).argmax(-1) == y))


def base(name, seed, data, epochs, cache=CACHE):
    """The network that all rows start from: trained now, or read from the cache."""
    path = cache / f"{name}-{seed}-{epochs}-{len(data.train[1])}.keras"
    if not path.exists():
        keras.utils.set_random_seed(seed)
        model = fit(compiled(NETWORKS[name]()), data, epochs)
        cache.mkdir(parents=True, exist_ok=True)
        atomic.save_model(model, path)
    return keras.models.load_model(path)


# Rows: each takes the trained network and data, and gives the network that it comes to


def by_compress(model, data, **settings):
    return firekeras.compress(model, data.train, data.validation, batch_size=BATCH, verbose=0, **settings).model


def in_fit(model, data, epochs, **settings):
    return fit(model, data, epochs, [firekeras.FirePruningCallback(**settings)])


def narrow(model, data, share, epochs):
    return fit_cosine(narrowed(NETWORKS[model.name], share), data, epochs)


def rows(epochs):
    """The rows by name, in the order of the table."""
    longer, half, quarter = epochs * 5 // 2, {"conv_macs": 0.5}, {"conv_macs": 0.25}
    in_all = before(epochs) + epochs
    return {
        "as trained": lambda model, data: model,
        f"{CLOCK} {epochs}": functools.partial(fit, epochs=epochs),
        f"{CLOCK} {longer}": functools.partial(fit, epochs=longer),
        REFERENCE: functools.partial(fit_cosine, epochs=epochs),
        "compress 0.5": functools.partial(by_compress, target=half, epochs=epochs),
        "compress 0.25": functools.partial(by_compress, target=quarter, epochs=epochs),
        "compress": by_compress,
        "fit 0.5": functools.partial(in_fit, epochs=epochs, target=half),
        "fit 0.5 lr": functools.partial(in_fit, epochs=epochs, target=half, learning_rate=LEARNING_RATE),
        f"fit {epochs}": functools.partial(in_fit, epochs=epochs),
        f"fit {longer}": functools.partial(in_fit, epochs=longer),
        "narrow 0.5": functools.partial(narrow, share=0.5, epochs=in_all),
        "narrow 0.25": functools.partial(narrow, share=0.25, epochs=in_all),
    }


def before(epochs):
    """How many epochs the network is trained for before any row."""
    return max(1, epochs // 2)


def run_row(row, model, data):
    """The outcome of a row, as recorded in the results."""
    whole = firekeras.count_costs(model).conv_macs
    clocks = time.monotonic, time.process_time
    start = [clock() for clock in clocks]
    model = row(model, data)
    seconds, processor = (round(clock() - begun, 1) for clock, begun in zip(clocks, start, strict=True))
    found = {"conv_macs": firekeras.count_costs(model).conv_macs / whole, "saved": accuracy(model, data)}
    return found | {"settled": accuracy(settle(model, data), data), "seconds": seconds, "processor": processor}


# Results: JSON lines, one per row


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def recorded(key, records):
    """Whether one of the records has all the values of the key."""
    return any(key.items() <= record.items() for record in records)


def append(path, record):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def of_run(options, records):
    """The records that were made with these settings."""
    wanted = {"epochs": options.epochs, "images": options.images}
    return [record for record in records if wanted.items() <= record.items()]


def run(options):
    """Runs the missing rows; returns how many failed."""
    data, failures = load(options.data, options.images), 0
    for seed in options.seeds:
        for name in options.networks:
            for row in chosen(options):
                failures += not run_once({"network": name, "seed": seed, "row": row}, data, options)
    return failures


def run_once(key, data, options):
    """Runs a row unless it exists; returns whether it exists now."""
    if recorded(key, of_run(options, read(options.results))):
        return True
    keras.backend.clear_session()
    model = base(key["network"], key["seed"], data, before(options.epochs), options.cache)
    keras.utils.set_random_seed(key["seed"])
    try:
        found = run_row(rows(options.epochs)[key["row"]], model, data)
    except Exception:  # the other rows can still be run
        traceback.print_exc()
        print(f"{key['network']}, seed {key['seed']}, {key['row']}: failed", flush=True)
        return False
    append(options.results, key | {"epochs": options.epochs, "images": options.images} | found)
    print(line(key | found), flush=True)
    return True


def line(record):
    return (
        f"{record['network']:8} {record['seed']} {record['row']:20} {record['conv_macs']:6.1%}  "
        f"{record['settled']:.4f} ({record['saved']:.4f})  {record['seconds']:6.1f} s"
    )


def chosen(options):
    """The names of the rows that match the patterns."""
    known = list(rows(options.epochs))
    for pattern in options.rows:
        if not fnmatch.filter(known, pattern):
            raise SystemExit(f"No row is called {pattern!r}. There are: {', '.join(known)}.")
    return [name for name in known if any(fnmatch.fnmatch(name, pattern) for pattern in options.rows)]


# What is shown


def tables(records, options):
    """A Markdown table for each network: means over its seeds."""
    found = [table(name, [r for r in records if r["network"] == name], options) for name in options.networks]
    return "\n\n".join(filter(None, found))


def table(network, records, options):
    names = [name for name in chosen(options) if any(record["row"] == name for record in records)]
    if not names:
        return ""
    seeds = len({record["seed"] for record in records})
    heading = f"| {network}, {seeds} seed{'s' * (seeds > 1)} | conv MACs | settled | points | saved | seconds | time |"
    lines = [heading, "|---|--:|--:|--:|--:|--:|--:|"]
    return "\n".join(lines + [table_row(name, records, f"{CLOCK} {options.epochs}") for name in names])


def table_row(name, records, clock):
    """Means; points and time are relative to other rows of the same seed, a dash if there are none."""
    own = {record["seed"]: record for record in records if record["row"] == name}
    macs, settled, saved, seconds = (
        np.mean([record[key] for record in own.values()]) for key in ("conv_macs", "settled", "saved", "seconds")
    )
    points = [100 * (record["settled"] - other["settled"]) for record, other in pairs(own, records, REFERENCE)]
    times = [record["seconds"] / other["seconds"] for record, other in pairs(own, records, clock)]
    shown = f"{macs:.1%} | {settled:.4f} | {spread(points)} | {saved:.4f} | {seconds:.0f}"
    return f"| {name} | {shown} | {f'{np.mean(times):.2f}' if times else '-'} |"


def pairs(own, records, name):
    """Pairs of each record of `own` and the record of the row `name` with the same seed."""
    others = {record["seed"]: record for record in records if record["row"] == name}
    return [(own[seed], others[seed]) for seed in own if seed in others]


def spread(values):
    if not values:
        return "-"
    return f"{np.mean(values):+.2f}" + (f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


def plot(records, options):
    """Plots settled accuracy over the share of conv MACs, with a panel per network, a mark per row, a dot per seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(options.networks), 5), layout="constrained")
    panels = figure.subplots(1, len(options.networks), squeeze=False)[0]
    for axes, network in zip(panels, options.networks, strict=True):
        axes.set(title=network, xlabel="share of conv MACs")
        for number, name in enumerate(chosen(options)):
            points = [(r["conv_macs"], r["settled"]) for r in records if (r["network"], r["row"]) == (network, name)]
            if points:
                axes.scatter(*zip(*points, strict=True), label=name, color=f"C{number % 10}", marker="os^D"[number % 4])
    panels[0].set_ylabel("test accuracy, settled")
    handles = {label: one for axes in panels for one, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    with atomic.whole_file(options.plot) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", nargs="+", default=["*"], help="names of rows or patterns (default: all)")
    parser.add_argument(
        "--epochs", type=int, default=8, help="the first training has half as many; 'longer' is 2.5 times this"
    )
    parser.add_argument(
        "--images", type=int, default=20_000, help="training images; a tenth as many more are for validation"
    )
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of the .gz files (default: {DATA})")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the trained networks")
    parser.add_argument("--table", action="store_true", help="run nothing: print the existing results as Markdown")
    parser.add_argument("--plot", type=Path, help="run nothing: draw the existing results as PNG")
    return parser.parse_args(given)


def main(given=None):
    options = arguments(given)
    failures = 0 if options.table or options.plot else run(options)
    records = of_run(options, read(options.results))
    if options.plot:
        plot(records, options)
    print(tables(records, options))
    return failures


if __name__ == "__main__":
    raise SystemExit(main() and "Some rows failed.")
