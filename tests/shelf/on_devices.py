"""Run by test_devices.py in processes of their own: what comes out on one device and on two, printed as JSON.

python tests/shelf/on_devices.py mirrored | data_parallel | processes  [RANK PORT FOLDER]
"""

import contextlib
import json
import os
import sys

KIND = sys.argv[1]
os.environ["KERAS_BACKEND"] = "tensorflow" if KIND == "mirrored" else "jax"
if KIND == "data_parallel":
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import keras  # noqa: E402
import networks  # noqa: E402
import numpy as np  # noqa: E402

import firekeras  # noqa: E402
from firekeras.channels import traced  # noqa: E402
from firekeras.keras_models import devices  # noqa: E402
from firekeras.scores.fire.counting_pass import CountingPass  # noqa: E402

if KIND != "data_parallel":  # which saves itself the import
    import tensorflow as tf

BATCH = 16
SAMPLES = 48


def two_devices():
    """What puts a model on two devices: a strategy or a distribution."""
    if KIND == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    if KIND == "processes":
        import jax

        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        keras.distribution.initialize(f"127.0.0.1:{sys.argv[3]}", 2, int(sys.argv[2]))
    return keras.distribution.DataParallel()


def compiled(build, optimizer):
    keras.utils.set_random_seed(0)
    model = networks.scramble(build())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def one_conv():
    image = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(networks.conv_bn_relu(image, 8, "conv1"))
    return keras.Model(image, keras.layers.Dense(3, name="logits")(x))


def small():
    """What compiles in seconds, for each process compiles it for itself."""
    return compiled(one_conv, keras.optimizers.SGD(0.01, momentum=0.9))


def samples(count):
    rng = np.random.default_rng(0)
    return rng.normal(size=(SAMPLES, 8, 8, 3)).astype("float32")[:count], rng.integers(0, 3, SAMPLES)[:count]


def data(count=SAMPLES):
    """In several processes a data set that Keras shares out among them, else arrays."""
    arrays = samples(count)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH) if KIND == "processes" else arrays


def fit(model, **settings):
    given = (data(),) if KIND == "processes" else data()
    held_out = data(BATCH)
    batch_size = None if KIND == "processes" else BATCH
    return model.fit(*given, batch_size=batch_size, validation_data=held_out, verbose=0, **settings)


def counts(profile):
    numbers = {name: [profile.zeros[name].tolist(), profile.seen[name].tolist()] for name in profile.zeros}
    maps = {name: rates.tolist() for name, rates in profile.maps.items()}
    return {"counts": numbers, "samples": profile.samples, "maps": maps}


def measured(model, one=False):
    """Counts of data whose last batch is one sample; and with maps where no batch is even."""
    uneven = 2 * BATCH + 1
    profile = firekeras.measure_fire(model, samples(uneven)[0] if one else data(uneven), batch_size=BATCH)
    few = 17 if KIND == "processes" else 5  # a process needs a batch of its own
    maps = firekeras.measure_fire(model, samples(few)[0] if one else data(few), batch_size=BATCH, neuron_maps=True)
    return [counts(profile), counts(maps)]


def num_devices(model):
    value = model.weights[0].value
    return len(value.values) if KIND == "mirrored" else len(value.sharding.device_set)


def shares(model):
    """How many of 43 samples, or of a batch of them, each device counts."""
    if KIND == "mirrored":
        counting = CountingPass(model, {relu.key: relu.axis for relu in traced(model).relus})
        counting.run((samples(43)[0],), batch_size=BATCH)
        value = counting.counters.seen_low.value
        return [int(one.numpy()[1, 0]) for one in model.distribute_strategy.experimental_local_results(value)]
    with devices.counting_apart() as place:
        return [len(shard.data) for shard in place(samples(BATCH)[0]).addressable_shards]


def described(model):
    total = float(sum(np.abs(keras.ops.convert_to_numpy(weight)).sum() for weight in model.weights))
    return {"devices": num_devices(model), "params": model.count_params(), "weights": total}


ROUND = {"tolerance": 1.0, "pruning_ratio": 0.2, "epochs": 1, "max_rounds": 1}


def round_of_compress(model):
    """A round; of several processes, in a run that is left after it, and resumed."""
    if KIND != "processes":
        return outcome(firekeras.compress(model, data(), data(BATCH), batch_size=BATCH, verbose=0, **ROUND))
    settings = {**ROUND, "run_dir": sys.argv[4]}
    next(firekeras.compression_rounds(model, data(), data(BATCH), **settings))
    return outcome(firekeras.compress(model, data(), data(BATCH), **settings, verbose=0, resume=True))


def outcome(result):
    return {"accepted": [record.accepted for record in result.rounds], **described(result.model)}


def callback_fit(model, measured_on, **settings):
    callback = firekeras.FirePruningCallback(measured_on, pruning_ratio=0.2, tolerance=1.0, **settings)
    history = fit(model, epochs=2, callbacks=[callback])
    records = callback.result.rounds
    return {
        **counts(callback.profile),
        "accepted": [record.accepted for record in records],
        "losses": history.history["loss"],
        **described(model),
    }


def facts(on_two):
    """Everything that the tests ask for."""
    first = KIND != "processes" or sys.argv[2] == "0"  # one process is enough for what each would count alone
    one = measured(small(), one=True) if first else None
    still = compiled(networks.two_convs, keras.optimizers.SGD(0.0))
    counted = counts(firekeras.measure_fire(still, samples(SAMPLES)[0], batch_size=BATCH)) if first else None
    with on_two():
        network = small()
        still = compiled(networks.two_convs, keras.optimizers.SGD(0.0))
    with on_two() if KIND != "mirrored" else contextlib.nullcontext():
        return {
            "one": one,
            "two": measured(network),
            "shares": shares(network),
            "compress": round_of_compress(network),
            "counted_by_one": counted,
            "callback": callback_fit(still, None),
            **(of_processes(network) if KIND == "processes" else {}),
        }


def of_processes(network):
    """What one process with several devices need not show again: data are shared out among processes."""
    too_few = error_of(lambda: firekeras.measure_fire(network, data(5)))
    taken = error_of(lambda: firekeras.compress(network, data(), data(BATCH), run_dir=sys.argv[4], verbose=0, **ROUND))
    recorded = callback_fit(small(), data(), run_dir=f"{sys.argv[4]}-fit")
    return {"too_few": too_few, "taken": taken, "callback_with_data": recorded}


def refusals(strategy):
    """The errors of everything that would take long, on several workers."""
    with strategy.scope():
        model = compiled(networks.two_convs, "sgd")
    calls = {
        "measure_fire": lambda: firekeras.measure_fire(model, samples(SAMPLES)[0]),
        "compress": lambda: firekeras.compress(model, samples(SAMPLES), samples(BATCH)),
        "callback": lambda: model.fit(*samples(SAMPLES), callbacks=[firekeras.FirePruningCallback()], verbose=0),
    }
    return {name: error_of(call) for name, call in calls.items()}


def error_of(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return None


if __name__ == "__main__":
    strategy = two_devices()
    workers = tf.distribute.MultiWorkerMirroredStrategy() if KIND == "mirrored" else None  # before anything is computed
    refused = {"refused": refusals(workers)} if workers else {}
    json.dump(facts(strategy.scope) | refused, sys.stdout)
