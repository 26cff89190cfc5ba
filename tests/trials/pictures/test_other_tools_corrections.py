"""Corrections that came back from LabelMe, CVAT, Label Studio and COCO tools, as users saw them.

The files are written as these tools' exports are, not by our own writers.
"""

import base64
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.formats.rle import brush
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill
from tests.panoptic.dataset.test_videos import write_video

SIZE = (24, 32)  # of the clip and of the picture a/0003
KEY = "a/0001"  # 32 x 24


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Three pictures and a clip of three frames, labelled."""
    folder = tmp_path_factory.mktemp("corrections")
    fill(folder / "in", 3)
    write_video(folder / "in" / "clip.mkv", count=3)
    label_dataset(ColourLabeller(), folder / "in", WORDS, folder / "out")
    return folder / "out"


@pytest.fixture
def out(labelled, tmp_path):
    return shutil.copytree(labelled, tmp_path / "out")


def size_of(out, key):
    with DatasetStore.open(out) as store:
        return store.item(key).size


def label_of(out, key, frame=0):
    """The verdict on an item, and its label."""
    with DatasetStore.open(out) as store:
        item = store.item(key)
        return item.verdict, item.load(frame)


def categories(label):
    return sorted(s.category for s in label)


def correct(out, key, path):
    return main(["review", str(out), "--correct", f"{key}={path}"])


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


# -- Label Studio -----------------------------------------------------------------------------


def result(size, id, kind, value, **more):
    height, width = size
    return {
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
        "id": id,
        "from_name": "tag",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
        **more,
    }


def annotation(id, results, **more):
    return {
        "id": id,
        "completed_by": 1,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": f"2026-01-02T03:04:{id:02}.678901Z",
        "draft_created_at": None,
        "lead_time": 7.5,
        "prediction": {},
        "result_count": len(results),
        **more,
    }


def task(key, annotations, **more):
    data = {"image": f"/data/local-files/?d=train/{key.replace('/', '--')}.png", "key": key}
    given = {"id": 11, "annotations": annotations, "drafts": [], "predictions": [], "data": data}
    return {**given, "meta": {}, "inner_id": 1, "project": 3, **more}


def all_of(size, name):
    mask = np.ones(size, bool)
    return result(size, "ab1", "brushlabels", {"format": "rle", "rle": brush(mask)}) | {
        "value": {"format": "rle", "rle": brush(mask), "brushlabels": [name]}
    }


def test_a_skipped_task_leaves_the_label_as_it_was(out, tmp_path, capsys):
    before = label_of(out, KEY)
    skipped = task(KEY, [annotation(1, [], was_cancelled=True)])
    assert correct(out, KEY, write(tmp_path / "e.json", [skipped])) == 1
    assert "skipped" in capsys.readouterr().err
    assert label_of(out, KEY) == before


def test_a_region_of_another_page_of_a_task_was_drawn_on_the_first(out, tmp_path, capsys):
    size = size_of(out, KEY)
    for page, code in ((1, 1), (0, 0)):
        results = [all_of(size, "sea") | {"item_index": page}]
        path = write(tmp_path / "e.json", [task(KEY, [annotation(1, results)])])
        assert correct(out, KEY, path) == code
    assert "it is of picture 1 (from 0) of a task of several" in capsys.readouterr().err


def test_a_skipped_annotation_does_not_count_though_it_is_the_latest(out, tmp_path, capsys):
    size = size_of(out, KEY)
    both = [annotation(1, [all_of(size, "sea")]), annotation(2, [], was_cancelled=True)]
    assert correct(out, KEY, write(tmp_path / "e.json", [task(KEY, both)])) == 0
    assert categories(label_of(out, KEY)[1]) == ["sea"]
    assert "1 skipped" in capsys.readouterr().err


def review(hour, accepted, **more):
    """As Label Studio Enterprise has them beside an annotation's result."""
    given = {"id": hour, "created_by": 2, "accepted": accepted, "fixed_annotation_history": None}
    return {**given, "created_at": f"2026-01-03T{hour:02}:00:00.5Z", **more}


@pytest.mark.parametrize(
    ("reviewed", "counts"),
    [
        ({"reviews": []}, True),
        ({"reviews": [review(1, True)]}, True),
        ({"reviews": [review(1, False)]}, False),
        ({"reviews": [review(2, False), review(1, True)]}, False),
        ({"reviews": [review(1, False), review(2, True)], "last_action": None}, True),
        ({"reviews": [review(1, False)], "last_action": "submitted"}, False),
        ({"reviews": [review(1, False)], "last_action": "updated"}, True),
        ({"reviews": [review(1, None)]}, True),
        ({"last_action": "rejected"}, False),
        ({"last_action": "fixed_and_accepted"}, True),
    ],
)
def test_what_a_reviewer_rejected_was_taken_as_a_correction(
    out, tmp_path, capsys, reviewed, counts
):
    size, before = size_of(out, KEY), label_of(out, KEY)
    first = annotation(1, [all_of(size, "sea")])
    second = annotation(2, [all_of(size, "sand")], **reviewed)
    assert correct(out, KEY, write(tmp_path / "e.json", [task(KEY, [second])])) == (not counts)
    assert ("1 rejected in review" in capsys.readouterr().err) == (not counts)
    assert (label_of(out, KEY) == before) == (not counts)
    assert correct(out, KEY, write(tmp_path / "e.json", [task(KEY, [first, second])])) == 0
    assert categories(label_of(out, KEY)[1]) == (["sand"] if counts else ["sea"])
    assert ("1 rejected in review, left out" in capsys.readouterr().err) == (not counts)


def test_the_annotation_marked_as_truth_counts(out, tmp_path, capsys):
    size = size_of(out, KEY)
    both = [annotation(1, [all_of(size, "sea")], ground_truth=True)]
    both.append(annotation(2, [all_of(size, "sand")]))
    assert correct(out, KEY, write(tmp_path / "e.json", [task(KEY, both)])) == 0
    assert categories(label_of(out, KEY)[1]) == ["sea"]
    assert "of 2 annotations the one marked as ground truth counts" in capsys.readouterr().err


def test_predictions_and_drafts_alone_are_no_correction(out, tmp_path, capsys):
    size = size_of(out, KEY)
    before = label_of(out, KEY)
    draft = {"id": 1, "result": [all_of(size, "sea")]}
    given = task(KEY, [], drafts=[draft], predictions=[{"result": [all_of(size, "sea")]}])
    assert correct(out, KEY, write(tmp_path / "e.json", [given])) == 1
    assert "1 drafts; " in (said := capsys.readouterr().err)
    assert "predictions, which nobody judged" in said
    assert label_of(out, KEY) == before


def test_shapes_beside_brush_regions_are_painted_too(out, tmp_path):
    size = height, width = size_of(out, KEY)
    ball = {"points": [[0, 0], [50, 0], [50, 25], [0, 25]], "closed": True}
    box = {"x": 50, "y": 50, "width": 25, "height": 25, "rotation": 0}
    results = [
        all_of(size, "sand"),
        result(size, "p", "polygonlabels", {**ball, "polygonlabels": ["ball"]}),
        result(size, "r", "rectanglelabels", {**box, "rectanglelabels": ["box"]}),
        # Shapes and labels as two tags of the interface: two results of one id.
        result(size, "e", "ellipse", {"x": 25, "y": 75, "radiusX": 10, "radiusY": 10}),
        result(size, "e", "labels", {"labels": ["ball"]}),
    ]
    path = write(tmp_path / "e.json", [task(KEY, [annotation(1, results)])])
    assert correct(out, KEY, path) == 0
    _, label = label_of(out, KEY)
    assert categories(label) == ["ball", "ball", "box", "sand"]
    assert {s.box for s in label if s.category == "box"} == {
        (width // 2, height // 2, width * 3 // 4, height * 3 // 4)
    }
    areas = sorted(s.area for s in label if s.category == "ball")
    assert areas[1] == width // 2 * (height // 4)
    assert areas[0] == pytest.approx(np.pi * width * height / 100, rel=0.2)


def test_a_rectangle_of_label_studio_turns_about_its_corner(out, tmp_path):
    size = height, width = size_of(out, KEY)
    # A quarter turn clockwise about the upper left corner brings it to the left of that.
    box = {"x": 50, "y": 0, "width": 800 / width, "height": 400 / height, "rotation": 90}
    results = [result(size, "r", "rectanglelabels", {**box, "rectanglelabels": ["box"]})]
    path = write(tmp_path / "e.json", [task(KEY, [annotation(1, results)])])
    assert correct(out, KEY, path) == 0
    (found,) = label_of(out, KEY)[1]
    assert found.box == (width // 2 - 4, 0, width // 2, 8)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"type": "bitmasklabels"}, "regions of the type 'bitmask' are not read"),
        ({"image_rotation": 90}, "turned by 90 degrees"),
        ({"value": {"x": 1, "y": 1, "width": 5, "height": 5}}, "has one label, got []"),
        ({"original_width": 10}, "it is 10 x"),
    ],
)
def test_what_label_studio_says_otherwise_is_refused(out, tmp_path, capsys, broken, why):
    size = size_of(out, KEY)
    value = {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["box"]}
    results = [all_of(size, "sea"), result(size, "r", "rectanglelabels", value) | broken]
    before = label_of(out, KEY)
    path = write(tmp_path / "e.json", [task(KEY, [annotation(1, results)])])
    assert correct(out, KEY, path) == 1
    assert why in (said := capsys.readouterr().err)
    assert "task 11" in said
    assert label_of(out, KEY) == before


def test_json_min_is_read(out, tmp_path):
    size = height, width = size_of(out, KEY)
    shape = {"original_width": width, "original_height": height}
    box = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["box"]}
    record = {
        **{"image": "/data/upload/1/0a1b2c3d-0001.png", "id": 4, "key": KEY},
        "box": [{**box, **shape}],
        "tag": [{"format": "rle", "rle": brush(np.zeros(size, bool)), "brushlabels": ["ball"]}],
        **{"annotator": 1, "annotation_id": 9, "created_at": "2026-01-02T03:04:05.678901Z"},
        **{"updated_at": "2026-01-02T03:04:05.678901Z", "lead_time": 3.1},
    }
    record["tag"][0] |= shape
    assert correct(out, KEY, write(tmp_path / "e.json", [record])) == 0
    (found,) = label_of(out, KEY)[1]
    assert (found.category, found.box) == ("box", (0, 0, width // 2, height // 2))


# -- CVAT -------------------------------------------------------------------------------------


def cvat(images):
    head = "<task><id>7</id><name>photos</name><size>3</size><mode>annotation</mode></task>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta>{head}<dumped>2026-01-02 03:04:05.678901+00:00</dumped></meta>\n"
        f"{''.join(images)}</annotations>\n"
    )


def cvat_image(number, name, size, shapes):
    height, width = size
    head = f'<image id="{number}" name="{name}" width="{width}" height="{height}">'
    return f"  {head}\n{''.join(shapes)}  </image>\n"


def cvat_box(label, x0, y0, x1, y1, more=""):
    corners = f'xtl="{x0:.2f}" ytl="{y0:.2f}" xbr="{x1:.2f}" ybr="{y1:.2f}"'
    return (
        f'<box label="{label}" source="manual" occluded="0" {corners}{more} z_order="0">\n</box>\n'
    )


def test_a_turned_box_of_cvat_is_turned(out, tmp_path):
    size = size_of(out, KEY)
    shapes = [cvat_box("box", 4, 8, 16, 12, ' rotation="90.00"')]
    path = write(tmp_path / "a.xml", cvat([cvat_image(0, "a--0001.png", size, shapes)]))
    assert correct(out, KEY, path) == 0
    (found,) = label_of(out, KEY)[1]
    assert (found.category, found.box, found.area) == ("box", (8, 4, 12, 16), 48)


def test_an_ellipse_of_cvat_is_read(out, tmp_path):
    size = size_of(out, KEY)
    ellipse = '<ellipse label="ball" source="manual" occluded="0" cx="10.00" cy="12.00" rx="6.00"'
    shapes = [ellipse + ' ry="3.00" rotation="90.00" z_order="0">\n</ellipse>\n']
    path = write(tmp_path / "a.xml", cvat([cvat_image(0, "a--0001.png", size, shapes)]))
    assert correct(out, KEY, path) == 0
    (found,) = label_of(out, KEY)[1]
    assert found.box == (7, 6, 13, 18)
    assert found.area == pytest.approx(np.pi * 6 * 3, rel=0.05)


def test_helpers_are_left_out_and_told(out, tmp_path, capsys):
    size = height, width = size_of(out, KEY)
    point = '<points label="ball" source="manual" occluded="0" points="3.00,4.00" z_order="0">\n'
    shapes = [
        point + "</points>\n",
        '<tag label="box" source="manual">\n</tag>\n',
        cvat_box("box", 0, 0, 8, 8, ' group_id="0"').replace(
            "</box>", '<attribute name="material">wood</attribute>\n</box>'
        ),
    ]
    path = write(tmp_path / "a.xml", cvat([cvat_image(0, "a--0001.png", size, shapes)]))
    assert correct(out, KEY, path) == 0
    assert categories(label_of(out, KEY)[1]) == ["box"]
    said = capsys.readouterr().err
    assert "a points is left out" in said
    assert "a tag is left out" in said
    assert "the attribute 'material' is left out" in said
    # LabelMe's
    shapes = [
        {"label": "nose", "points": [[3, 4]], "shape_type": "point"},
        {"label": "edge", "points": [[3, 4], [9, 9]], "shape_type": "linestrip"},
        {"label": "sea", "points": [[0, 0], [width, height]], "shape_type": "rectangle"},
    ]
    shapes = [{**s, "group_id": None, "description": "", "flags": {}} for s in shapes]
    assert correct(out, KEY, write(tmp_path / "a.json", labelme("x.png", size, shapes))) == 0
    assert categories(label_of(out, KEY)[1]) == ["sea"]
    said = capsys.readouterr().err
    assert "a point is left out: shape 1 ('nose')" in said
    assert "a linestrip is left out" in said
    # Label Studio's
    results = [
        all_of(size, "sand"),
        result(size, "k", "keypointlabels", {"x": 1, "y": 1, "keypointlabels": ["nose"]}),
        {"from_id": "ab1", "to_id": "k", "type": "relation", "direction": "right"},
        result(size, "c", "choices", {"choices": ["blurred"]}),
    ]
    path = write(tmp_path / "e.json", [task(KEY, [annotation(1, results)])])
    assert correct(out, KEY, path) == 0
    assert categories(label_of(out, KEY)[1]) == ["sand"]
    said = capsys.readouterr().err
    for kind in ("keypoint", "relation", "choices"):
        assert f"a {kind} is left out" in said


def test_a_file_of_helpers_alone_does_not_empty_the_label(out, tmp_path, capsys):
    size = size_of(out, KEY)
    before = label_of(out, KEY)
    shape = {"label": "nose", "points": [[3, 4]], "shape_type": "point", "flags": {}}
    assert correct(out, KEY, write(tmp_path / "a.json", labelme("x.png", size, [shape]))) == 1
    assert "holds nothing that a label could be made of" in capsys.readouterr().err
    assert label_of(out, KEY) == before


def test_a_cuboid_is_refused_by_its_place(out, tmp_path, capsys):
    size = size_of(out, KEY)
    before = label_of(out, KEY)
    shapes = [cvat_box("box", 0, 0, 8, 8), '<cuboid label="box" z_order="0" xtl1="1"></cuboid>']
    path = write(tmp_path / "a.xml", cvat([cvat_image(0, "a--0001.png", size, shapes)]))
    assert correct(out, KEY, path) == 1
    said = capsys.readouterr().err
    assert "image 0 ('a--0001.png'), cuboid 2 ('box'): shapes of the type 'cuboid'" in said
    assert label_of(out, KEY) == before


def test_an_archive_of_cvat_corrects_all_its_pictures_but_the_broken_one(out, tmp_path, capsys):
    first, second, third = "b/0000", "a/0001", "a/0002"
    images = [
        cvat_image(0, "b--0000.png", size_of(out, first), [cvat_box("box", 0, 0, 8, 8)]),
        cvat_image(1, "a--0001.png", size_of(out, second), [cvat_box("cow", 0, 0, 8, 8)]),
        cvat_image(2, "a--0002.png", size_of(out, third), []),
        cvat_image(3, "strange.png", (5, 5), []),
    ]
    path = tmp_path / "job_7_annotations.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", cvat(images))
        archive.writestr("images/b--0000.png", b"no annotation")
    before = [label_of(out, key) for key in (second, third)]
    assert main(["review", str(out), "--corrections", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == f"{first}: corrected\n"
    assert "no category is called 'cow'" in printed.err
    assert f"{third}: " in printed.err  # nobody drew anything there
    assert "image 3 ('strange.png'): no item is called so" in printed.err
    assert categories(label_of(out, first)[1]) == ["box"]
    assert [label_of(out, key) for key in (second, third)] == before


def test_a_picture_of_the_same_base_name_in_another_folder_is_not_taken(out, tmp_path, capsys):
    size = size_of(out, KEY)
    images = [
        cvat_image(0, "x/0001.png", size, [cvat_box("ball", 0, 0, 8, 8)]),
        cvat_image(1, "a/0001.png", size, [cvat_box("box", 0, 0, 8, 8)]),
    ]
    assert correct(out, KEY, write(tmp_path / "a.xml", cvat(images))) == 0
    assert categories(label_of(out, KEY)[1]) == ["box"]
    images[1] = images[0].replace("x/0001", "y/0001")
    assert correct(out, KEY, write(tmp_path / "a.xml", cvat(images))) == 1
    assert "holds no label" in capsys.readouterr().err


# -- CVAT's videos ----------------------------------------------------------------------------


def cvat_video(tracks, size=SIZE, stop=2):
    sizes = f"<width>{size[1]}</width><height>{size[0]}</height>"
    head = (
        f"<task><id>8</id><name>clip</name><size>{stop + 1}</size><mode>interpolation</mode>"
        f"<overlap>5</overlap><start_frame>0</start_frame><stop_frame>{stop}</stop_frame>"
        "<frame_filter></frame_filter><segments></segments>"
        f"<original_size>{sizes}</original_size><source>clip.mkv</source></task>"
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta>{head}</meta>\n{''.join(tracks)}</annotations>\n"
    )


def cvat_track(number, label, boxes, more=""):
    shapes = "".join(
        f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="{x}.00"'
        f' ytl="2.00" xbr="{x + 6}.00" ybr="8.00" z_order="0">\n</box>\n'
        for frame, x, outside in boxes
    )
    return f'<track id="{number}" label="{label}" source="manual"{more}>\n{shapes}</track>\n'


def test_an_object_drawn_anew_has_one_id_in_all_frames_of_a_video(out, tmp_path):
    tracks = [
        cvat_track(0, "box", [(0, 1, 0), (1, 1, 1)]),
        cvat_track(1, "ball", [(0, 12, 0), (1, 13, 0), (2, 14, 0)]),
        cvat_track(2, "box", [(1, 22, 0), (2, 22, 0)]),
    ]
    model_ids = {s.id for f in range(3) for s in label_of(out, "clip", f)[1]}
    assert correct(out, "clip", write(tmp_path / "a.xml", cvat_video(tracks))) == 0
    frames = [label_of(out, "clip", frame)[1] for frame in range(3)]
    balls = {s.id for label in frames for s in label if s.category == "ball"}
    boxes = [{s.id for s in label if s.category == "box"} for label in frames]
    assert len(balls) == 1
    assert not balls & model_ids
    assert boxes[1] == boxes[2]
    assert not boxes[0] & boxes[1]


def test_a_frame_whose_objects_were_all_deleted_becomes_void(out, tmp_path, capsys):
    tracks = [cvat_track(0, "box", [(0, 1, 0), (1, 1, 1), (2, 3, 0)])]
    assert correct(out, "clip", write(tmp_path / "a.xml", cvat_video(tracks))) == 0
    assert [len(label_of(out, "clip", frame)[1]) for frame in range(3)] == [1, 0, 1]
    assert "frame 1 holds no region" in capsys.readouterr().err


def test_frames_between_keyframes_are_not_guessed(out, tmp_path, capsys):
    before = label_of(out, "clip", 1)[1]
    tracks = [cvat_track(0, "box", [(0, 1, 0), (2, 5, 0)])]
    assert correct(out, "clip", write(tmp_path / "a.xml", cvat_video(tracks))) == 1
    assert "track 0 ('box'): nothing is said of frame 1, between 0 and 2" in capsys.readouterr().err
    assert label_of(out, "clip", 1)[1] == before
    assert [categories(label_of(out, "clip", frame)[1]) for frame in (0, 2)] == [["box"]] * 2


def test_a_video_is_found_by_the_name_of_its_task(out, tmp_path):
    tracks = [cvat_track(0, "box", [(0, 1, 0), (1, 1, 0), (2, 3, 0)])]
    path = write(tmp_path / "a.xml", cvat_video(tracks))
    assert main(["review", str(out), "--corrections", str(path)]) == 0
    assert [categories(label_of(out, "clip", frame)[1]) for frame in range(3)] == [["box"]] * 3


def test_tracks_of_a_video_of_another_size_are_refused(out, tmp_path, capsys):
    tracks = [cvat_track(0, "box", [(0, 1, 0), (1, 1, 0), (2, 3, 0)])]
    path = write(tmp_path / "a.xml", cvat_video(tracks, size=(480, 640)))
    assert correct(out, "clip", path) == 1
    assert "it is 640 x 480, the picture is 32 x 24" in capsys.readouterr().err
    assert label_of(out, "clip")[0] is None


# -- LabelMe ----------------------------------------------------------------------------------


def labelme(name, size, shapes):
    return {
        **{"version": "6.3.1", "flags": {}, "shapes": shapes, "imagePath": name},
        **{"imageData": None, "imageHeight": size[0], "imageWidth": size[1]},
    }


def labelme_box(label, x0, y0, x1, y1, group=None):
    shape = {"label": label, "points": [[x0, y0], [x1, y1]], "group_id": group}
    return {**shape, "description": "", "shape_type": "rectangle", "flags": {}, "mask": None}


def test_a_group_is_one_object_and_stuff_is_one_segment(out, tmp_path):
    size = size_of(out, KEY)
    shapes = [
        labelme_box("sand", 0, 0, 3, 3),
        labelme_box("sand", 10, 0, 13, 3),
        labelme_box("ball", 0, 10, 1, 11, group=0),
        labelme_box("ball", 4, 10, 5, 11, group=0),
        labelme_box("ball", 8, 10, 9, 11),
    ]
    assert correct(out, KEY, write(tmp_path / "a.json", labelme("a.png", size, shapes))) == 0
    _, label = label_of(out, KEY)
    assert categories(label) == ["ball", "ball", "sand"]
    assert sorted(s.area for s in label if s.category == "ball") == [4, 8]


def test_an_oriented_rectangle_of_labelme_is_read(out, tmp_path):
    size = size_of(out, KEY)
    shape = labelme_box("box", 0, 0, 0, 0) | {
        **{"points": [[10, 2], [18, 10], [10, 18], [2, 10]], "shape_type": "oriented_rectangle"},
    }
    assert correct(out, KEY, write(tmp_path / "a.json", labelme("a.png", size, [shape]))) == 0
    (found,) = label_of(out, KEY)[1]
    assert (found.box, found.area) == ((2, 2, 19, 19), 145)


def test_a_folder_of_labelme_is_taken_whole(out, tmp_path):
    folder = tmp_path / "labelme"
    for key in ("b/0000", "a/0001"):
        shapes = [labelme_box("box", 0, 0, 5, 5)]
        content = labelme(f"..\\photos\\{key[2:]}.png", size_of(out, key), shapes)
        # The picture that it names lies in a folder of another name on Windows.
        content["imagePath"] = key.replace("/", "--") + ".png"
        write(folder / f"{key.replace('/', '--')}.json", content)
    assert main(["review", str(out), "--corrections", str(folder)]) == 0
    for key in ("b/0000", "a/0001"):
        assert label_of(out, key)[0] == "corrected"
        assert categories(label_of(out, key)[1]) == ["box"]


# -- claims of small files --------------------------------------------------------------------


def bomb_of_labelme(size):
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    mask = base64.b64encode(stream.getvalue()).decode("ascii")
    shape = {"label": "box", "points": [[0, 0], [19_999, 19_999]], "shape_type": "mask"}
    return json.dumps(labelme("a--0001.png", size, [{**shape, "mask": mask}]))


def bomb_of_cvat(size):
    mask = (
        '<mask label="box" rle="0, 1000000000000" left="0" top="0" width="1000000" '
        'height="1000000" z_order="0"/>'
    )
    return cvat([cvat_image(0, "a--0001.png", size, mask)])


@pytest.mark.parametrize(("name", "bomb"), [("a.json", bomb_of_labelme), ("a.xml", bomb_of_cvat)])
def test_a_mask_that_no_memory_holds_ended_all_corrections(out, tmp_path, capsys, name, bomb):
    size = size_of(out, KEY)
    write(tmp_path / "in" / name, bomb(size))
    other = labelme("b--0000.png", size_of(out, "b/0000"), [labelme_box("box", 0, 0, 5, 5)])
    write(tmp_path / "in" / "b--0000.json", other)
    assert main(["review", str(out), "--corrections", str(tmp_path / "in")]) == 1
    assert "leads out of the picture" in capsys.readouterr().err
    assert label_of(out, KEY)[0] is None
    assert label_of(out, "b/0000")[0] == "corrected"


# -- COCO -------------------------------------------------------------------------------------


def coco(size, annotations):
    return {
        "images": [{"id": 3, "file_name": "a--0001.png", "height": size[0], "width": size[1]}],
        "annotations": [
            {"id": n, "image_id": 3, "category_id": 7, "iscrowd": 0, "area": 9.0, "bbox": [0] * 4}
            | annotation
            for n, annotation in enumerate(annotations, 1)
        ],
        "categories": [{"id": 7, "name": "ball", "supercategory": ""}, {"id": 1, "name": "sea"}],
    }


def test_coco_instances_correct_a_label_by_the_names_of_their_categories(out, tmp_path, capsys):
    size = height, width = size_of(out, KEY)
    rows = [width * [0] for _ in range(height)]
    for row in rows[4:8]:
        row[6:9] = [1] * 3
    flat = [rows[y][x] for x in range(width) for y in range(height)]  # down the columns
    counts, value, length = [], 0, 0
    for v in [*flat, None]:
        if v != value:
            counts.append(length)
            value, length = v, 0
        length += 1
    annotations = [
        {
            "category_id": 1,
            "segmentation": [[0, 0, 32, 0, 32, 4, 0, 4], [0, 20, 4, 20, 4, 24, 0, 24]],
        },
        {"segmentation": {"size": [height, width], "counts": counts}},
        {"segmentation": [], "keypoints": [3, 4, 2], "num_keypoints": 1},
    ]
    path = write(tmp_path / "instances_default.json", coco(size, annotations))
    assert correct(out, KEY, path) == 0
    segments = {s.category: s for s in label_of(out, KEY)[1]}
    assert segments["ball"].box == (6, 4, 9, 8)
    assert segments["sea"].area == width * 4 + 16
    assert "a list of keypoints is left out" in capsys.readouterr().err


def test_a_box_alone_is_no_coco_correction(out, tmp_path, capsys):
    size = size_of(out, KEY)
    path = write(tmp_path / "c.json", coco(size, [{"segmentation": [], "bbox": [1, 1, 5, 5]}]))
    assert correct(out, KEY, path) == 1
    assert "annotation 1 ('ball'): it has no mask" in capsys.readouterr().err
    assert label_of(out, KEY)[0] is None
