"""Labelling configurations: which words, which are stuff, who draws what."""

import pytest

from panoptic.serve.labelling_config import read_config
from panoptic.serve.refusals import Refused

IMAGE = '<Image name="img" value="$picture"/>'


def config(body, image=IMAGE):
    return f"<View><Header value='Label it'/>{image}{body}</View>"


def words(asked):
    return {c.name: (c.is_thing, c.synonyms) for c in asked.vocabulary}


def test_words_kinds_and_names_are_those_of_the_configuration():
    asked = read_config(
        config(
            """<RectangleLabels name="boxes" toName="img">
              <Label value="Traffic light" predicted_values="stop light, signal" alias="tl"/>
              <View><Label value="Dog"/></View></RectangleLabels>
            <BrushLabels name="areas" toName="img" stuff="true">
              <Label value="Road"/><Label value="Puddle" stuff="false"/></BrushLabels>
            <PolygonLabels name="shapes" toName="other,img"><Label value="Dog"/></PolygonLabels>
            <Choices name="weather" toName="img"><Choice value="rain"/></Choices>"""
        )
    )
    assert words(asked) == {
        "Puddle": (True, ()),
        "Dog": (True, ()),
        "Traffic light": (True, ("stop light", "signal")),
        "Road": (False, ()),
    }
    by_name = {c.name: c.id for c in asked.vocabulary}
    controls = {n: (asked.controls[i].kind, asked.controls[i].name) for n, i in by_name.items()}
    assert controls == {
        **{"Puddle": ("brush", "areas"), "Road": ("brush", "areas")},
        **{"Dog": ("polygon", "shapes"), "Traffic light": ("rectangle", "boxes")},
    }
    assert asked.labels[by_name["Traffic light"]] == "tl"
    assert asked.field == "picture"


def test_stuff_is_what_the_label_says_else_its_control_else_the_server():
    body = """<BrushLabels name="a" toName="img"{}>
      <Label value="Sky"/><Label value="road" stuff="0"/></BrushLabels>"""
    assert words(read_config(config(body.format("")))) == {
        **{"Sky": (True, ()), "road": (True, ())}
    }
    for text, stuff in ((' stuff="True"', ()), ("", ("sky", "road"))):
        assert words(read_config(config(body.format(text)), stuff)) == {
            **{"road": (True, ()), "Sky": (False, ())}
        }


BRUSH = '<BrushLabels name="a" toName="img">{}</BrushLabels>'
STUFF = '<PolygonLabels name="b" toName="img"><Label value="x" stuff="1"/></PolygonLabels>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a labelling configuration"),
        ("<View>", "is no XML"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>', "is no XML"),
        (config('<KeyPointLabels name="a" toName="img"><Label value="x"/></KeyPointLabels>'),
         "no labels that can be answered"),
        (config('<BrushLabels name="a" toName="video"><Label value="x"/></BrushLabels>'),
         "no labels that can be answered"),
        (config(BRUSH.format('<Label value="$label"/>')), "come from a task's data"),
        (config(BRUSH.format("<Label/>")), "a label needs a value"),
        (config(BRUSH.format('<Label value="x" stuff="maybe"/>')), "expected true or false"),
        (config(BRUSH.format('<Label value="x"/>') + STUFF),
         "'x' is stuff in one place and a thing elsewhere"),
        (config(BRUSH.format('<Label value="x"/>'), '<Image name="img" valueList="$pictures"/>'),
         "expected one picture"),
        (config(BRUSH.format('<Label value="x"/>'), '<Image name="img" value="street.png"/>'),
         "expected one picture"),
        (config(BRUSH.format('<Label value="x"/>')
                + '<Image name="two" value="$two"/><RectangleLabels name="b" toName="two">'
                '<Label value="y"/></RectangleLabels>'), "labels are of several pictures"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_told(text, told):
    with pytest.raises(Refused) as refused:
        read_config(text)
    assert refused.value.status == 422
    assert told in refused.value.message


def test_words_that_are_none_are_told():
    with pytest.raises(ValueError, match="which separates names"):
        read_config(config(BRUSH.format('<Label value="St. Bernard"/>')))
