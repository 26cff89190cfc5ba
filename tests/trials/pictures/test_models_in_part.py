"""What people saw of models of which a download had left a part behind."""

import numpy as np
import pytest

from benchmarks.checkpoints.standin import CLIPSEG, OWLV2, save
from detectors.clipseg import ClipSeg
from detectors.load import load_thing_detector
from prompts import Vocabulary

TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
WORDS = Vocabulary(["car", "dog"], ["road", "sky"])
IMAGE = np.zeros((40, 60, 3), np.uint8)


def without_tokenizer(repository, folder):
    save(repository, folder, small=True)
    for name in TOKENIZER:
        (folder / name).unlink(missing_ok=True)
    return folder


def test_a_stuff_model_without_its_tokenizer_takes_every_word_for_the_same(tmp_path):
    folder = without_tokenizer(CLIPSEG, tmp_path)
    with pytest.raises(ValueError, match=r"lacks tokenizer.json or .* take all words for one"):
        ClipSeg.from_pretrained(folder).heatmaps(IMAGE, WORDS)


def test_a_thing_model_without_its_tokenizer_takes_every_word_for_the_same(tmp_path):
    folder = without_tokenizer(OWLV2, tmp_path)
    with pytest.raises(ValueError, match=r"lacks tokenizer.json or .* take all words for one"):
        load_thing_detector(folder).detect(IMAGE, WORDS)
