"""The tracker that knows the truth, asked by a session of a video that is corrected by hand."""

import numpy as np

from benchmarks.lib.annotator import middle_of_error
from benchmarks.standins.masks import StandinSegmenter
from benchmarks.standins.tracker import TrackErrors
from panoptic import PanopticPipeline
from panoptic.settings.video import VideoSettings
from prompts import Vocabulary
from tests.benchmarks.standins.small_worlds import CAT, clip, overlap, truths
from tests.panoptic.video.oracle import Oracle

WORDS = Vocabulary(things=["cat", "dog"], stuff=["sky", "grass"])


def test_a_click_and_its_propagation_follow_the_truth():
    frames = clip()
    oracle = Oracle([f.image for f in frames], [f.truth for f in frames])
    segmenter = StandinSegmenter(truths(frames), tracks=TrackErrors(drift=0.1))
    pipeline = PanopticPipeline(oracle, oracle, segmenter)
    settings = VideoSettings(discovery=False, correction=False)
    with pipeline.open_video(np.stack([f.image for f in frames]), WORDS, settings) as session:
        list(session.run(progress=False))
        # What the true cat is in the first frame.
        first = session.frame(0).segmentation.ids[frames[0].truth.mask(CAT)]
        id = int(np.bincount(first).argmax())
        before = [overlap(f.segmentation.mask(id), frames[f.index].truth, CAT)
                  for f in session.frames()]  # fmt: skip
        middle = len(frames) // 2
        shown = session.frame(middle).segmentation.mask(id)
        point, positive = middle_of_error(frames[middle].truth.mask(CAT), shown)
        session.click(middle, id, point, positive)
        changed = [f.index for f in session.propagate(progress=False)]
        assert changed == list(range(1, len(frames)))
        after = [overlap(f.segmentation.mask(id), frames[f.index].truth, CAT)
                 for f in session.frames()]  # fmt: skip
    assert after[middle] > before[middle] + 0.1
    assert np.mean(after) > np.mean(before)
