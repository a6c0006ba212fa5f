"""How long it takes to plan and carry out a cut, compared with Torch-Pruning on the same network.

    python examples/benchmarks/surgery.py              # ResNet-50, half of all filters, global ranking
    python examples/benchmarks/surgery.py --growth     # dense blocks of 32, 64 and 128 layers, and large networks

Seconds of the processor, by one thread if OMP_NUM_THREADS=1. Torch-Pruning is included if it is installed (`pip install
torch torch-pruning`), and so is what Keras alone takes to build the pruned network once more and to set its weights.
KERAS_BACKEND is respected.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers

import firekeras

RUNS = 5


def timed(steps):
    """Median seconds of several named steps, over runs; each step gets the result of the previous one."""
    seconds = {name: [] for name, _ in steps}
    for _ in range(RUNS):
        value = None
        for name, step in steps:
            start = time.process_time()
            value = step(value)
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def firekeras_seconds(model, ratio=0.5):
    """Graph, scores (l1), plan and surgery of a Keras model."""
    kept = {}

    def remember(name, value):
        kept[name] = value
        return value

    return timed(
        [
            ("graph", lambda _: remember("graph", firekeras.channel_graph(model))),
            ("scores", lambda _: remember("scores", firekeras.score_filters(model, "l1"))),
            ("plan", lambda _: firekeras.plan_pruning(kept["graph"], kept["scores"], pruning_ratio=ratio)),
            ("surgery", lambda plan: firekeras.prune(model, plan)),
        ]
    )


def keras_seconds(model, ratio=0.5):
    """Keras's own time to clone a pruned network: what is built has to be built, whoever decided its sizes."""
    scores = firekeras.score_filters(model, "l1")
    small = firekeras.prune(model, firekeras.plan_pruning(model, scores, pruning_ratio=ratio))
    weights = small.get_weights()
    return timed(
        [
            ("clone_model", lambda _: keras.models.clone_model(small)),
            ("set_weights", lambda clone: clone.set_weights(weights)),
        ]
    )


def torch_pruning_seconds(ratio=0.5):
    """The same for the same network in torch; None if Torch-Pruning is not installed."""
    try:
        import torch
        import torch_pruning as tp
    except ImportError:
        return None
    x = torch.randn(1, 3, 224, 224)
    pruner = {}

    def build(model):
        pruner["it"] = tp.pruner.MetaPruner(
            model,
            x,
            importance=tp.importance.MagnitudeImportance(p=1),
            global_pruning=True,
            pruning_ratio=ratio,
            ignored_layers=[model.fc],
        )

    return timed(
        [
            ("(the network)", lambda _: torch_resnet50().eval()),
            ("graph", build),
            ("scores, plan and surgery", lambda _: pruner["it"].step()),
        ]
    )


def torch_resnet50():
    """ResNet-50 (He et al. 2015), as Keras and torchvision have it."""
    import torch.nn as nn

    class Bottleneck(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
            )  # fmt: skip
            same = inputs == 4 * width and stride == 1
            self.shortcut = nn.Identity() if same else nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )  # fmt: skip
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.body(x) + self.shortcut(x))

    class ResNet50(nn.Module):
        def __init__(self):
            super().__init__()
            stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
            blocks, inputs = [], 64
            for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
                for k in range(count):
                    blocks.append(Bottleneck(inputs, width, stride if k == 0 else 1))
                    inputs = 4 * width
            self.features = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.fc = nn.Linear(2048, 1000)

        def forward(self, x):
            return self.fc(self.features(x))

    return ResNet50()


def dense_block(count):
    """A block in which every layer reads all previous layers."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same")(image)
    for _ in range(count):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(12, 3, padding="same")(y)])
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def show(title, seconds):
    parts = ", ".join(f"{name} {value:.3f}" for name, value in seconds.items())
    print(f"{title}: {parts}; in all {total(seconds):.3f} s", flush=True)


def total(seconds):
    return sum(value for name, value in seconds.items() if not name.startswith("("))


def compare():
    model = keras.applications.ResNet50(weights=None)
    ours = firekeras_seconds(model)
    show("firekeras, ResNet-50", ours)
    show("Keras alone, the pruned ResNet-50", keras_seconds(model))
    theirs = torch_pruning_seconds()
    if theirs:
        show("Torch-Pruning, ResNet-50", theirs)
        print(f"firekeras / Torch-Pruning: {total(ours) / total(theirs):.2f}")


def growth():
    for count in (32, 64, 128):
        show(f"dense block of {count} layers", firekeras_seconds(dense_block(count)))
    for name in ("DenseNet201", "EfficientNetV2L", "NASNetLarge"):
        size = 331 if name == "NASNetLarge" else 224
        model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
        show(name, firekeras_seconds(model))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--growth", action="store_true")
    (growth if arguments.parse_args().growth else compare)()
