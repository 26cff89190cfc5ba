"""VideoSettings: all levels and switches of panoptic video, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass, fields

_SHARES = (
    "cut_distance", "max_unlabelled", "confident", "same_iou", "covered", "correct_below",
    "recognise", "min_area",
)  # fmt: skip


@dataclass(frozen=True)
class VideoSettings:
    """How a video is followed. Shares and scores are in [0, 1], counts in frames.

    The first six are switches of whole mechanisms: what is left without any of them is plain
    propagation of the first frame's segments.
    """

    discovery: bool = True
    """Look for the words again, every ``detect_every`` frames and when too much is unlabelled."""
    correction: bool = True
    """Prompt a thing anew where its tracked mask and a confident detection disagree."""
    reanchor: bool = True
    """Prompt stuff anew by its word, so that a road that was lost is the same segment again."""
    cuts: bool = True
    """Find cuts and start tracking anew there."""
    reidentify: bool = True
    """Give things that are found again (lost, or after a cut) the id they had, if they are
    recognised."""
    retirement: bool = True
    """Drop from memory what wasn't seen for long, and keep to ``max_objects``."""

    detect_every: int = 5
    """Frames between two looks for the words. On four demo clips with exact detections VPQ was 69.6
    at 8, 73.4 at 5 and 74.1 at 4: the weaker the tracker, the more a fresh look helps."""
    max_unlabelled: float = 0.25
    """Share of the picture without a label at which the words are looked for at once; ..."""
    detect_gap: int = 3
    """... but never sooner than so many frames after the last look: what no word names stays
    unlabelled, however often one looks."""

    confident: float = 0.0
    """Least score at which a detection may make a new segment or correct one, beyond what the
    detector's own threshold asks. On 13 demo clips VPQ was 69.5 at 0.22 (the demo models' own
    threshold is 0.2), 67.8 at 0.3 and 58.8 at 0.4: what is weak differs among detectors."""
    same_iou: float = 0.4
    """Least IoU at which a tracked mask and a detected one of its category are one object. Masks of
    one object rarely agree less, those of neighbours rarely more."""
    covered: float = 0.6
    """A detection with more of its pixels on masks that are followed already is a part or a
    duplicate of these, not something new."""
    correct_below: float = 0.75
    """A tracked mask and its detection that agree less than this are a disagreement, more is what
    two outlines of one object differ by."""
    max_misses: int = 3
    """A visible segment that so many looks on end didn't confirm has drifted off, or was a false
    alarm: its mask is dropped (and its appearance remembered)."""

    recognise: float = 0.75
    """Least similarity of appearance at which a thing that is found is one of its category that was
    lost in this shot, or seen in an earlier shot of the same place. Of pairs of looks at one thing
    95 % are above 0.79, of looks at things of different categories 1 % are above 0.85."""
    recognise_elsewhere: float | None = None
    """The same across a cut to a place that wasn't shown before; None: never. There, two apples are
    more often two apples than one: of looks at different things of one category half are above
    0.85. A cut back is told by the place, see ``cut_distance``."""

    cut_distance: float = 0.27
    """Distance of two frames from which on there is a cut between them. Measured: frames that
    follow each other in a shot, shaken and flickering ones too, stay below 0.19, real ones below
    0.06 (0.18 at every twelfth frame); between shots it is 0.35 to 0.79. An earlier shot that ended
    nearer than this to a frame shows the same place."""
    cut_ratio: float = 3.0
    """A cut is also so many times farther than frames were of late (the median of eight), so that
    time lapse and wild camera work don't make one of every frame."""

    retire_after: int = 150
    """Frames after which what wasn't seen is dropped from the tracker's memory (5 seconds at 30
    frames a second); its appearance can still be recognised."""
    max_objects: int = 64
    """The most segments that are followed at once; the ones not seen for longest go first."""
    max_remembered: int = 256
    """The most appearances of dropped things that are kept (a few kB each), the latest."""
    keep_prompts: int = 3
    """Prompted memories kept for each segment, the first and the latest: every further one costs
    as much time as a recent memory."""

    stuff_logit: float = -2.0
    """Logit from which stuff claims what no thing does, so that seams go to the likelier side. On
    four demo clips VPQ of stuff was 96.1 at 0, 96.5 at -2, and at -6 things lost 0.6."""
    min_area: float = 0.0002
    """Smallest segment that is shown, as share of the picture: as for still pictures."""

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and value < 1:
                raise ValueError(f"{field.name} must be at least 1, got {value}")
        level = self.recognise_elsewhere
        if level is not None and not 0 <= level <= 1:
            raise ValueError(f"recognise_elsewhere must be in [0, 1] or None, got {level}")
        if self.stuff_logit > 0:
            raise ValueError(f"stuff_logit must be 0 or less, got {self.stuff_logit}")
        if self.cut_ratio < 1:
            raise ValueError(f"cut_ratio must be at least 1, got {self.cut_ratio}")
