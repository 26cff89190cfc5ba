"""Videos labelled one after the other, beside the requests: what waits, what is done, results.

Jobs live as long as the server: their files are in a temporary folder, which goes when it stops.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from panoptic.errors import no_memory
from panoptic.io.clips import VideoInput
from panoptic.results.frame import PanopticFrame
from panoptic.serve.pictures import zip_folder
from panoptic.serve.refusals import Refused, refusal_of, too_busy
from panoptic.serve.service import Service
from panoptic.serve.video_files import open_upload
from panoptic.video.passes import ForwardPass
from panoptic.video.resumable_tracking import FrameLabeller, RecordSettings, record
from prompts import Vocabulary

State = Literal["waiting", "running", "done", "failed", "cancelled"]
log = logging.getLogger("panoptic.serve")


class Cancelled(Exception):
    """Nobody wants the rest of a video."""


@dataclass
class Job:
    """A video, and what becomes of it."""

    id: str
    name: str
    folder: Path
    vocabulary: Vocabulary
    formats: tuple[str, ...]
    state: State = "waiting"
    done: int = 0
    frames: int = 0
    error: str | None = None
    problems: tuple[str, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def upload(self) -> Path:
        return self.folder / "upload"

    @property
    def result(self) -> Path:
        return self.folder / "result.zip"

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    def tell(self) -> dict[str, Any]:
        """What its asker is told."""
        told: dict[str, Any] = {
            **{"id": self.id, "name": self.name, "state": self.state},
            **{"done": self.done, "frames": self.frames, "url": f"/videos/{self.id}"},
        }
        if self.state == "done":
            told |= {"result": f"/videos/{self.id}/result", "summary": self.summary}
        if self.problems:
            told["problems"] = list(self.problems)
        return told | ({"error": self.error} if self.error else {})


class VideoJobs:
    """All jobs. Threads may share it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._folder = tempfile.TemporaryDirectory(prefix="panoptic-serve-")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._line: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="videos")
        self._thread.start()

    def check(self) -> None:
        """Raises ``Refused`` (429) where no other video is taken."""
        most = self._service.limits.videos
        if sum(job.is_open for job in self._jobs.copy().values()) >= most:
            raise too_busy("videos are waiting", most)

    def place(self) -> Path:
        """A new folder, for an upload."""
        return Path(tempfile.mkdtemp(dir=self._folder.name))

    def begin(self, folder: Path, name: str, vocabulary: Vocabulary, formats: Any) -> Job:
        """Takes the video that was uploaded into ``folder`` (see ``Job.upload``), which is the
        job's from now on. ``Refused`` (422, 429) for one that isn't labelled."""
        job = Job(secrets.token_urlsafe(12), name, folder, vocabulary, tuple(formats))
        video = open_upload(
            job.upload, name, self._service.pipeline.settings.pictures, self._service.limits
        )
        job.frames = video.count or 0
        with self._lock:
            self.check()
            self._jobs[job.id] = job
        self._line.put(job)
        return job

    def get(self, id: str) -> Job:
        """``Refused`` (404) for one that isn't there."""
        job = self._jobs.get(id)
        if job is None:
            raise Refused(
                404,
                f"there is no video {id[:40]!r}: results are kept until others take their place",
            )
        return job

    def forget(self, id: str) -> None:
        """Ends a job and takes its files away."""
        job = self.get(id)
        job.cancelled.set()
        with self._lock:
            self._jobs.pop(id, None)
            if job.state != "running":  # else its own thread does
                job.state = "cancelled"
                shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Ends what is under way, at its next frame, and takes all files away."""
        for job in list(self._jobs.values()):
            job.cancelled.set()
        self._line.put(None)
        self._thread.join()
        self._folder.cleanup()

    def _work(self) -> None:
        while (job := self._line.get()) is not None:
            with self._lock:
                if job.cancelled.is_set():
                    continue
                job.state = "running"
            try:
                self._label(job)
                job.state = "done"
            except Cancelled:
                job.state = "cancelled"
            except Exception as error:
                told = refusal_of(error).message
                job.error = "out of memory; send a smaller video" if no_memory(error) else told
                job.state = "failed"
            job.upload.unlink(missing_ok=True)
            shutil.rmtree(job.folder / "labels", ignore_errors=True)
            with self._lock:
                if job.id not in self._jobs:
                    shutil.rmtree(job.folder, ignore_errors=True)
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        kept = [job for job in self._jobs.values() if not job.is_open]
        for job in kept[: max(0, len(kept) - self._service.limits.results)]:
            del self._jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)

    def _label(self, job: Job) -> None:
        service = self._service
        video = open_upload(
            job.upload, job.name, service.pipeline.settings.pictures, service.limits
        )

        def tell(done: int, frames: int | None) -> None:
            job.done = done

        labels = job.folder / "labels"
        recorded = record(
            *(video, _InTurn(service, job), job.vocabulary, labels),
            RecordSettings(job.formats, checkpoint_every=1 << 30),  # nothing is gone on with
            request={},
            progress=tell,
            say=lambda text: log.info("%s", text),
        )
        job.summary, job.problems = dict(recorded.summary), recorded.problems
        with job.result.open("wb") as stream:
            zip_folder(labels, stream, without="resume")


class _InTurn:
    """Labels a video by turns with those who ask for pictures; a frame is a turn."""

    def __init__(self, service: Service, job: Job) -> None:
        self._service, self._job = service, job
        self._labeller: FrameLabeller = ForwardPass(service.pipeline, job.vocabulary)

    def label(
        self, video: VideoInput, start: int, stop: int | None, state: Any
    ) -> Iterator[PanopticFrame]:
        frames = self._labeller.label(video, start, stop, state)
        while True:
            if self._job.cancelled.is_set():
                raise Cancelled
            with self._service.turns.turn():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def state(self) -> Any:
        return None
