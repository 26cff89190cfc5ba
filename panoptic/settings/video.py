"""VideoSettings: all levels and switches of panoptic video, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sam2core.bank_settings import PolicyName
from sam2core.tracker_settings import Mode

_SHARES = (
    "cut_distance", "same_iou", "agree", "covered", "recognise", "min_area",
)  # fmt: skip


@dataclass(frozen=True)
class VideoSettings:
    """How a video is followed. Shares and scores are in [0, 1], times in seconds: those of the
    frames where they have any, else 25 of them are a second.

    The first seven are switches of whole mechanisms: what is left without any of them is plain
    propagation of the first frame's segments.
    """

    discovery: bool = True
    """Look for the words again, every ``detect_every`` seconds."""
    correction: bool = True
    """Prompt things anew with what a look finds of them, and drop those that it finds to be
    something else."""
    reanchor: bool = True
    """The same for stuff, by its word, so that a road that was lost is the same segment again."""
    cuts: bool = True
    """Find cuts and start tracking anew there."""
    reidentify: bool = True
    """Give things that are found again (lost, or after a cut) the id they had, if they are
    recognised."""
    confirmation: bool = True
    """Show what is new once a second look has found it, too."""
    retirement: bool = True
    """Drop from memory what wasn't seen for ``retire_after``, and keep to ``max_objects``."""

    detect_every: float = 0.2
    """Seconds between two looks for the words; 0 looks in every frame. On four demo clips with
    exact detections VPQ was 69.6 at every eighth frame, 73.4 at every fifth (0.2 s at their 25 a
    second) and 74.1 at every fourth: the weaker the tracker, the more a fresh look helps."""
    same_iou: float = 0.25
    """Least IoU at which a tracked mask and a detected one of its category are one object. Masks of
    one object rarely agree less, those of neighbours rarely more."""
    agree: float = 0.5
    """Least IoU with what is followed at which a look's mask of stuff is prompted at once. One that
    agrees less has to be found by two looks on end: heat leaks or misses a part now and then, and
    what the tracker holds is better than that. Masks of things are prompted at once, as boxes have
    a thing whole or not at all."""
    covered: float = 0.6
    """A detection with more of its pixels on masks that are followed already is a part or a
    duplicate of these, not something new."""
    confirm_within: float = 1.0
    """Seconds within which another look has to find what is new; otherwise it was a false alarm.
    (What stands on nothing that is followed is shown at once.)"""
    latency: float = 0.2
    """Seconds for which frames of a written video are held back, so that what a later look confirms
    is shown from where it was found; 0 for live use, where it is shown from then on. Below
    ``detect_every`` no look comes in time."""
    doubt_for: float = 1.0
    """Seconds for which looks on end have to say that something else is in the place of a segment
    until it is dropped. A look that merely doesn't find it says nothing against it: detectors miss
    now what they found a moment ago, and a mask that the tracker holds is worth more than that."""

    recognise: float = 0.3
    """Least margin by which a thing that is found must be nearer to one of its category that is out
    of sight, in this shot or since an earlier one, than to anything else at hand, as a share of
    the distance to that. What stands out less is a new thing. On real cut-outs under other light,
    at other sizes and from other sides 2 % of false pairs pass 0.25."""

    cut_distance: float = 0.25
    """Distance of two frames from which on there is a cut between them, by their colours and shapes
    or, to another view of one place, by their image features. Measured at every frame, every second
    and every third: within shots it is less by the former, but for a pan at every third, and by the
    latter mostly; between shots 0.35 to 0.79, to a mirrored view 0.21 to 0.7, to a close-up 0.4 and
    more."""
    cut_ratio: float = 4.0
    """A cut is also so many times farther than frames were of late (the median of eight), so that
    time lapse and wild camera work don't make one of every frame. At 3, large things that pass
    before the camera are some."""

    retire_after: float = 5.0
    """Seconds after which what the tracker doesn't see is dropped from its memory; its appearance
    can still be recognised."""
    max_objects: int = 64
    """The most segments that are followed at once; the ones not seen for longest go first."""
    max_remembered: int = 256
    """The most appearances of dropped things that are kept (a few kB each), the latest."""
    memory: PolicyName = "distractor_aware"
    """Which memories of the tracked frames a frame sees: ``sam2``, the last ones whatever they
    show; ``filtered``, the last that show the object; ``distractor_aware``, fewer of these, and
    some in which it was told from a look-alike (see ``sam2core.BankSettings.policy``). On 30 demo
    clips VPQ was 62.5, 62.6 and 64.2: what looks prompt is remembered anyway, and little else has
    to be."""
    tracker_mode: Mode = "exact"
    """How much of a frame and of memories the tracker sees: ``compact``, with half of their tokens,
    and with what is hidden looked for in every second frame, is for many objects or slow machines
    (see ``sam2core.TrackerSettings.mode``). On 16 demo clips J&F was 81.2 instead of 81.6 and VPQ
    72.1 instead of 71.0; one of a moving camera lost 6.0 and 3.0."""
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
        for name in ("detect_every", "confirm_within", "latency", "doubt_for", "retire_after"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be seconds from 0 on, got {getattr(self, name)}")
        if self.stuff_logit > 0:
            raise ValueError(f"stuff_logit must be 0 or less, got {self.stuff_logit}")
        if self.cut_ratio < 1:
            raise ValueError(f"cut_ratio must be at least 1, got {self.cut_ratio}")
