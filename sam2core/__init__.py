"""SAM 2: masks from prompts, and masks through a video from memory.

Part of panoptic-anything.
"""

from sam2core.automatic import AutomaticMask, AutomaticMasks, AutomaticSettings
from sam2core.bank_settings import BankSettings
from sam2core.config import Sam2Config
from sam2core.contracts import Segmenter, Tracker, TrackerOverFrames
from sam2core.frames import FrameSource, open_frames
from sam2core.image_embedding import ImageEmbedding
from sam2core.image_segmenter import EncodedImage, ImageMasks, ImageSegmenter
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory import Memory
from sam2core.memory_bank import MemoryBank
from sam2core.model import Sam2
from sam2core.prompt_encoder import Prompt
from sam2core.tracked_frame import TrackedFrame
from sam2core.tracker import VideoTracker
from sam2core.tracker_settings import TrackerSettings
from sam2core.weights import load, save

__all__ = [
    "AutomaticMask",
    "AutomaticMasks",
    "AutomaticSettings",
    "BankSettings",
    "EncodedImage",
    "FrameSource",
    "ImageEmbedding",
    "ImageMasks",
    "ImageSegmenter",
    "MaskPrediction",
    "Memory",
    "MemoryBank",
    "Prompt",
    "Sam2",
    "Sam2Config",
    "Segmenter",
    "TrackedFrame",
    "Tracker",
    "TrackerOverFrames",
    "TrackerSettings",
    "VideoTracker",
    "load",
    "open_frames",
    "save",
]
