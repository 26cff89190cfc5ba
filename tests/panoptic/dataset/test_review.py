"""Verdicts: listed, taken, kept through further runs, and followed by exports."""

import json

import numpy as np
import pytest

from panoptic.cli import main
from panoptic.dataset.export import ExportSettings, export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.review import correct, doubtful_labels
from panoptic.dataset.store import DatasetStore
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.dataset import DatasetSettings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 6)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    return tmp_path / "out"


def keys(out):
    with DatasetStore.open(out) as store:
        return [item.key for item in store.items()]


def corrected_file(folder, size):
    """COCO panoptic of a picture that is all sand."""
    sand = Segment(3, 3, "sand", False, 1.0)
    return PanopticSegmentation.from_ids(np.full(size, 3, np.int32), [sand]).save(folder, "mine")


def test_the_worst_come_first(out):
    with DatasetStore.open(out) as store:
        qualities = {item.key: item.quality for item in store.items()}
        found, total = doubtful_labels(store, 1.0)
        assert [d.item.key for d in found] == sorted(qualities, key=lambda k: (qualities[k], k))
        assert total == 6
        few, total = doubtful_labels(store, 1.0, most=2)
        assert ([d.item.key for d in few], total) == ([d.item.key for d in found[:2]], 6)
        middle = found[2].item.quality
        assert {d.item.key for d in doubtful_labels(store, middle)[0]} == {
            k for k, q in qualities.items() if q < middle
        }
        assert doubtful_labels(store, 0.0) == ([], 0)
        # The labeller's quality is a tenth of the category's id.
        segments = {s.category: s for s in found[0].item.load()}
        first = min(segments.values(), key=lambda s: s.quality)
        assert found[0].worst[0].id == first.id
        name = f"{first.category} #{first.id}" if first.is_thing else first.category
        assert found[0].reasons(WORDS).startswith(f"{name} {first.quality:.2f}")


def test_verdicts_outlast_further_runs_and_drive_exports(out, tmp_path):
    good, bad, wrong, *_ = keys(out)
    with DatasetStore.open(out) as store:
        store.set_verdict(good, "accept")
        store.set_verdict(bad, "reject")
        size = store.item(wrong).size
        assert len(correct(store, wrong, corrected_file(tmp_path / "mine", size)).labels) == 1
    fill(tmp_path / "in", 2, start=6)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    again = DatasetSettings(redo=True)
    label_dataset(ColourLabeller(80), tmp_path / "in", WORDS, tmp_path / "out", settings=again)
    with DatasetStore.open(out) as store:
        assert len(store) == 8
        verdicts = {item.key: item.verdict for item in store.items()}
        assert verdicts[good] == "accept"
        assert verdicts[bad] == "reject"
        assert verdicts[wrong] == "corrected"
        assert {d.item.key for d in doubtful_labels(store, 1.0)[0]} == set(verdicts) - {
            good,
            bad,
            wrong,
        }
        assert len(doubtful_labels(store, 1.0, decided=True)[0]) == 8
        settings = ExportSettings(min_quality=1.0)
        (done,) = export(store.items(), WORDS, tmp_path, ["coco_panoptic"], settings)
    assert done.total == 2
    found = {}
    for path in (done.folder / "annotations").glob("*.json"):
        data = CocoPanoptic.open(path)
        found |= {data.images[i]["file_name"]: label for i, label in data}
    good, wrong = (f"{key.replace('/', '--')}.png" for key in (good, wrong))
    assert set(found) == {good, wrong}
    assert [(s.category, s.quality) for s in found[wrong]] == [("sand", 1.0)]


def test_the_command_lists(out, capsys):
    assert main(["review", str(out), "--below", "1", "--most", "3"]) == 0
    text = capsys.readouterr().out
    assert "6 of 6 labels are below 1 and wait for a verdict, of which 3 are shown" in text
    assert len([line for line in text.splitlines() if ".png" in line]) == 3
    assert main(["review", str(out), "--below", "1", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(entry["key"] for entry in listed) == sorted(keys(out))
    assert [e["quality"] for e in listed] == sorted(e["quality"] for e in listed)


def test_the_command_takes_verdicts(out, tmp_path, capsys):
    first, second, third, *_ = keys(out)
    with DatasetStore.open(out) as store:
        mine = corrected_file(tmp_path / "mine", store.item(third).size)
    given = ["--accept", first, "--reject", second, "--correct", f"{third}={mine}"]
    assert main(["review", str(out), *given]) == 0
    assert f"{second}: reject" in capsys.readouterr().out
    with DatasetStore.open(out) as store:
        assert [store.item(k).verdict for k in (first, second, third)] == [
            *("accept", "reject", "corrected")
        ]
        assert [s.category for s in store.item(third).load()] == ["sand"]
    assert main(["review", str(out), "--forget", third]) == 0
    with DatasetStore.open(out) as store:
        assert store.item(third).verdict is None
        assert len(store.item(third).load()) > 1


def test_verdicts_from_a_file(out, tmp_path, capsys):
    first, second, *_ = keys(out)
    with DatasetStore.open(out) as store:
        corrected_file(tmp_path / "mine", store.item(second).size)
    lines = [
        {"key": first, "verdict": "reject", "note": "blurred"},
        {"key": "nothing", "verdict": "accept"},
        {"key": second, "verdict": "corrected", "file": "mine/mine.json"},
    ]
    path = tmp_path / "verdicts.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert main(["review", str(out), "--verdicts", str(path)]) == 1
    assert "no labelled item has the key 'nothing'" in capsys.readouterr().err
    with DatasetStore.open(out) as store:
        assert (store.item(first).verdict, store.item(second).verdict) == ("reject", "corrected")
    path.write_text('{"key": "a", "verdict": "maybe"}')
    assert main(["review", str(out), "--verdicts", str(path)]) == 2
    assert "line 1: expected key and verdict" in capsys.readouterr().err


def test_the_export_command(out, tmp_path, capsys):
    given = ["--format", "labelme", "--format", "yolo_seg", "--parts", "things"]
    assert main(["export", str(out), *given]) == 0
    shown = capsys.readouterr().out
    assert f"in {out / 'export' / 'labelme'}" in shown
    written = {p.name for p in (out / "export").iterdir() if p.name[0] != "."}
    assert written == {"labelme", "yolo_seg"}
    assert main(["export", str(out), "--format", "xls", "--to", str(tmp_path / "x")]) == 2
    assert "no format is called 'xls'" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nowhere"), "--format", "labelme"]) == 2


def test_an_export_tells_what_it_could_not_hold(out, capsys):
    assert main(["export", str(out), "--format", "cvat_video", "--format", "labelme"]) == 1
    captured = capsys.readouterr()
    assert "cvat_video: nothing, so it isn't written; 6 left out" in captured.out
    assert "a picture; cvat_images is for these" in captured.err
