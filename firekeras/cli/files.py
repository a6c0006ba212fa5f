"""Models, data and results as files: checked before any long work."""

from __future__ import annotations

from pathlib import Path

from firekeras.atomic import check_can_write, remove_stale
from firekeras.cli.console import import_keras, show_text
from firekeras.keras_models import model_file


def load_model(path, *, compile=True):
    """Loads a model file, in Keras's safe mode, and checks that the model can be pruned at all."""
    model_file.check_path(path)
    import_keras()
    network = model_file.load_model(path, compile=compile)
    from firekeras.channels.check import check_model

    check_model(network)
    return network


def load_data(source, network, limit=None):
    """Loads the `Dataset` that a source names; images of a folder are resized to the network's input size."""
    from firekeras import datasets

    size = tuple(network.inputs[0].shape[1:3])
    resizable = Path(source).is_dir() and len(size) == 2 and None not in size
    return datasets.load_dataset(source, image_size=size if resizable else None, limit=limit)


def load_images(source, network):
    """The training images of a source; for `"synthetic"`, random ones of the network's input size."""
    if source != "synthetic":
        return load_data(source, network).x_train
    from firekeras.datasets import synthetic_images

    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 4 or None in network.inputs[0].shape[1:]:
        raise ValueError(f"Synthetic images need one input of fixed size. The model takes {network.input_shape}.")
    return synthetic_images(network.inputs[0].shape[1:], 1000)


def write(network, output):
    """Writes a model and reports its path."""
    from firekeras import atomic

    atomic.save_model(network, output)
    show_text(f"Written: {output}")


def check_output(output: Path, model: Path | None = None, ending=".keras", run_dir: Path | None = None):
    """Raises an error, before any long work, if the result could not be written, or would replace what must stay.

    Args:
        output: The path of the result.
        model: The file of the model that is worked on, if there is one.
        ending: How the name has to end. Defaults to `".keras"`.
        run_dir: The folder of the run, if there is one.

    Raises:
        ValueError: If the path is none for a result.
        OSError: If it cannot be written.
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
    check_can_write(output)


def _check_outside_of_runs(output, run_dir):
    from firekeras.rounds.run_directory import SETTINGS, is_of_run

    folder = output.parent.resolve()
    in_run = (folder / SETTINGS).exists() or (run_dir is not None and folder == run_dir.resolve())
    if in_run and is_of_run(output):
        raise ValueError(f"The output {output} would replace a file of the run in {folder}. Give another --output.")
