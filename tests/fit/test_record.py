"""A folder that records a `fit`: what compress writes, with each epoch."""

import keras
import numpy as np
import pytest
from fits import images, network

import firekeras
from firekeras.report.run_report import RunReport
from firekeras.rounds.run_directory import RunDirectory


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model after `fit` with a target, its callback, its history and the folder."""
    folder = tmp_path_factory.mktemp("fit") / "run"
    model, (x, y) = network(), images()
    callback = firekeras.FirePruningCallback(target={"conv_macs": 0.6}, verbose=0, run_dir=folder)
    history = model.fit(x, y, validation_data=(x, y), epochs=5, verbose=0, callbacks=[callback])
    return model, callback, history.history, folder


def test_each_epoch_after_the_first_is_on_record_with_its_metrics_and_widths(fitted):
    model, callback, history, folder = fitted
    directory = RunDirectory.open(folder)
    epochs = [event for event in directory.events() if event["event"] == "epoch"]
    assert [event["logs"]["val_accuracy"] for event in epochs] == history["val_accuracy"][1:]
    assert epochs[-1]["widths"] == firekeras.channel_graph(model).widths
    assert all(event["epoch"] <= event["epochs"] for event in epochs) and epochs[0]["number"] == 1
    assert epochs[0]["widths"] != directory.settings["widths"]
    report = RunReport.of(directory.settings, directory.events())
    assert report.state == "finished" and report.baseline == callback.result.baseline
    assert report.costs_after.conv_macs == callback.result.costs_after.conv_macs <= 0.6 * report.costs_before.conv_macs
    assert report.widths_after == firekeras.channel_graph(model).widths


def test_networks_and_fire_are_in_the_folder(fitted):
    model, callback, _, folder = fitted
    directory = RunDirectory.open(folder)
    profile = firekeras.FireProfile.load(folder / "profile-001.fire.h5")
    assert all(np.array_equal(profile[name], scores, equal_nan=True) for name, scores in callback.profile.items())
    newest = firekeras.channel_graph(keras.models.load_model(directory.newest_model()))
    assert newest.widths == firekeras.channel_graph(model).widths


def test_such_a_run_is_not_resumed_nor_its_folder_used_twice(fitted):
    model, _, _, folder = fitted
    x, y = images()
    with pytest.raises(ValueError, match="inside fit, which cannot be resumed"):
        firekeras.compress(model, (x, y), (x, y), run_dir=folder, resume=True)
    with pytest.raises(ValueError, match="run"):
        network().fit(x, y, epochs=1, verbose=0, callbacks=[firekeras.FirePruningCallback(run_dir=folder, verbose=0)])


def test_an_error_ends_the_record_too(tmp_path):
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("no power")

    x, y = images()
    callback = firekeras.FirePruningCallback(target={"conv_macs": 0.6}, verbose=0, run_dir=tmp_path / "run")
    with pytest.raises(RuntimeError):
        network().fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[callback, Fails()])
    last = RunDirectory.open(tmp_path / "run").events()[-1]
    assert last["event"] == "error" and "no power" in last["message"]
