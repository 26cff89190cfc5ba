"""Label Studio's protocol, with requests as it writes them.

The fields are those of ``ml/api_connector.py`` of Label Studio 1.13, and tasks those of its
``TaskSimpleSerializer``; ``test_label_studio_sdk`` reads the answers by its SDK.
"""

import base64

import numpy as np
import pytest

from panoptic import PanopticSegmentation, Segment, Vocabulary
from panoptic.serve.service import Service
from tests.panoptic.serve.servers import error, png, serving

BRUSH = """<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="tag" toName="image">
    <Label value="car" background="#FFA39E"/><Label value="dog" background="#D4380D"/>
    <Label value="traffic light"/>
    <Label value="road" stuff="true"/><Label value="sky" stuff="true"/>
    <Label value="grass" stuff="true"/>
  </BrushLabels>
</View>"""
TIME = "2024-05-22T10:12:11.123456Z"
WORDS = Vocabulary(["car", "dog", "traffic light"], ["road", "sky", "grass"])


def task(image, id=7, **data):
    """As Label Studio sends one."""
    return {
        **{"id": id, "data": {"image": image, **data}, "meta": {}, "is_labeled": False},
        **{
            "created_at": "2024-05-22T10:12:11.123456Z",
            "updated_at": "2024-05-22T10:12:11.123456Z",
        },
        **{"overlap": 1, "inner_id": 1, "total_annotations": 0, "cancelled_annotations": 0},
        **{"total_predictions": 0, "comment_count": 0, "unresolved_comment_count": 0},
        **{"last_comment_updated_at": None, "project": 1, "updated_by": None, "file_upload": 3},
        **{"comment_authors": [], "annotations": [], "predictions": []},
    }


def predict(client, *tasks, config=BRUSH, context=None):
    return client.json(
        "/predict",
        tasks=list(tasks),
        project="1.1716372331",
        label_config=config,
        params={"login": None, "password": None, "context": context},
    )


def inline(picture):
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode()


def setup(client, config=BRUSH):
    return client.json(
        "/setup",
        project="1.1716372331",
        schema=config,
        hostname="http://evil.example:8080",
        access_token="f" * 40,
        extra_params=None,
    )


def test_it_is_connected_as_label_studio_connects(client):
    assert client.get("/health").json()["status"] == "UP"
    version = setup(client).json()["model_version"]
    assert version.startswith("panoptic-")
    assert client.get("/versions").json() == {"versions": [version]}
    for action, status in (
        *(("ANNOTATION_CREATED", 201), ("START_TRAINING", 201), ("PROJECT_UPDATED", 200)),
    ):
        response = client.json(
            *("/webhook",), action=action, project={"id": 1, "label_config": BRUSH}
        )
        assert response.status_code == status
        assert response.json()["status"]


def test_another_model_has_another_version(tiny):
    first = Service(tiny, "tiny").version
    tiny.settings = tiny.settings.changed({"merge.min_visible": 0.1})
    assert Service(tiny, "tiny").version != first


def regions(prediction, kind):
    for region in prediction["result"]:
        assert (region["type"], region["to_name"]) == (f"{kind}labels", "image")
        assert (region["original_height"], region["original_width"]) == (90, 120)
        assert 0 <= region["score"] <= 1
        yield int(region["id"].removeprefix("segment-")), region["value"]


def test_brushes_are_the_label_to_the_pixel(client, models, picture):
    from panoptic.formats.rle import read_brush

    response = predict(client, task(inline(picture)))
    assert response.status_code == 200
    (prediction,) = response.json()["results"]
    assert prediction["model_version"] == setup(client).json()["model_version"]
    wanted = models.segment(picture, WORDS)
    assert len(prediction["result"]) == len(wanted) > 1
    for id, value in regions(prediction, "brush"):
        assert value["brushlabels"] == [wanted.segment(id).category]
        assert np.array_equal(read_brush(value["rle"], 90, 120), wanted.mask(id))
    assert prediction["score"] == pytest.approx(np.mean([s.quality for s in wanted]))


def test_rectangles_and_aliases(client, models, picture):
    config = BRUSH.replace("BrushLabels", "RectangleLabels").replace(
        '<Label value="car"', '<Label value="car" alias="c-1"'
    )
    (prediction,) = predict(client, task(inline(picture)), config=config).json()["results"]
    wanted = models.segment(picture, WORDS)
    for id, value in regions(prediction, "rectangle"):
        segment = wanted.segment(id)
        name = "c-1" if segment.category == "car" else segment.category
        assert value["rectanglelabels"] == [name]
        x, y = value["x"] * 1.2, value["y"] * 0.9
        box = x, y, x + value["width"] * 1.2, y + value["height"] * 0.9
        assert box == pytest.approx(segment.box)
    assert len(prediction["result"]) == len(wanted)


def test_polygons_are_near_the_outline_and_have_few_points():
    from panoptic.formats.shapes import polygon
    from panoptic.serve.labelling_config import read_config
    from panoptic.serve.predictions import prediction_of

    ids = np.zeros((240, 320), np.int32)
    y, x = np.mgrid[:240, :320]
    ids[np.hypot(x - 90, y - 100) < 70] = 1
    ids[np.hypot(x - 90, y - 100) < 30] = 0  # a hole
    ids[150:230, 200:310] = 1  # a second part
    ids[5, 5] = 2  # too small for a polygon of three points within a pixel
    segments = [Segment(1, 1, "car", True, 0.5), Segment(2, 2, "dog", True, 0.5)]
    result = PanopticSegmentation.from_ids(ids, segments)
    config = read_config(BRUSH.replace("BrushLabels", "PolygonLabels"))
    prediction = prediction_of(result, config, "v")
    assert [region["type"] for region in prediction["result"]] == ["polygonlabels"] * 2
    for region, id in zip(prediction["result"], (1, 2), strict=True):
        points = np.array(region["value"]["points"])
        assert ((points >= 0) & (points <= 100)).all()
        assert len(points) < 60
        assert region["value"]["closed"] is True
        filled = polygon(points * (3.2, 2.4))((240, 320))
        truth = ids == id
        assert (filled & truth).sum() / (filled | truth).sum() > 0.97


def test_every_label_is_answered_once_by_the_most_exact_control(client, picture):
    config = BRUSH.replace(
        "</View>",
        '<RectangleLabels name="boxes" toName="image" smart="true"><Label value="dog"/>'
        '<Label value="sky" stuff="true"/></RectangleLabels></View>',
    )
    found = [predict(client, task(inline(picture)), config=c).json() for c in (BRUSH, config)]
    assert found[0]["results"][0]["result"] == found[1]["results"][0]["result"]


def test_several_tasks_are_answered_in_order(client, models, picture):
    pictures = [picture, picture[:, ::-1], picture[::-1]]
    tasks = [task(inline(p), id) for id, p in enumerate(pictures)]
    results = predict(client, *tasks).json()["results"]
    wanted = [len(models.segment(p, WORDS)) for p in pictures]
    assert [len(each["result"]) for each in results] == wanted
    assert predict(client).json()["results"] == []


def test_what_cannot_be_answered_is_told(client, picture):
    good = task(inline(picture))

    def drawn(label="dog", **more):
        value = {"x": 1, "y": 1, "keypointlabels": [label]}
        return {"result": [{"type": "keypointlabels", "value": value, **more}]}

    for response, told in (
        (predict(client, good, config="<View/>"), "has no labels that can be answered"),
        (predict(client, good, config=None), "expected a labelling configuration"),
        (predict(client, good, config="<View"), "is no XML"),
        (predict(client, good, context=drawn("cat")), "the label 'cat' was drawn with"),
        (predict(client, good, context=drawn(type="ellipse")), "'ellipse' was drawn"),
        (predict(client, good, context=drawn(value={"x": 1})), "'y' is missing"),
        (predict(client, good, context=drawn(value={"x": 1, "y": 1})), "expected one label"),
        (predict(client, good, context={"result": "click"}), "expected what was drawn as a list"),
        (predict(client, good, good, context=drawn()), "for one task"),
        (predict(client, task("no place")), "task 7: the picture 'no place'"),
        (predict(client, task("data:image/png;base64,AAAA")), "no picture of a known format"),
        (predict(client, {"id": 3, "data": {"text": "x"}}), "task 3: its data has no 'image'"),
        (predict(client, good, task("http://evil.example/a.png", 9)), "task 9: pictures of"),
        (predict(client, *[good] * 101), "101 tasks were sent"),
        (client.json("/predict", tasks="all", label_config=BRUSH), "expected a list of tasks"),
        (setup(client, "<View></View>"), "has no labels that can be answered"),
    ):
        assert response.status_code == 422
        assert told in error(response)
    # What no text can hold is told all the same.
    odd = client.json("/predict", tasks=[{"id": "\ud800", "data": {}}], label_config=BRUSH)
    assert (odd.status_code, "has no 'image'" in error(odd)) == (422, True)
    response = client.ask("POST", "/predict", data=b"{")
    assert (response.status_code, "expected JSON" in error(response)) == (400, True)
    assert client.ask("POST", "/setup", data=b"[" * 100_000).status_code == 400


def context(*regions):
    """What Label Studio sends of smart tools, as its SAM backends read it."""
    return {
        "result": [
            {
                "original_width": 120, "original_height": 90, "image_rotation": 0,
                "value": value, "id": f"r{number}", "from_name": "smart", "to_name": "image",
                "type": next(name for name in value if name.endswith("labels")),
                "origin": "manual", **({"is_positive": value.pop("positive")}
                                       if "positive" in value else {}),
            }
            for number, value in enumerate(regions)
        ]
    }  # fmt: skip


def test_clicks_and_boxes_of_smart_tools_are_answered_by_masks(client, models, picture):
    from panoptic.formats.rle import read_brush

    def point(x, y, positive=1):
        return {"x": x, "y": y, "width": 0.4, "keypointlabels": ["dog"], "positive": positive}

    box = {"x": 10, "y": 20, "width": 50, "height": 40, "rectanglelabels": ["dog"]}
    encoded = models.segmenter.encode(picture)
    both = {"points": [[[36, 45], [84, 45]]], "labels": [[1, 0]], "image": encoded}
    for drawn, prompt, several in (
        ([point(30, 50)], {"points": [[[36, 45]]], "labels": [[1]], "image": encoded}, True),
        ([point(30, 50), point(70, 50, 0)], both, False),
        ([box], {"boxes": [[12, 18, 72, 54]], "image": encoded}, False),
        ([box, point(30, 50), point(70, 50, 0)], {**both, "boxes": [[12, 18, 72, 54]]}, False),
    ):
        response = predict(client, task(inline(picture)), context=context(*drawn))
        assert response.status_code == 200
        (prediction,) = response.json()["results"]
        wanted = models.segmenter.segment(**prompt, multimask=several).best()
        mask = next(iter(wanted))[0]
        assert mask.any()
        (region,) = prediction["result"]
        assert (region["type"], region["from_name"]) == ("brushlabels", "tag")
        assert region["value"]["brushlabels"] == ["dog"]
        assert not region["id"].startswith("segment-")
        assert np.array_equal(read_brush(region["value"]["rle"], 90, 120), mask)


def test_a_stuff_word_of_the_server_is_stuff_in_every_project(models, picture):
    plain = BRUSH.replace(' stuff="true"', "")
    with serving(Service(models, words=Vocabulary([], ["road", "sky", "grass"]))) as client:
        said = predict(client, task(inline(picture)), config=plain).json()
        assert said["results"][0] == {
            **predict(client, task(inline(picture))).json()["results"][0],
        }
