"""Accuracy of a cut in a child process: statistics settled, nothing trained.

`python -m inspector.children.checking MODEL.keras PLAN.json SOURCE VALUES IMAGES` writes one event, `"accuracy"`.
"""

from __future__ import annotations

from pathlib import Path

from inspector.children import in_words
from inspector.state import Data

BATCH, STEPS = 64, 3
NOTABLE, FEW = 0.01, 3  # a change by settling alone: in points or as a share of a loss, and of so many images


def measure(model, plan, data: Data, images: int):
    """Measures a model and a cut of it on test images, each settled on training images, as a run judges them.

    Args:
        model: A `.keras` file.
        plan: The file of a plan.
        data: Data with labels.
        images: How many test images, and how many training images, at most.
    """
    from firekeras.cli.console import import_keras, write_event, write_progress

    import_keras()
    from firekeras.cli import classifier
    from firekeras.cli.files import load_data, load_model
    from firekeras.data.samples import draw_samples
    from firekeras.plan.planning import PruningPlan
    from firekeras.plan.pruning import prune
    from firekeras.rounds.evaluation import Evaluation, no_better_than_chance
    from firekeras.rounds.judge import Judge
    from firekeras.rounds.run import settled_differently

    write_progress(0, STEPS)
    network = load_model(Path(model))
    dataset = load_data(data.source, network, **data.scaling)
    classifier.check_classes(network, dataset)
    classifier.prepare(network, None)
    x, y, _ = draw_samples((dataset.x_test, classifier.labels_for(network, dataset.y_test)), images)
    evaluation = Evaluation((x, y), None, 0.0, batch_size=BATCH)
    judge = Judge(evaluation, dataset.x_train, BATCH, samples=images)
    given = evaluation.measured(network)
    write_progress(1, STEPS)
    before, _ = judge.judged(network)
    evaluation.check_baseline(before)
    write_progress(2, STEPS)
    after, _ = judge.judged(prune(network, PruningPlan.load(Path(plan))))
    write_progress(3, STEPS)
    monitor = evaluation.monitor
    chance = no_better_than_chance(before, (x, y), monitor)
    differs = settled_differently(given, before, max(NOTABLE, FEW / len(x)), monitor)
    write_event("accuracy", monitor=monitor, before=before, after=after, images=len(x), note=chance or differs or "")


def main(model, plan, source, values, images):
    """What the command line asks for."""
    measure(model, plan, Data(source, values), int(images))


if __name__ == "__main__":
    in_words.run(main)
