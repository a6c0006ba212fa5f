"""Rebuilds every model of keras.applications in tf_keras, and checks it or shows why it is refused.

    python examples/tfmot_applications.py [NAME ...] [--output examples/tfmot_applications.md]

Each model is built without weights at the smallest input size that it accepts, with random weights and without its
softmax. A model whose layers all have a counterpart must give equal outputs in tf_keras, to 1e-4 of the largest: in
float32, or in float64 if random weights amplify rounding errors. Two images must give outputs that differ by more than
1% of the largest, so that equality means something. The table says which layers the bridge refuses, or TF-MOT's
quantisation-aware training after it; TF-MOT itself prepares the models that are not refused.
"""

import argparse
import multiprocessing
import os
import pathlib
import re
import sys
from concurrent import futures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tf_keras
from applications import model_names, scramble, smallest, table

from firekeras.export.bridge import Bridge
from firekeras.export.keeping import quantized
from firekeras.export.quantization_aware import check_layers


def without_softmax(name):
    model = smallest(name)
    for layer in model.layers:  # a softmax would hide what happens before it
        if getattr(layer, "activation", None) is keras.activations.softmax:
            layer.activation = keras.activations.linear
    scramble(model)
    return model


def bridged(model):
    images = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
    one, other = model.predict(images, verbose=0)
    if abs(one - other).max() < 0.01 * max(abs(one).max(), abs(other).max()):
        raise ValueError(
            f"The outputs of {model.name} hardly depend on the image, so equal outputs would prove nothing."
        )
    return Bridge(model, images)


def in_float64(name):
    """The same in float64, since with random weights some networks amplify the rounding errors of float32."""
    set_precision("float64")
    try:
        return bridged(without_softmax(name))
    finally:
        set_precision("float32")


def set_precision(name):
    for one in (keras, tf_keras):
        one.backend.set_floatx(name)
    keras.config.set_dtype_policy(name)
    tf_keras.mixed_precision.set_global_policy(name)


def check(name):
    """One row; raises an error if outputs are not equal."""
    model = without_softmax(name)
    row = {"model": name, "input": model.input_shape[1]}
    try:
        bridge = bridged(model)
    except ValueError as error:
        if not re.search("gives something else|hardly tells", str(error)):
            return {**row, "tf_keras": "refused", "quantisation-aware": "refused", "because of": kinds(error)}
        bridge = in_float64(name)
    row["tf_keras"] = f"equal to {bridge.difference.largest:.0e}"
    try:
        check_layers(bridge.legacy)
    except ValueError as error:
        return {**row, "quantisation-aware": "refused", "because of": kinds(error)}
    # TF-MOT does not accept float64; with fresh weights nothing is amplified
    quantized(bridge.legacy if bridge.legacy.input.dtype == "float32" else Bridge(smallest(name)).legacy)
    return {**row, "quantisation-aware": "yes", "because of": ""}


def kinds(error):
    """The refused layers, by class and reason, with their number."""
    found = re.findall(r"'[^']*' \((\w+)\) ([^;]*?)(?=[;.] ?)", str(error))
    counts = {pair: found.count(pair) for pair in dict.fromkeys(found)}
    return "; ".join(f"{count} {kind} {reason}" for (kind, reason), count in counts.items()) or str(error)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    arguments.add_argument("--output", type=pathlib.Path)
    chosen = arguments.parse_args()
    rows, failed = [], []
    # each in its own process: TensorFlow would hold over 20 GB for 40 networks
    with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in chosen.names or model_names():
            try:
                rows.append(pool.submit(check, name).result())
                print(rows[-1], flush=True)
            except ValueError as error:
                failed.append(name)
                print(f"FAILS {name}: {error}", flush=True)
    if chosen.output:
        chosen.output.write_text(table(rows))
    print(f"{len(rows)} hold, {len(failed)} fail: {failed}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main() > 0)
