"""The rules, by what an operation does with channels. Importing this registers all that lie in this folder.

To add one, put a file here whose function is decorated with `@rule` (`firekeras/channels/registry.py`).
"""

from firekeras.discovery import import_all

import_all(__name__, __path__)
