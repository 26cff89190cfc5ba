"""Levels that are tried: the same, to the byte, as a pipeline that has them, and less to do."""

import numpy as np
import pytest
from torch.nn import Module

from panoptic.explore import Explorer
from prompts import Vocabulary

CHANGES = [
    {},
    {"detector.box_threshold": 0.52},
    {"detector.box_threshold": 0.48, "detector.text_threshold": 0.3},
    {"detector.max_boxes": 2},
    {"detector.names_per_caption": 1},
    {"detector.same_category_iou": 0.2, "detector.cross_category_iou": 0.9},
    {"regions.background": 0.3},
    {"regions.min_area": 0.05},
    {"sampling.points": 3},
    {"seed": 5},
    {"region_side": 64},
    {"stuff.template": "a photo of a {}"},
    {"stuff_masks.min_agreement": 0.9},
    {"stuff_masks.bound": 1.0},
    {"merge.named_twice": 0.0},
    {"merge.min_visible": 0.9},
    {"merge.min_stuff_area": 0.2, "merge.seam": 0.05},
    {"fill_unknown": True, "automatic.points_per_side": 4},
    {},
]


class Passes:
    """How often modules were run since the last question."""

    def __init__(self, **modules: Module) -> None:
        self.counts = dict.fromkeys(modules, 0)
        for name, module in modules.items():
            module.register_forward_hook(lambda *_, name=name: self._count(name))

    def _count(self, name: str) -> None:
        self.counts[name] += 1

    def since(self) -> set[str]:
        ran = {name for name, count in self.counts.items() if count}
        self.counts = dict.fromkeys(self.counts, 0)
        return ran


def test_it_gives_what_a_pipeline_with_these_levels_gives(tiny, picture, words):
    explorer = Explorer(tiny, picture)
    own, seen = tiny.settings, set()
    for changes in CHANGES:
        found = explorer.trace(words, changes)
        tiny.settings = own.changed(changes)
        wanted = tiny.trace(picture, words)
        tiny.settings = own
        assert found.result == wanted.result, changes
        assert found.explain().text() == wanted.explain().text(), changes
        seen.add(found.result.ids.tobytes())
    assert len(seen) > 8  # the levels do something


def test_words_may_change_too(tiny, picture, words):
    explorer = Explorer(tiny, picture)
    for vocabulary in (
        words,
        Vocabulary(["car"], ["sky", "road"]),
        Vocabulary(["car", "dog"]),
        Vocabulary(stuff=["grass", "sky", "road"]),
        Vocabulary(["dog"], ["road", "sky", "grass"]),
        words,
    ):
        found = explorer.trace(vocabulary, {})
        assert found.result == tiny.trace(picture, vocabulary).result, vocabulary


def test_a_level_does_again_only_what_depends_on_it(tiny, picture, words):
    passes = Passes(
        detector=tiny.things.model.model.backbone,
        stuff=tiny.stuff.model.clip.vision_model,
        encoder=tiny.segmenter.model.image_encoder,
        decoder=tiny.segmenter.model.mask_decoder,
    )
    explorer = Explorer(tiny, picture)
    explorer.trace(words)
    assert passes.since() == {"detector", "stuff", "encoder", "decoder"}
    for changes in (
        {},
        {"merge.min_visible": 0.5},
        {"merge.min_stuff_area": 0.1},
        {"stuff_masks.min_agreement": 0.6},
    ):
        explorer.trace(words, changes)
        assert passes.since() == set(), changes
    for changes in (
        {"regions.background": 0.45},
        {"detector.max_boxes": 1},
        {"sampling.points": 2},
    ):
        explorer.trace(words, changes)
        assert passes.since() == {"decoder"}, changes
    explorer.trace(words)
    assert passes.since() == set(), "a level that goes back"
    explorer.trace(words, {"detector.names_per_caption": 1})
    assert passes.since() >= {"detector"}


def test_nobody_else_notices(tiny, picture, words):
    before, result = tiny.settings, tiny.segment(picture, words)
    Explorer(tiny, picture).trace(words, {"detector.box_threshold": 0.9, "seed": 7})
    assert tiny.settings == before
    assert tiny.segment(picture, words) == result


def test_levels_are_those_of_pictures(tiny, picture):
    levels = {level.key: level for level in Explorer(tiny, picture).levels()}
    assert levels["detector.box_threshold"].value == 0.5
    assert levels["merge.min_visible"].value == 0.05
    assert levels["seed"].value == 0
    assert not [key for key in levels if key.startswith(("video.", "dataset.", "pictures."))]
    assert all(level.reason for level in levels.values())


@pytest.mark.parametrize(
    ("words", "changes", "told"),
    [
        (Vocabulary(), {}, "empty"),
        (["car"], {}, "expected a Vocabulary"),
        (Vocabulary(["car"]), {"merge.min_visible": 2}, "must be in"),
        (Vocabulary(["car"]), {"merge.visible": 0.2}, "merge.visible"),
        (Vocabulary(["car"], ["zebra crossing"]), {}, "zebra crossing"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(tiny, picture, words, changes, told):
    explorer = Explorer(tiny, picture)
    with pytest.raises(ValueError, match=told):
        explorer.trace(words, changes)
    right = Vocabulary(["car"], ["road"])
    assert np.array_equal(explorer.trace(right).result.ids, tiny.segment(picture, right).ids)
