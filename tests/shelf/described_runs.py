"""What a run says of itself when it begins, as `run.json` holds it."""

COSTS = {"conv_macs": 0, "macs": 8, "params": 10}
SETTINGS = {
    "model": "net",
    "monitor": "accuracy",
    "tolerance": 0.01,
    "baseline": 0.5,
    "costs": COSTS,
    "widths": {"dense": 2},
    "settings": {},
    "method": {},
}
