import json

import numpy as np
import pytest

from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanopticWriter
from panoptic.formats.vipseg import VipsegWriter
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.commands.shell import in_a_terminal, last_line, panoptic


def write_coco(folder, name, categories, ids, segments):
    with CocoPanopticWriter(folder, name, categories) as writer:
        writer.add(PanopticSegmentation.from_ids(ids, segments), "a.jpg")
    return str(folder / f"{name}.json")


def test_eval_prints_the_panoptic_quality(tmp_path, capsys):
    ids = np.ones((4, 4), np.int32)
    ids[:, 2:] = 2
    shifted = np.ones((4, 4), np.int32)
    shifted[:, 3:] = 2
    truth = write_coco(
        tmp_path, "truth", [], ids, [Segment(1, 7, "sky", False, 1), Segment(2, 9, "car", True, 1)]
    )
    same = [Segment(1, 7, "sky", False, 1), Segment(2, 9, "car", True, 1)]
    prediction = write_coco(tmp_path, "prediction", [], shifted, same)
    numbers = tmp_path / "numbers.json"
    assert main(["eval", prediction, truth, "--json", str(numbers)]) == 0
    # sky: 8 of 12 pixels shared; car: 4 of 8, which is no match.
    assert json.loads(numbers.read_text())["all"]["pq"] == pytest.approx((8 / 12 + 0) / 2)
    row = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("all"))
    assert row.split()[:3] == ["all", "33.3", "33.3"]
    own = [Segment(1, 1, "sky", False, 1), Segment(2, 2, "car", True, 1)]
    renamed = write_coco(tmp_path, "renamed", [], ids, own)
    assert main(["eval", renamed, truth]) == 2
    assert "category 1" in last_line(capsys)
    assert main(["eval", renamed, truth, "--by-name"]) == 0
    assert "100.0" in capsys.readouterr().out
    assert main(["eval", str(tmp_path / "none.json"), truth]) == 2
    assert last_line(capsys).startswith("panoptic eval: error: ")


def test_on_a_terminal_eval_draws_a_table(tmp_path):
    sky = [Segment(1, 7, "sky [blue]", False, 1)]
    truth = write_coco(tmp_path, "truth", [], np.ones((4, 4), np.int32), sky)
    code, shown = in_a_terminal("eval", truth, truth)
    assert code == 0
    assert "─────" in shown
    row = next(line.split() for line in shown.splitlines() if line.strip().startswith("sky"))
    assert row == ["sky", "[blue]", "100.0", "100.0", "100.0", "1", "1", "0", "0"]
    plain = panoptic("eval", truth, truth).stdout
    assert "─" not in plain
    assert "sky [blue]  100.0  100.0  100.0        1   1   0   0" in plain


def test_eval_understands_videos(tmp_path, capsys):
    ids = np.ones((4, 4), np.int32)
    for folder, ends in (("truth", 1), ("prediction", 2)):
        writer = VipsegWriter(tmp_path / folder, "clip")
        for id in (1, ends):  # the prediction's id changes
            segment = Segment(id, 9, "car", True, 1)
            writer.add(PanopticSegmentation.from_ids(id * ids, [segment]))
        writer.close()
    folders = [str(tmp_path / "prediction"), str(tmp_path / "truth")]
    numbers = tmp_path / "numbers.json"
    assert main(["eval", *folders, "--layout", "vipseg", "--json", str(numbers)]) == 0
    # One frame: right; both: 16 of 32 pixels, no match; longer windows have no tubes.
    windows = json.loads(numbers.read_text())["vpq"]["all"]["windows"]
    assert [windows[k]["pq"] for k in ("1", "2", "4", "6")] == [1, 0, None, None]
    printed = capsys.readouterr().out
    assert printed.startswith("1 videos, 2 frames\n")
    assert "STQ" in printed
    assert main(["eval", *folders, "--layout", "davis"]) == 2
    assert main(["eval", *folders, "--layout", "davis", "--by-name"]) == 2
    assert "has no categories" in last_line(capsys)
    assert main(["eval", *folders, "--layout", "vipseg", "--truth-folder", "x"]) == 2
    assert "belong to the layout coco" in last_line(capsys)


def test_eval_says_how_it_paired_what_it_took_for_what_and_takes_folders(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    ids = np.ones((4, 4), np.int32)
    tree = [Segment(1, 184, "tree-merged", False, 1)]
    truth = write_coco(tmp_path, "truth", [], ids, tree)
    write_coco(tmp_path / "out", "panoptic", [], ids, [Segment(1, 1, "Tree", False, 1)])
    assert main(["eval", str(tmp_path / "out"), truth, "--by-name"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "1 images, paired by image id",
        "by name, 'Tree' is 'tree-merged' of the truth",
    ]
    assert main(["eval", str(tmp_path / "out"), truth, "--images", "order"]) == 2
    assert "'order' is not one of" in last_line(capsys)
    folders = [truth, truth, "--layout", "vipseg", "--images", "id"]
    assert main(["eval", *folders]) == 2
    assert "frames of videos go by their names" in last_line(capsys)


def test_what_is_not_there_is_named(tmp_path, capsys):
    (tmp_path / "truth").mkdir()
    assert main(["eval", str(tmp_path / "labels"), str(tmp_path / "truth")]) == 2
    assert f"{str(tmp_path / 'labels')!r} is not there" in last_line(capsys)
