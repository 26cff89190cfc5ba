"""The bundled demo models through the detectors."""

from pathlib import Path

import numpy as np

import panoptic.demo
from prompts import Vocabulary, captions

WEIGHTS = Path(panoptic.demo.__file__).parent / "weights"


def test_the_demo_detector_reads_its_own_words():
    from detectors.grounding_dino import GroundingDino

    detector = GroundingDino.from_pretrained(WEIGHTS / "grounding_dino")
    words = [w for w in detector.tokenizer.get_vocab() if w.isalpha() and len(w) > 1]
    assert len(words) >= 40
    vocabulary = Vocabulary(sorted(words))
    limit = detector.model.config.max_text_len
    for caption in captions(vocabulary.things, detector.tokenizer, limit):
        assert len(caption.token_ids) <= limit
        assert list(caption.token_ids) == detector.tokenizer(caption.text)["input_ids"]
    boxes = detector.detect(np.full((192, 192, 3), 128, dtype=np.uint8), vocabulary)
    assert set(boxes.category_ids.tolist()) <= {c.id for c in vocabulary}


def test_the_demo_stuff_model_reads_its_own_words():
    from detectors.clipseg import ClipSeg

    detector = ClipSeg.from_pretrained(WEIGHTS / "clipseg")
    words = [w for w in detector.tokenizer.get_vocab() if w.isalpha() and len(w) > 1]
    vocabulary = Vocabulary(stuff=sorted(words)[:5])
    maps = detector.heatmaps(np.full((100, 150, 3), 128, dtype=np.uint8), vocabulary)
    assert maps.probabilities.shape == (5, 100, 150)
