"""Sessions that take milliseconds: a clip with two cuts, exact detectors, a SAM 2 that is tiny."""

import functools
from contextlib import contextmanager
from itertools import islice

import numpy as np

from panoptic import PanopticPipeline
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.settings.video import VideoSettings
from sam2core import ImageSegmenter
from tests.panoptic.video.oracle import Oracle
from tests.sam2core.conftest import random_model

WORDS = demo_vocabulary()
FRAMES, SIZE = 8, (48, 48)
SETTINGS = VideoSettings(detect_every=3 / 25)
THING, OTHER_THING = "cat", "dog"


@functools.cache
def small_clip():
    """Eight frames; cuts at 3 and, back to the first place, at 5."""
    world = World(load_artwork(), seed=3, textures=2)
    return make_clip(world, "cut-back", 0, FRAMES, SIZE)


@functools.cache
def small_pipeline():
    oracle = Oracle(small_clip().frames, small_clip().truth)
    return PanopticPipeline(oracle, oracle, ImageSegmenter(random_model()))


def small_session(folder=None, frames=FRAMES, of=FRAMES):
    """With so many frames labelled ``of`` those of the clip."""
    session = small_pipeline().open_video(small_clip().frames[:of], WORDS, SETTINGS, folder)
    label(session, frames)
    return session


def label(session, frames):
    """Label so many frames more."""
    part = session.run(progress=False)
    done = list(islice(part, frames))
    part.close()
    return done


def check(session):
    """What holds after any edits: all frames are there, each id is one segment of one category,
    and each category of stuff is one segment. Returns the frames."""
    frames = list(session.frames())
    assert [f.index for f in frames] == list(range(session.labelled))
    categories, stuff = {}, {}
    for frame in frames:
        shown = [s.id for s in frame.segmentation]
        assert len(shown) == len(set(shown))
        assert set(np.unique(frame.segmentation.ids)) - {0} == set(shown)
        assert set(shown) <= set(session.segments)
        here = [s.category_id for s in frame.segmentation.stuff]
        assert len(here) == len(set(here)), "two segments of one stuff category in a frame"
        for s in frame.segmentation.segments:
            assert categories.setdefault(s.id, s.category_id) == s.category_id
            assert session.segments[s.id].id == s.category_id
            if not s.is_thing:
                assert stuff.setdefault(s.category_id, s.id) == s.id
    return frames


def things(session):
    return [id for id, category in session.segments.items() if category.is_thing]


def stuff(session):
    return [id for id, category in session.segments.items() if not category.is_thing]


class Interruption(KeyboardInterrupt):
    """Ctrl-C, told from one of a person's."""


@contextmanager
def interrupted_at(monkeypatch, call):
    """Ctrl-C at the ``call``-th (from 0) use of the models within the block; yields a list of all
    uses."""
    from sam2core.model import Sam2

    uses = []
    with monkeypatch.context() as patch:
        for name in ("encode_image", "segment", "remember", "recall", "adopt"):
            original = getattr(Sam2, name)

            def used(*args, _original=original, _name=name, **options):
                uses.append(_name)
                if len(uses) - 1 == call:
                    raise Interruption
                return _original(*args, **options)

            patch.setattr(Sam2, name, used)
        yield uses
