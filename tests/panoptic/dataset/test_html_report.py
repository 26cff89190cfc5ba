"""The page says what is in the manifest, shows the worst first, and needs nothing else."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.html_report import ReportSettings, write_report
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.statistics import Histogram, Statistics
from panoptic.dataset.store import DatasetStore
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill


class Page(HTMLParser):
    """Rows of tables, sources of pictures, everything that points elsewhere, and all text."""

    def __init__(self, path):
        super().__init__()
        self.rows, self.pictures, self.links, self.text = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.links += [given[n] for n in ("href", "src") if n in given and n != "src"]
        if tag == "img":
            self.pictures.append(given["src"])
        if tag in ("script", "link", "iframe"):
            self.links.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 8)
    (tmp_path / "in" / "<b>bad & broken.png").write_bytes(b"no picture")
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    return tmp_path / "out"


def test_numbers_are_those_of_the_labels(out):
    with DatasetStore.open(out) as store:
        statistics = Statistics.of(store, worst=3)
        labels = {item.key: item.load() for item in store.items()}
        qualities = {item.key: item.quality for item in store.items()}
        for c in WORDS:
            segments = [s for label in labels.values() for s in label if s.category_id == c.id]
            found = statistics.categories[c.id]
            assert found.segments == len(segments) == len(found.scores)
            assert found.items == sum(
                any(s.category_id == c.id for s in x) for x in labels.values()
            )
            assert found.scores.mean == pytest.approx(0.5)
            assert found.qualities.mean == pytest.approx(c.id / 10)
            share = sum(float((label.category_map() == c.id).mean()) for label in labels.values())
            assert found.share == pytest.approx(share)
        assert statistics.items == sum(statistics.splits.values()) == 8
        assert statistics.kinds == {"image": 8}
        assert statistics.unlabelled == pytest.approx(
            sum(float((x.ids == 0).mean()) for x in labels.values()) / 8
        )
        worst = [item.key for item in statistics.worst]
        assert [qualities[k] for k in worst] == sorted(qualities.values())[:3]
        store.set_verdict(worst[0], "reject")
        again = Statistics.of(store, worst=3)
        assert worst[0] not in [item.key for item in again.worst]
        assert again.verdicts == {"reject": 1}


def test_histogram():
    histogram = Histogram()
    for value in (0.0, 0.049, 0.05, 1.0):
        histogram.add(value)
    assert (histogram.counts[0], histogram.counts[1], histogram.counts[-1]) == (2, 1, 1)
    assert histogram.mean == pytest.approx(1.099 / 4)


def test_the_page(out, tmp_path):
    with DatasetStore.open(out) as store:
        path = write_report(store)
        statistics = Statistics.of(store)
        worst = [item.key for item in statistics.worst]
        calls = []
        page = tmp_path / "elsewhere" / "page.html"
        again = write_report(store, page, progress=lambda *call: calls.append(call))
        assert list(page.parent.iterdir()) == [page]
        assert again.read_bytes() == path.read_bytes()
        steps = len(store) + min(24, len(store))
        assert [done for done, _ in calls] == list(range(1, calls[-1][1] + 1))
        assert calls[0][1] == steps >= calls[-1][1]
    assert path == out / "report.html"
    page = Page(path)
    assert page.links == []
    rows = {row[0]: row for row in page.rows}
    for c in WORDS:
        assert rows[c.name][1:3] == [
            "thing" if c.is_thing else "stuff",
            str(statistics.categories[c.id].segments),
        ]
    assert "no picture of a known format" in rows["<b>bad & broken.png"][1]
    assert len(page.pictures) == 8
    for source in page.pictures:
        kind, _, data = source.partition(";base64,")
        assert kind == "data:image/jpeg"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert max(picture.size) == 480
    text = "".join(page.text)
    places = [text.index(key) for key in worst]
    assert places == sorted(places)
    assert re.search(r"8\s*labelled\s*1\s*broken", text)


def test_a_picture_that_is_gone_is_drawn_without_it(out, tmp_path):
    for path in (tmp_path / "in").rglob("*.png"):
        path.unlink()
    with DatasetStore.open(out) as store:
        page = Page(write_report(store, settings=ReportSettings(worst=2)))
    assert len(page.pictures) == 2
    assert "".join(page.text).count("there is no such file") == 2


def test_the_command(out, tmp_path, capsys):
    assert main(["report", str(out), "-o", str(tmp_path / "x" / "page.html"), "--worst", "1"]) == 0
    assert "page.html" in capsys.readouterr().out
    assert len(Page(tmp_path / "x" / "page.html").pictures) == 1
    assert main(["report", str(tmp_path)]) == 2


def test_a_page_replaces_pages_alone(out, tmp_path, capsys):
    page, mine = tmp_path / "page.html", tmp_path / "street.jpg"
    mine.write_text("mine")
    for _ in range(2):
        assert main(["report", str(out), "-o", str(page), "--worst", "0"]) == 0
    assert main(["report", str(out), "-o", str(mine), "--worst", "0"]) == 2
    assert "is no report" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert main(["report", str(out), "-o", str(mine / "page.html"), "--worst", "0"]) == 2
    assert "can't be used" in capsys.readouterr().err


def test_an_empty_data_set(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        page = Page(write_report(store))
    assert page.pictures == []
    assert any("empty" in cell for row in page.rows for cell in row)
