"""JSON of strangers: of the type, or one sentence that says where and what."""

import dataclasses

import pytest

from firekeras import strict_json
from firekeras.strict_json import Count, Share


@dataclasses.dataclass
class Point:
    x: Count
    shares: list[Share] = dataclasses.field(default_factory=list)


def test_what_is_of_the_type_is_read(tmp_path):
    (tmp_path / "p.json").write_text('{"x": 3, "shares": [0, 0.5, 1]}')
    assert strict_json.read(tmp_path / "p.json", Point, "a point") == Point(3, [0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is cut off"),
        (b'{"x": "\\ud800"}', "half a character"),
        (b"{}", "missing required field x"),
        (b"[1]", "expected object, received array"),
        (b'{"x": true}', "expected int, received bool at x"),
        (b'{"x": -1}', "expected int >= 0 at x"),
        (b'{"x": 18446744073709551616}', "expected int <= 4611686018427387904 at x"),
        (b'{"x": %s}' % (b"1" * 5000), "out of range at x"),
        (b'{"x": 1, "shares": [0, 1e999]}', r"out of range at shares\[1\]"),
        (b'{"x": 1, "shares": [2]}', r"expected float <= 1.0 at shares\[0\]"),
        (b'{"x": NaN}', "JSON is malformed"),
        (b"\xff", "JSON is malformed"),
        (b'{"y": %s' % (b"[" * 100_000), "nested too deeply"),
    ],
)
def test_what_is_not_is_refused_in_one_sentence(text, said):
    with pytest.raises(ValueError, match=rf"^p\.json is not a point: .*{said}.*\. Write it again\.$"):
        strict_json.parse(text, Point, "p.json", "a point", "Write it again.")


def test_files_have_a_size_at_most(tmp_path):
    (tmp_path / "p.json").write_text('{"x": 1}')
    with pytest.raises(ValueError, match=r"p\.json is too large: at least 8 bytes\. .* at most 7\."):
        strict_json.read(tmp_path / "p.json", Point, "a point", most=7)
