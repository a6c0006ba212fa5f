"""Whether two devices give the same counts as one, and how long each takes, including compiling.

    python examples/benchmarks/devices.py [SAMPLES]

ResNet-20 on random images, on the CPU split in two: `tf.distribute.MirroredStrategy`,
`keras.distribution.DataParallel` on JAX, and the same over two processes. Two halves of one
CPU show that counting is exact, but not how much faster several real devices are.
"""

import os
import socket
import subprocess
import sys
import time

KINDS = ("mirrored", "data_parallel", "processes")


def two_devices(kind, rank, port):
    import keras

    if kind == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    if kind == "processes":
        import jax

        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        keras.distribution.initialize(f"127.0.0.1:{port}", 2, rank)
    return keras.distribution.DataParallel()


def measured(samples):
    """A profile of a network made here, and the seconds that it took."""
    import keras
    import numpy as np
    import tensorflow as tf

    import firekeras
    from firekeras.zoo import resnet_cifar

    keras.utils.set_random_seed(0)
    model = resnet_cifar(20)
    images = np.random.default_rng(0).normal(size=(samples, 32, 32, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices(images).batch(64)
    start = time.perf_counter()
    profile = firekeras.measure_fire(model, data)
    return profile, time.perf_counter() - start


def compare(kind, rank, port, samples):
    import numpy as np

    on_two = two_devices(kind, rank, port)
    one, seconds_of_one = measured(samples)
    with on_two.scope():
        two, seconds_of_two = measured(samples)
    equal = all(
        np.array_equal(one.zeros[name], two.zeros[name]) and np.array_equal(one.seen[name], two.seen[name])
        for name in one.zeros
    )
    if rank == 0:
        print(
            f"{kind}: counts equal: {equal}; one device {seconds_of_one:.1f} s, two {seconds_of_two:.1f} s", flush=True
        )


def start(kind, rank, port, samples):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow" if kind == "mirrored" else "jax"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if kind == "data_parallel":
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    return subprocess.Popen([sys.executable, __file__, kind, str(rank), str(port), str(samples)], env=environment)


def main():
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for kind in KINDS:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        running = [start(kind, rank, port, samples) for rank in range(2 if kind == "processes" else 1)]
        for process in running:
            process.wait()


if __name__ == "__main__":
    if len(sys.argv) == 5:
        compare(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        main()
