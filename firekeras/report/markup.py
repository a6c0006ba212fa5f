"""HTML and SVG as trees of elements, so names that users chose are always escaped and never become markup."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element


def tag(name: str, /, *content, **attributes) -> Element:
    """An element of HTML or SVG.

    Args:
        name: The name of the element, such as `"td"`.
        *content: Text, numbers and elements, or lists of them, in order.
        **attributes: The attributes, with `class_` for `class`, and `stroke_width` for `stroke-width`.

    Example:
    >>> from firekeras.report.markup import tag, to_html
    >>> to_html(tag("p", "a < b", class_="note"))
    '<p class="note">a &lt; b</p>'
    """
    element = Element(name, {_attribute(key): str(value) for key, value in attributes.items()})
    for item in _flat(content):
        if isinstance(item, Element):
            element.append(item)
        else:
            _add_text(element, str(item))
    return element


def to_html(element: Element) -> str:
    """The tree as HTML text."""
    return ElementTree.tostring(element, encoding="unicode", method="html")


def _attribute(key):
    return key.rstrip("_").replace("_", "-")


def _flat(content) -> Iterable:
    for item in content:
        if isinstance(item, (list, tuple)):
            yield from _flat(item)
        else:
            yield item


def _add_text(element, text):
    """Adds text; ElementTree keeps text that follows a child in that child."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def px(value: float) -> str:
    """A length in an SVG picture, to a tenth of a pixel."""
    return f"{value:.1f}"
