"""Labelled videos whose truth is known, as an engine would yield them."""

from dataclasses import replace

import av
import numpy as np

from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.formats.video_output import VideoInfo
from panoptic.results.frame import Event, PanopticFrame

VOCABULARY = demo_vocabulary()
INFO = VideoInfo("clip", VOCABULARY, fps=12.5)


def labelled(scenario="cut", frames=12, size=(64, 80), seed=0):
    """The frames of a demo clip with their exact truth; cuts and first appearances are events."""
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    clip = make_clip(world, scenario, seed, frames=frames, size=size)
    found, known = [], set()
    for index, (image, truth) in enumerate(zip(clip.frames, clip.truth, strict=True)):
        events = [Event("cut", None)] if index in clip.cuts else []
        events += [Event("new", s.id) for s in truth if s.id not in known]
        known |= {s.id for s in truth}
        segments = tuple(replace(s, score=0.25 + s.id % 50 / 100) for s in truth)
        found.append(PanopticFrame(index, image, replace(truth, segments=segments), tuple(events)))
    return found


def files_of(folder, *, without=()):
    """The bytes of every file below a folder by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in without
    }


def decoded(path):
    """The pictures of a video file, uint8 (T, H, W, 3), and their times in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return np.stack([f.to_ndarray(format="rgb24") for f in frames]), [f.time for f in frames]
