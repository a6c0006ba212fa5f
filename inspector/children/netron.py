"""Netron, which draws the graph of a model: the program if it is installed, else its web page."""

from __future__ import annotations

from PySide6 import QtCore, QtGui

PAGE = "https://netron.app"


def open_in_netron(model, open_page=QtGui.QDesktopServices.openUrl) -> str:
    """Shows a model in Netron; returns a message on what the user has to do.

    Args:
        model: The `.keras` file.
        open_page: A function that opens a `QUrl` in the browser.
    """
    program = QtCore.QStandardPaths.findExecutable("netron")
    rest = "“FIRE for Netron” in the file menu exports numbers that it shows beside each layer: drop them onto it, too."
    if program and QtCore.QProcess.startDetached(program, [str(model)])[0]:
        return f"{program} shows {model.name}. {rest}"
    if not open_page(QtCore.QUrl(PAGE)):
        raise ValueError(f"Neither the program netron nor a browser was found. Open {PAGE} and drop {model} onto it.")
    return f"Drop {model} onto the page in the browser; the file stays on this machine. {rest}"
