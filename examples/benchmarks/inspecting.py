"""How long the inspector takes to start, and to show a change of a cap or the ratio.

    python examples/benchmarks/inspecting.py [NAME ...] [--make] [--folder DIR]

`--make` first writes a profile with random FIRE for each network (only this needs Keras). Starting is measured
in new processes, until the heatmap is drawn. Changes are measured from the slider's movement until the window is
painted. It prints the fastest and the median wall-clock time, and the processor time of the median.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

NAMES = ("ResNet50", "EfficientNetB7")
START = """
import sys, time
begin = time.perf_counter()
from PySide6 import QtCore, QtWidgets
application = QtWidgets.QApplication([])
from inspector.models import Preferences
from inspector.window import Window
window = Window(Preferences(QtCore.QSettings(sys.argv[2], QtCore.QSettings.Format.IniFormat)))
window.resize(1180, 760)
window.show()
window.open_path(sys.argv[1])
application.processEvents()
print(time.perf_counter() - begin, time.process_time())
window.close()
"""


def make(name, path):
    """A profile of a network of keras.applications, with FIRE drawn at random."""
    import keras
    import numpy as np

    import firekeras

    graph = firekeras.channel_graph(getattr(keras.applications, name)(weights=None))
    rng, samples = np.random.default_rng(0), 10**6
    zeros = {layer: rng.binomial(samples, rng.beta(5, 3, width)) for layer, width in graph.widths.items()}
    seen = {layer: np.full(width, samples) for layer, width in graph.widths.items()}
    features = {layer: rng.random((width, 18)) for layer, width in graph.widths.items()}
    firekeras.FireProfile(zeros, seen, samples=samples, features=features, graph=graph).save(path)


def started(path, runs=5):
    """(seconds, processor seconds) of each start."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", START, str(path), f"{folder}/settings.ini"]
        lines = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]
    return [tuple(map(float, line.split())) for line in lines]


def changes(path, runs=60):
    """By kind of change, (seconds, processor seconds) of each."""
    from PySide6 import QtCore, QtWidgets

    from inspector.models import Preferences
    from inspector.window import Window

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        window = Window(Preferences(QtCore.QSettings(f"{folder}/s.ini", QtCore.QSettings.Format.IniFormat)))
        window.resize(1180, 760)
        window.show()
        window.open_path(path)
        application.processEvents()
        free = [row.name for row in window.session.rows if not row.locked]
        slider = window.ratio.slider
        found = {
            "ratio": [timed(application, lambda k=k: slider.setValue(100 + 13 * k)) for k in range(runs)],
            "cap": [
                timed(application, lambda k=k: window.editor.set_caps([free[k % len(free)]], 0.3 + 0.003 * k))
                for k in range(runs)
            ],
            "preview alone": [
                timed(None, lambda: window.session.measured.planner.preview(window.session.choices))
                for _ in range(runs)
            ],
        }
        window.editor.stack.setClean()
        window.close()
    return found


def timed(application, change):
    begin, cpu = time.perf_counter(), time.process_time()
    change()
    if application is not None:
        application.processEvents()
    return time.perf_counter() - begin, time.process_time() - cpu


def told(title, times):
    clock, cpu = zip(*times, strict=True)
    fastest, median = 1e3 * min(clock), 1e3 * statistics.median(clock)
    processor = 1e3 * statistics.median(cpu)
    print(f"  {title:14s} fastest {fastest:7.1f} ms, median {median:7.1f} ms, processor {processor:7.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--make", action="store_true", help="write the profiles first")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    for name in given.names:
        path = given.folder / f"{name}.fire.h5"
        if given.make:
            make(name, path)
        print(name)
        told("start", started(path))
        for title, times in changes(path).items():
            told(title, times)


if __name__ == "__main__":
    main()
