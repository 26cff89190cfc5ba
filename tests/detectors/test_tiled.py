import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from detectors import Boxes, ThingDetector, ThingSettings
from detectors.tiled import Tiled, TilingSettings
from prompts import Vocabulary

CARS = Vocabulary(["car"])


class RedThings:
    """Finds red patches of at least 1/40 of the image's width: small ones only close up.

    Only what a threshold and connected components find, but a detector all the same.
    """

    def __init__(self):
        self.seen = []

    def detect(self, image, vocabulary):
        self.seen.append(image.shape[:2])
        found = [
            (x.start, y.start, x.stop, y.stop)
            for y, x in find_objects(label(image[..., 0] > 128)[0])
            if max(x.stop - x.start, y.stop - y.start) * 40 >= image.shape[1]
        ]
        boxes = np.array(found, dtype=float).reshape(-1, 4)
        ids, scores, sure, margins = (
            np.full(len(boxes), v) for v in (vocabulary.things[0].id, 0.9, 0.8, 0.7)
        )
        return Boxes(boxes, ids, scores, sure, margins)

    def detect_batch(self, images, vocabulary):
        return [self.detect(image, vocabulary) for image in images]


def picture(*boxes, height=600, width=1000):
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2, 0] = 255
    return image


SMALL = [(100, 100, 112, 110), (395, 300, 410, 315), (985, 580, 1000, 600), (0, 0, 10, 10)]
LARGE = (250, 150, 700, 450)
TILING = TilingSettings(tile=400, overlap=100)


def found(detector, image):
    boxes = detector.detect(image, CARS)
    return sorted(tuple(box) for box in boxes.xyxy.astype(int).tolist())


def test_small_things_are_found_and_large_ones_whole():
    image = picture(*SMALL[:1], *SMALL[2:], LARGE)
    assert found(RedThings(), image) == [LARGE]
    assert found(Tiled(RedThings(), TILING), image) == sorted([*SMALL[:1], *SMALL[2:], LARGE])


def test_what_the_detector_knows_of_a_box_is_kept():
    boxes = Tiled(RedThings(), TILING).detect(picture(*SMALL[:1], LARGE), CARS)
    assert len(boxes) == 2
    assert boxes.confidences == pytest.approx(0.8)
    assert boxes.margins == pytest.approx(0.7)


def test_a_thing_on_the_border_between_tiles_is_found_once_and_whole():
    image = picture(SMALL[1])  # a tile ends at 400
    assert found(Tiled(RedThings(), TILING), image) == [SMALL[1]]


def test_images_of_one_tile_are_passed_through():
    detector = RedThings()
    found(Tiled(detector, TILING), picture(height=400, width=300))
    assert detector.seen == [(400, 300)]


def test_tiles_cover_the_image():
    detector = RedThings()
    found(Tiled(detector, TILING), picture(height=600, width=1000))
    assert detector.seen == [(600, 1000)] + [(400, 400)] * 6


def test_the_detectors_own_levels_are_used():
    detector = RedThings()
    assert Tiled(detector).suppression == ThingSettings()
    detector.settings = ThingSettings(max_boxes=2)
    assert Tiled(detector).suppression.max_boxes == 2
    assert len(Tiled(detector, TILING).detect(picture(*SMALL), CARS)) == 2
    assert Tiled(detector, suppression=ThingSettings(max_boxes=7)).suppression.max_boxes == 7


def test_it_is_a_thing_detector_itself():
    tiled = Tiled(RedThings(), TILING)
    assert isinstance(tiled, ThingDetector)
    images = [picture(SMALL[0]), picture(SMALL[1]), picture()]
    assert [len(b) for b in tiled.detect_batch(images, CARS)] == [1, 1, 0]


def test_around_grounding_dino(grounding_dino_folder):
    from detectors.grounding_dino import GroundingDino

    settings = ThingSettings(box_threshold=0, text_threshold=0)
    detector = GroundingDino.from_pretrained(grounding_dino_folder, settings=settings)
    image = np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    boxes = Tiled(detector, TilingSettings(tile=64, overlap=16)).detect(image, CARS)
    assert len(boxes) > len(detector.detect(image, CARS))
    assert set(boxes.category_ids.tolist()) == {1}
    assert (boxes.xyxy <= np.array([150, 90, 150, 90])).all()


def test_wrong_tilings():
    with pytest.raises(ValueError, match="overlap < tile"):
        TilingSettings(tile=100, overlap=100)
