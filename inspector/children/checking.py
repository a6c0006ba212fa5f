"""Accuracy of a cut in a child process: statistics settled, nothing trained.

`python -m inspector.children.checking MODEL.keras PLAN.json DATA IMAGES` writes one event, `"accuracy"`.
"""

from __future__ import annotations

import sys
from pathlib import Path

BATCH, STEPS = 64, 4


def measure(model, plan, source, images: int):
    """Measures a model on test images, and again after a cut, whose BatchNormalization is settled on training images.

    The model itself counts with its own statistics or with settled ones, whichever are better, as in a run: so the
    difference is what the cut costs.

    Args:
        model: A `.keras` file.
        plan: The file of a plan.
        source: Data with labels, as on the command line.
        images: How many test images, and how many training images, at most.
    """
    from firekeras.cli import classifier
    from firekeras.cli.console import write_event, write_progress
    from firekeras.cli.files import load_data, load_model
    from firekeras.data.samples import draw_samples
    from firekeras.plan.planning import PruningPlan
    from firekeras.plan.pruning import prune
    from firekeras.recovery.batch_statistics import Settler
    from firekeras.rounds.evaluation import Evaluation
    from firekeras.rounds.monitor import better

    write_progress(0, STEPS)
    network = load_model(Path(model))
    dataset = load_data(source, network)
    classifier.check_classes(network, dataset)
    classifier.prepare(network, None)
    x, y, _ = draw_samples((dataset.x_test, dataset.y_test), images)
    evaluation = Evaluation((x, y), None, 0.0, batch_size=BATCH)
    given = evaluation.measured(network)
    write_progress(1, STEPS)
    Settler(network, dataset.x_train, batch_size=BATCH, samples=images).settle()
    settled = evaluation.measured(network)
    write_progress(2, STEPS)
    smaller = prune(network, PruningPlan.load(Path(plan)))
    Settler(smaller, dataset.x_train, batch_size=BATCH, samples=images).settle()
    write_progress(3, STEPS)
    after = evaluation.measured(smaller)
    write_progress(4, STEPS)
    before = settled if better(settled, given, evaluation.monitor) else given
    write_event("accuracy", monitor=evaluation.monitor, before=before, after=after, images=len(x))


if __name__ == "__main__":
    try:
        measure(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    except (ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
