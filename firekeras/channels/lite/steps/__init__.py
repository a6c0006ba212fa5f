"""The steps of each kind of layer. Importing this registers all that lie in this folder.

To add one, put a file here whose function is decorated with `@becomes` (`firekeras/channels/lite/lowering.py`).
"""

from firekeras.discovery import import_all

import_all(__name__, __path__)
