import os

import pytest

from inspector.children.netron import open_in_netron


def test_netron_shows_the_model_where_it_is_installed(window, files, tmp_path, monkeypatch, qtbot):
    program, shown = tmp_path / "bin" / "netron", tmp_path / "shown"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" > {shown}.part\nmv {shown}.part {shown}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    window.actions_["show_netron"].trigger()
    qtbot.waitUntil(shown.exists, timeout=20000)
    assert shown.read_text().strip() == str(files[0]) and "shows net.keras" in window.banner.words.text()


def test_else_netron_is_opened_as_a_page(files, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    opened = []
    words = open_in_netron(files[0], lambda url: opened.append(url.toString()) or True)
    assert opened == ["https://netron.app"] and str(files[0]) in words
    with pytest.raises(ValueError, match="nor a browser was found"):
        open_in_netron(files[0], lambda url: False)
