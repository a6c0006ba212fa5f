"""A child that does what a script says: `python fake_child.py SCRIPT.json`.

Each step is one of `{"out": line}`, `{"raw": text}`, `{"err": line}`, `{"file": path, "line": text}`, `{"wait": path}`
until the file is there, `{"sleep": seconds}`, `{"deaf": true}` to SIGTERM, `{"kill": true}` and `{"exit": code}`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def tell(stream, text):
    stream.write(text)
    stream.flush()


def step(one):
    if "out" in one:
        tell(sys.stdout, one["out"] + "\n")
    if "raw" in one:
        tell(sys.stdout, one["raw"])
    if "err" in one:
        tell(sys.stderr, one["err"] + "\n")
    if "file" in one:
        with open(one["file"], "a", encoding="utf-8") as file:
            file.write(one["line"])
    if "wait" in one:
        while not Path(one["wait"]).exists():
            time.sleep(0.01)
    time.sleep(one.get("sleep", 0))
    if "deaf" in one:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "kill" in one:
        os.kill(os.getpid(), signal.SIGKILL)
    if "exit" in one:
        raise SystemExit(one["exit"])


for each in json.loads(Path(sys.argv[1]).read_text()):
    step(each)
