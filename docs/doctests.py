"""Docstrings as the site shows them: an example is a block of code, not a quotation."""

import re

import griffe

EXAMPLE = re.compile(r"^( *)Example:\n((?: *(?:>>>|\.\.\.).*\n?|\1(?! *[A-Z]\w*:)\S.*\n?)+)", re.MULTILINE)
CODE = r"\1**Example**\n\n\1```pycon\n\2\n\1```\n"


class Doctests(griffe.Extension):
    """Puts fences around the examples of docstrings."""

    def on_instance(self, *, obj, **kwargs):
        """Called by griffe for each object that it has read."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(CODE, obj.docstring.value)
