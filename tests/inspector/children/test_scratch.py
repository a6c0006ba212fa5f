import os
import signal
import subprocess
import sys
from pathlib import Path

from inspector.children import scratch

HOLD = """
import time
from inspector.children.scratch import Scratch

held = Scratch()
print(held.path, flush=True)
time.sleep(60)
"""


def test_what_a_killed_inspector_left_goes_at_the_next_start(own_temporary_folder):
    environment = {**os.environ, "TMPDIR": str(own_temporary_folder)}
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment)
    left = Path(child.stdout.readline().strip())
    scratch.remove_forgotten()
    assert left.is_dir()  # it is in use
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    own = scratch.Scratch()
    scratch.remove_forgotten()
    assert not left.exists() and own.path.is_dir()
    own.remove()
