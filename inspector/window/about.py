"""The texts of the help menu: all keyboard shortcuts, and what this program is."""

from __future__ import annotations

from html import escape
from importlib import metadata

OTHER_KEYS = (  # besides those of menus: (keys, what they do)
    ("Ctrl+Z", "Undo"),
    ("Ctrl+Y", "Redo"),
    ("Esc", "In the box that finds layers: show all layers again"),
    ("F2", "In the table: edit a cap"),
    ("Space", "In the table: lock or unlock a layer"),
    ("Arrow keys", "In the heatmap: point at another filter"),
    ("Home, End", "In the heatmap: go to the first or last filter of a layer"),
    ("+, -", "In the heatmap: change a cap by 5%"),
    ("L", "In the heatmap: lock or unlock a layer"),
    ("Enter", "In the heatmap: look at the filter"),
)


def keys_table(keys) -> str:
    """Keyboard shortcuts as a table with two of them in a row.

    Args:
        keys: Pairs of keys and what they do.
    """
    cells = [f"<td><b>{_unbroken(key)}</b></td><td>{_unbroken(text)}&nbsp;&nbsp;</td>" for key, text in keys]
    half = (len(cells) + 1) // 2
    rows = [left + right for left, right in zip(cells[:half], [*cells[half:], "", ""], strict=False)]
    return f"<table cellpadding='3'>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _unbroken(text):
    return escape(text).replace(" ", "&nbsp;")


def about_text() -> str:
    """The name, the version, the licence, and where to read on."""
    about = metadata.metadata("firekeras")
    return (
        f"<h3>FIRE inspector</h3><p>Part of firekeras {escape(about['Version'])}, licence "
        f"{escape(about['License-Expression'] or about['License'] or 'Apache-2.0')}.</p>"
        "<p>It shows how often each filter of a network is inactive, lets you cap and lock layers, previews a cut "
        "exactly, and prunes in rounds. The manual (F1) explains it.</p>"
    )
