"""The formats that a model is exported to, one file each: how each is written, run and counted."""

from firekeras.discovery import import_all
from firekeras.export.formats.format import FORMATS, Format, export_format, format_named, format_of

import_all(__name__, __path__)

__all__ = ["FORMATS", "Format", "export_format", "format_named", "format_of"]
