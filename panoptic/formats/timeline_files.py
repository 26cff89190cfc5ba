"""When which id was seen, as a picture; and what happened in every frame, as JSON lines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.formats.video_output import Place, VideoInfo, present
from panoptic.io.files import Journal, write_png
from panoptic.results.frame import Event
from panoptic.results.segment import Segment
from panoptic.show.timeline import Timeline

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame


class TimelineOutput:
    """``FOLDER/timelines/VIDEO.png`` beside ``VIDEO.jsonl``, a record a frame: its segments and
    the events (new, lost, returned, corrected, cut, retired) of ``panoptic.results.frame``."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self.path = folder / "timelines" / f"{info.name}.png"
        self._info = info
        self._journal = Journal(self.path.with_suffix(".jsonl"), start)

    def add(self, frame: PanopticFrame) -> None:
        segments = [
            {
                **{"id": s.id, "category_id": s.category_id, "category": s.category},
                **{"isthing": int(s.is_thing), "area": s.area, "score": s.score},
            }
            for s in frame.segmentation
        ]
        events = [asdict(event) for event in frame.events]
        time = frame.index / self._info.fps if frame.time is None else frame.time
        self._journal.append(
            {"frame": frame.index, "time": round(time, 6), "segments": segments, "events": events}
        )

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        self._journal.close()
        timeline = Timeline(self._info.vocabulary)
        for record in self._journal:
            segments = [
                Segment(
                    *(s["id"], s["category_id"], s["category"]),
                    is_thing=bool(s["isthing"]),
                    score=s["score"],
                )
                for s in record["segments"]
            ]
            events = [Event(**event) for event in record["events"]]
            timeline.add_segments(record["frame"], segments, events)
        if timeline.start is not None:
            write_png(self.path, timeline.draw())
        return self.path

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return []  # the journal is a result as well

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        stem = folder / "timelines" / info.name
        return present([stem.with_name(f"{info.name}.png"), stem.with_name(f"{info.name}.jsonl")])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        return info.places("timelines", ".png", ".jsonl")
