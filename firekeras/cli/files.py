"""Models, data and results as files: checked before any long work."""

from __future__ import annotations

import contextlib
from pathlib import Path

from firekeras.atomic import check_can_write, remove_stale
from firekeras.cli.console import import_keras, say, show_text, write_warning
from firekeras.keras_models import model_file
from firekeras.terminal import written

MOST_CLASSES = 10  # named in a line


def load_model(path, *, compile=True):
    """Loads a model file, in Keras's safe mode, and checks that the model can be pruned at all."""
    model_file.check_path(path)
    import_keras()
    network = model_file.load_model(path, compile=compile)
    from firekeras.channels.check import check_model

    check_model(network)
    return network


def load_data(source, network, limit=None, *, suspicious=True, **images):
    """Loads the `Dataset` that a source names, as a network takes it.

    Images of a folder are resized to the network's input size, and have its channels.

    Args:
        source: As `datasets.load_dataset` takes it.
        network: The network that will read the images.
        limit: As of `datasets.load_dataset`.
        suspicious: Whether a classifier that does far better in another range of values is reported. Defaults to True.
        **images: As of `load_images_for`.
    """
    dataset = load_images_for(source, network.inputs[0].shape, limit=limit, **images)
    if suspicious:
        from firekeras.cli import classifier
        from firekeras.data.scale import applied

        suspicion = classifier.suspicion(network, dataset, applied(images))
        if suspicion:
            write_warning(suspicion)
    return dataset


def load_images_for(source, shape, *, limit=None, scale=None, mean=None, std=None, skip_unreadable=False):
    """Loads the `Dataset` that a source names, as an input of some shape takes it.

    Args:
        source, limit, skip_unreadable: As of `datasets.load_dataset`.
        shape: The shape of the input, `(batch, height, width, channels)`; images of a folder are fitted to it.
        scale, mean, std: As of `datasets.scaled`.
    """
    from firekeras import datasets

    dataset = datasets.load_dataset(source, **_form(source, shape), limit=limit, skip_unreadable=skip_unreadable)
    if Path(source).is_dir():
        say(_found(source, dataset))
    if dataset.skipped:
        write_warning(f"Skipped {len(dataset.skipped)} images that cannot be read: {_few(dataset.skipped)}.")
    return datasets.scaled(dataset, scale, mean=mean, std=std)


def _found(source, dataset):
    """What is in a folder: how many images, and which class has which number."""
    names = [f"{number} {name}" for number, name in enumerate(dataset.class_names)]
    if len(names) > MOST_CLASSES:
        names = [*names[: MOST_CLASSES - 2], "...", names[-1]]
    return (
        f"{source}: {len(dataset.y_train):,} training and {len(dataset.y_test):,} test images of "
        f"{len(dataset.class_names)} classes: {', '.join(names)}."
    )


def _form(source, shape):
    """Size and channels of the images that a network takes, if images of a folder can be brought into that form."""
    if not Path(source).is_dir() or len(shape) != 4:
        return {}
    size = {"image_size": tuple(shape[1:3])} if None not in shape[1:3] else {}
    return {**size, "channels": shape[3]} if shape[3] in (1, 2, 3, 4) else size


def _few(paths):
    return ", ".join(map(str, paths[:10])) + (", ..." if len(paths) > 10 else "")


def load_images(source, network, limit=None, *, skip_unreadable=False, **scaling):
    """The training images of a source; for `"synthetic"`, random ones of the network's input size.

    Args:
        source: As `load_data` takes it. An `.npz` file may lack labels, or have others than class numbers.
        network: The network that will read the images.
        limit: At most this many images. Defaults to None, all of them.
        skip_unreadable, **scaling: As `load_data` takes them.
    """
    from firekeras.datasets.scaling import scaled_images

    if source == "synthetic":
        return scaled_images(_synthetic(network), **scaling)
    unlabelled = _unlabelled(source, limit)
    if unlabelled is not None:
        return _without_channel(scaled_images(unlabelled, **scaling), network)
    found = load_data(source, network, limit, skip_unreadable=skip_unreadable, **scaling)
    return _without_channel(found.x_train, network)


def _synthetic(network):
    """Random images of the network's input size."""
    from firekeras.datasets import synthetic_images

    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 4 or None in network.inputs[0].shape[1:]:
        raise ValueError(f"Synthetic images need one input of fixed size. The model takes {network.input_shape}.")
    return synthetic_images(network.inputs[0].shape[1:], 1000)


def _without_channel(images, network):
    """Images, or series without the axis that was added to them, as a network takes them."""
    added = images.shape[-1] == 1 and images.ndim == len(network.inputs[0].shape) + 1
    return images[..., 0] if added else images


def _unlabelled(source, limit):
    """The training images of an `.npz` file without class numbers; None for other sources."""
    import numpy as np

    from firekeras.datasets.npz import has_classes, load_npz_images

    path = Path(source).expanduser()
    if not path.is_file() or has_classes(path):
        return None
    images = load_npz_images(path)
    return images if limit is None else images[np.random.default_rng(0).permutation(len(images))[:limit]]


def write(network, output):
    """Writes a model and reports its path."""
    from firekeras import atomic

    with announced(output):
        atomic.save_model(network, output)


@contextlib.contextmanager
def announced(output: Path):
    """A context in which a file is written, which is said at its end; and whether it replaced another."""
    replaced = output.exists()
    yield
    show_text(written(output, replaced))


def check_output(output: Path, model: Path | None = None, ending=".keras", run_dir: Path | None = None):
    """Raises an error, before any long work, if the result could not be written, or would replace what must stay.

    Args:
        output: The path of the result.
        model: The file of the model that is worked on, if there is one.
        ending: How the name has to end. Defaults to `".keras"`.
        run_dir: The folder of the run, if there is one.

    Raises:
        ValueError: If the path is none for a result, or nothing can be written there.
    """
    if model:
        model_file.check_path(model)
    if not output.name.endswith(ending) or output.name == ending:
        raise ValueError(f"Expected an output that ends in {ending}. Received: {output}.")
    if output.is_dir():
        raise ValueError(f"The output {output} is a folder. Expected a file, such as {output / f'pruned{ending}'}.")
    if model and output.resolve() == model.resolve():
        raise ValueError(f"The output {output} is the model itself, which is never overwritten. Give another --output.")
    _check_outside_of_runs(output, run_dir)
    remove_stale(output.parent)
    try:
        check_can_write(output)
    except OSError as error:
        raise ValueError(f"{error.strerror}. Give another --output.") from error


def _check_outside_of_runs(output, run_dir):
    from firekeras.rounds.run_directory import SETTINGS, is_of_run

    folder = output.parent.resolve()
    in_run = (folder / SETTINGS).exists() or (run_dir is not None and folder == run_dir.resolve())
    if in_run and is_of_run(output):
        raise ValueError(f"The output {output} would replace a file of the run in {folder}. Give another --output.")
