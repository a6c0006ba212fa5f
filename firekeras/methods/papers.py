"""The methods as they were published: what each paper has different from the defaults here."""

from __future__ import annotations

from firekeras.rounds.method import Protocol

FIRE = Protocol(
    options={
        "features": "paper",
        "drift_threshold": -1,
        "beside": (),
        "balance": 0,
        "dense": False,
    },
    settings={
        "pruning_ratio": 0.05,
        "backtracks": 0,
        "min_keep": 0,
        "recovery": (),
        "distill": False,
        "epochs": 300,
        "epochs_per_round": 5,
        "learning_rate": 0.01,
        "schedule": "halvings",
    },
    remark="Fang et al. 2020: FIRE on 20% of the data, a tolerance of one point (section 4.1), 5% of the filters in a "
    "round (4.4.1), SGD from 0.01, halved at epochs 50, 100, 150 and 250 (4.3.1). The paper does not say how long a "
    "round trains, nor the whole: here the curve spans one run of 300 epochs, whose first 180 may cut. Compile the "
    "model with keras.optimizers.SGD.",
)
LI = Protocol(
    options={"rates": "paper"},
    settings={
        "min_keep": 0,
        "recovery": (),
        "distill": False,
        "epochs": 40,
        "learning_rate": 0.001,
        "schedule": "constant",
    },
    remark="Li et al. 2017: one cut, then 40 epochs at 0.001 for CIFAR-10, 20 for ImageNet (sections 3.4 and 4). "
    "Batches of 64, momentum 0.9 and weight decay 1e-4 are those of a public reproduction: compile the model with "
    "keras.optimizers.SGD(momentum=0.9, weight_decay=1e-4).",
)
PLAY_AND_PRUNE = Protocol(
    settings={
        "backtracks": 10,
        "recovery": (),
        "distill": False,
        "epochs": None,
        "epochs_per_round": 0,
    },
    remark="Singh et al. 2019, of which only the abstract was accessible: pruning and fine-tuning are one process, "
    "which goes on for as long as the tolerance allows, with no fine-tuning after it. The learning rate stays that of "
    "the compiled model.",
)
FPPMO = Protocol(
    options={
        "search": "reinforce",
        "soft": True,
        "prior": 0,
    },
    settings={"recovery": (), "distill": False},
    remark="Li, Li and Chen 2021, of which only the abstract was accessible: filters are drawn by their probabilities "
    "while the network trains, the pruned network's performance updates the probabilities, and norms play no part. How "
    "is not in the abstract: this is our reading. Give a target.",
)
