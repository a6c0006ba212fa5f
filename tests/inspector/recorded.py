"""A run as `firekeras compress` writes it, to be replayed by a fake child."""

import json
import sys
from pathlib import Path

FAKE = Path(__file__).with_name("fake_child.py")


def costs(left):
    return {"conv_macs": int(1000 * left), "macs": int(2000 * left), "params": int(400 * left)}


def settings(widths, folder):
    return {
        "format": 2,
        "settings": {"pruning_ratio": 0.1},
        "source": {"model": "net.keras", "data": "digits", "output": "out.keras", "run_dir": str(folder)},
        "model": "net",
        "monitor": "accuracy",
        "tolerance": 0.01,
        "baseline": 0.9,
        "costs": costs(1),
        "widths": widths,
    }


def start():
    return {"event": "start", "baseline": 0.9, "monitor": "accuracy", "costs": costs(1), "max_rounds": 9}


def cut(number):
    return {"event": "cut", "number": number, "filters_removed": 2, "accuracy_after_cut": 0.5, **costs(0.9)}


def epoch(number, done, of=2):
    return {"event": "epoch", "number": number, "epoch": done, "epochs": of, "logs": {"loss": 0.1}}


def whole_round(number, accepted, accuracy, left, widths, removed=None):
    measured = {"filters_removed": 2, "accuracy_after_cut": 0.5, "baseline": 0.9, "seconds": 1.0, "notes": []}
    fields = {
        **measured,
        **costs(left),
        "model": None,
        "profile": None,
        "widths": widths,
        "removed": removed or {},
        "pruning_ratio": 0.1,
        "details": {},
    }
    return {"event": "round", "number": number, "accepted": accepted, "accuracy": accuracy, **fields}


def begin(folder, widths, begun=None):
    """Writes `run.json` of a run that was begun in this folder, or in another one."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(settings(widths, begun or folder)))


def steps_of(folder, events):
    """The steps that write and print events, as a run does."""
    steps = []
    for event in events:
        line = json.dumps({**event, "time": "2026-11-20T10:00:00.000+00:00"}) + "\n"
        steps += [{"file": str(folder / "events.jsonl"), "line": line}, {"out": json.dumps(event)}]
    return steps


def command(tmp_path, steps, name="script.json"):
    """The command of a child that takes these steps."""
    (tmp_path / name).write_text(json.dumps(steps))
    return [sys.executable, str(FAKE), str(tmp_path / name)]
