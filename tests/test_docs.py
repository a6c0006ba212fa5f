"""README and docs: everything in them that can be pasted runs, and prints what the page says."""

import re

import pages
import pytest

DOCS = pages.ROOT / "docs"
ELSEWHERE = ("extending.md",)  # tests/test_extending.py
ON_TENSORFLOW = ("README.md", "microcontroller.md", "training-loop.md", "tf-data.md")  # which is the first backend
PAGES = [pages.ROOT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")) if path.name not in ELSEWHERE)]
LEGACY = "ignore:You are saving your model as an HDF5 file:UserWarning"  # a page makes a file of Keras 2

SHUFFLED = "ignore:`shuffle=True` was passed, but will be ignored:UserWarning"  # Keras, of each tf.data.Dataset
pytestmark = [pytest.mark.filterwarnings(LEGACY), pytest.mark.filterwarnings(SHUFFLED)]


def with_blocks():
    for page in PAGES:
        if blocks := list(pages.blocks(page.read_text(encoding="utf-8"))):
            marks = () if page.name in ON_TENSORFLOW else pytest.mark.any_backend
            yield pytest.param(page, blocks, id=page.relative_to(pages.ROOT).as_posix(), marks=marks)


@pytest.mark.parametrize(("page", "blocks"), list(with_blocks()))
def test_a_page_runs_as_pasted(page, blocks, reader, request):
    if page.name != "README.md":  # which trains for long enough that compiling is worth it
        request.getfixturevalue("uncompiled")
    reader(page).read(blocks)


def test_every_public_name_has_an_entry_in_the_reference():
    stub = (pages.ROOT / "firekeras" / "__init__.pyi").read_text(encoding="utf-8")
    entries = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    names = set(re.findall(r"^from \..+ import \w+ as (\w+)", stub, re.MULTILINE)) - {"__version__"}
    assert {name for name in names if f"::: firekeras.{name}\n" not in f"{entries}\n"} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (pages.ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (pages.ROOT / link).exists()] == []
