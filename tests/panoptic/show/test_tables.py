import re

from panoptic.show.tables import Table, table

HEAD = ("", "PQ", "name")
ROWS = [("all", "7.5", "-"), ("a very long one", "100.0", "x y"), ("z", "-", "")]


def test_columns_line_up_and_split_again():
    lines = table(("a", "bc"), [("1", "2"), ("long", "3")]).splitlines()
    assert lines == ["a     bc", "1     2", "long  3"]
    assert [re.split("  +", line) for line in lines] == [["a", "bc"], ["1", "2"], ["long", "3"]]


def test_numbers_stand_to_the_right_and_sections_under_rules():
    lines = str(Table(HEAD, ROWS, numbers=(1,), rules=(1, 3), ruled=True)).splitlines()
    assert lines == [
        "                    PQ  name",
        "-" * 28,
        "all                7.5  -",
        "-" * 28,
        "a very long one  100.0  x y",
        "z                    -",
    ]


def test_a_table_without_rows_is_its_head():
    assert str(Table(("a", "b"), [])) == "a  b"
    assert str(Table(("a", "b"), [], ruled=True)) == "a  b"
