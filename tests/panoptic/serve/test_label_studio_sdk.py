"""Predictions as Label Studio's own SDK reads them; ``make test-formats`` installs it."""

import numpy as np
import pytest

from panoptic.serve.labelling_config import read_config
from panoptic.serve.predictions import prediction_of
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, picture

interface = pytest.importorskip("label_studio_sdk.label_interface")
brushes = pytest.importorskip("label_studio_sdk.converter.brush")

SIZE = (48, 64)
CONFIG = """<View><Image name="image" value="$image"/>
  <{kind}Labels name="tag" toName="image">
    <Label value="ball"/><Label value="box" alias="b" predicted_values="crate"/>
    <Label value="sand" stuff="true"/><Label value="sea" stuff="true"/>
  </{kind}Labels></View>"""


def prediction(kind):
    label = ColourLabeller().segment(picture(1, SIZE), WORDS)
    assert [s.category for s in label] == ["ball", "box", "sand", "sea"]
    asked = read_config(CONFIG.format(kind=kind))
    assert asked.vocabulary.to_coco()[0]["id"] == WORDS.by_name("ball").id
    return label, prediction_of(label, asked, "panoptic-0")


@pytest.mark.parametrize("kind", ["Brush", "Polygon", "Rectangle"])
def test_predictions_are_valid_for_their_configuration(kind):
    label, predicted = prediction(kind)
    project = interface.LabelInterface(CONFIG.format(kind=kind))
    assert len(predicted["result"]) == len(label)
    assert project.validate_prediction(predicted, return_errors=True) == []
    spoiled = [{**region, "to_name": "video"} for region in predicted["result"]]
    assert project.validate_prediction({**predicted, "result": spoiled}, return_errors=True)


def test_its_decoder_gives_the_masks():
    label, predicted = prediction("Brush")
    for region, segment in zip(predicted["result"], label, strict=True):
        mask = brushes.decode_rle(region["value"]["rle"]).reshape(*SIZE, 4)[..., 3] > 0
        assert np.array_equal(mask, label.mask(segment.id))


def test_its_parser_reads_words_and_names_as_we_do():
    text = CONFIG.format(kind="Brush")
    project, ours = interface.LabelInterface(text), read_config(text)
    from_name, to_name, value = project.get_first_tag_occurence("BrushLabels", "Image")
    assert {(c.name, c.image) for c in ours.controls.values()} == {(from_name, to_name)}
    assert ours.field == value
    (control,) = project.controls
    assert set(control.labels) == set(ours.labels.values()) == {"ball", "b", "sand", "sea"}
