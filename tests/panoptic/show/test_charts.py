"""Charts are well-formed SVG whose shapes have the sizes of their numbers."""

import defusedxml.ElementTree as Xml
import pytest

from panoptic.show import charts

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg, kind, told=True):
    found = Xml.fromstring(svg).iter(f"{SVG}{kind}")
    return [each for each in found if not told or each.find(f"{SVG}title") is not None]


def test_bars_are_as_long_as_their_shares():
    svg = charts.bars([charts.Bar("a & b", 1.0, "<7>"), charts.Bar("c", 0.25, "2", "#ff0000")])
    one, two = shapes(svg, "rect")
    assert float(two.get("width")) == pytest.approx(float(one.get("width")) / 4)
    assert two.get("fill") == "#ff0000"
    texts = [each.text for each in shapes(svg, "text", told=False)]
    assert texts == ["a & b", "<7>", "c", "2"]


def test_columns_are_as_high_as_their_counts():
    heights = [float(each.get("height")) for each in shapes(charts.columns([0, 2, 4]), "rect")]
    assert heights == [0, pytest.approx(heights[2] / 2), heights[2]]


def test_a_point_that_is_right_lies_on_the_diagonal():
    points = [charts.Point(0.25, 0.25, 3), charts.Point(0.9, 0.9, 9)]
    svg = charts.reliability(points)
    (line,) = [e for e in shapes(svg, "line", told=False) if e.get("stroke-dasharray")]
    x1, y1, x2, y2 = (float(line.get(name)) for name in ("x1", "y1", "x2", "y2"))
    small, large = shapes(svg, "circle")
    for circle, share in ((small, 0.25), (large, 0.9)):
        assert float(circle.get("cx")) == pytest.approx(x1 + share * (x2 - x1), abs=0.1)
        assert float(circle.get("cy")) == pytest.approx(y1 + share * (y2 - y1), abs=0.1)
    assert float(small.get("r")) < float(large.get("r"))


def test_a_matrix_is_darker_where_there_is_more_and_empty_where_there_is_nothing():
    svg = charts.matrix(["cat", "sky"], ["cat", "sky", "nothing"], [[0.9, 0.1, 0], [0, 1, 0]])
    squares = shapes(svg, "rect")
    assert [each.find(f"{SVG}title").text for each in squares] == [
        "cat labelled cat: 90.0%", "cat labelled sky: 10.0%", "sky labelled sky: 100.0%",
    ]  # fmt: skip
    assert float(squares[0].get("fill-opacity")) > float(squares[1].get("fill-opacity"))


def test_nothing_is_drawn_of_nothing():
    for svg in (charts.bars([]), charts.columns([0]), charts.reliability([]),
                charts.matrix([], [], [])):  # fmt: skip
        assert Xml.fromstring(svg).tag == f"{SVG}svg"
