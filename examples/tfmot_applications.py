"""Writes every model of keras.applications in tf_keras, and proves it or shows the refusal.

    python examples/tfmot_applications.py [NAME ...] [--output examples/tfmot_applications.md]

Each is built without weights at the smallest input that it takes, scrambled, and without its softmax. A model whose
layers all have a counterpart must give equal outputs in tf_keras, to 1e-4 of the largest: in float32, or in float64
where random weights blow up what float32 rounds off; and two images must give outputs that are further apart than 1%
of the largest, so that equal says something. The table says which layers TF-MOT's quantisation-aware training
then refuses, or the bridge before it; models that are not refused are prepared for it by TF-MOT itself.
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
        raise ValueError(f"{model.name} hardly tells two images apart: that outputs are equal would say nothing.")
    return Bridge(model, images)


def in_float64(name):
    """The same in float64: at random weights some networks blow up what float32 rounds off."""
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
    """One row; raises where outputs are not equal."""
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
    # TF-MOT takes no float64; fresh weights blow nothing up
    quantized(bridge.legacy if bridge.legacy.input.dtype == "float32" else Bridge(smallest(name)).legacy)
    return {**row, "quantisation-aware": "yes", "because of": ""}


def kinds(error):
    """What is refused, by class of layer and reason, with how many there are."""
    found = re.findall(r"'[^']*' \((\w+)\) ([^;]*?)(?=[;.] ?)", str(error))
    counts = {pair: found.count(pair) for pair in dict.fromkeys(found)}
    return "; ".join(f"{count} {kind} {reason}" for (kind, reason), count in counts.items()) or str(error)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    arguments.add_argument("--output", type=pathlib.Path)
    chosen = arguments.parse_args()
    rows, failed = [], []
    # each in a process of its own: what TensorFlow keeps of 40 networks takes over 20 GB
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
