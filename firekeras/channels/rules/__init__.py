"""The rules, by what an operation does with channels. Importing this registers all that lie in this folder."""

from firekeras.discovery import import_all

import_all(__name__, __path__)
