"""Ctrl-C in the middle of whatever a session does: it was done or not begun."""

import gc
import warnings

import numpy as np
import pytest

from panoptic.video.session import VideoSession
from tests.panoptic.video.small_sessions import (
    OTHER_THING,
    SETTINGS,
    WORDS,
    Interruption,
    check,
    interrupted_at,
    label,
    small_clip,
    small_pipeline,
    small_session,
    stuff,
    things,
)

BOX = (8, 8, 40, 40)


def rest(session):
    return list(session.run(progress=False))


ACTIONS = {
    "label": rest,
    "label both ways": lambda s: list(s.run(both_ways=True, progress=False)),
    "click": lambda s: s.click(1, things(s)[0], (20, 20)),
    "box": lambda s: s.add_box(1, BOX, OTHER_THING),
    "propagate": lambda s: list(s.propagate(progress=False)),
}


def prepared():
    session = small_session(frames=2, of=4)
    session.add_box(0, (4, 4, 20, 20), OTHER_THING)
    session.click(1, stuff(session)[0], (40, 3))
    return session


def finished(session):
    session.propagate(progress=False)
    rest(session)
    return check(session)


@pytest.fixture(scope="module")
def undisturbed():
    found = {}
    for name, action in ACTIONS.items():
        with prepared() as session:
            action(session)
            found[name] = finished(session)
    return found


@pytest.mark.parametrize("name", ACTIONS)
def test_ctrl_c_anywhere_leaves_a_session_that_goes_on(name, undisturbed, monkeypatch):
    with prepared() as session, interrupted_at(monkeypatch, -1) as uses:
        ACTIONS[name](session)
    for call in range(0, len(uses), max(len(uses) // 3, 1)):
        with prepared() as session:
            before = (session.labelled, session.undoable, list(session.frames()))
            with pytest.raises(Interruption), interrupted_at(monkeypatch, call):
                ACTIONS[name](session)
            if "label" not in name:
                assert (session.labelled, session.undoable, list(session.frames())) == before
            check(session)
            ACTIONS[name](session)
            assert finished(session) == undisturbed[name]


def test_ctrl_c_in_a_stream_leaves_a_session_that_takes_the_frame_again(monkeypatch):
    clip = small_clip()

    def session_after(count):
        session = VideoSession(small_pipeline(), WORDS, SETTINGS)
        for frame in clip.frames[:count]:
            session.step(frame)
        return session

    session = session_after(3)
    with interrupted_at(monkeypatch, -1) as uses:
        expected = session.fork().step(clip.frames[3])
    for call in range(0, len(uses), 4):
        with pytest.raises(Interruption), interrupted_at(monkeypatch, call):
            session.step(clip.frames[3])
        assert session.frame_index == 2
    assert session.step(clip.frames[3]) == expected


def test_a_video_file_interrupted_while_it_is_read_gives_the_right_frame_next(
    tmp_path, monkeypatch
):
    import av

    from sam2core.video_file import VideoFile

    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.gop_size = 100  # one key frame: what follows is decoded in order
        for value in range(100, 160, 5):
            picture = np.full((32, 32, 3), value, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    whole = [frame.copy() for _, frame in VideoFile(path).frames()]
    original = VideoFile._decode
    for stopped in range(1, 6):

        def decode(self, start, stop, stopped=stopped):
            for number, frame in enumerate(original(self, start, stop), start):
                if number == stopped:
                    raise Interruption
                yield frame

        file = VideoFile(path)
        with monkeypatch.context() as patch:
            patch.setattr(VideoFile, "_decode", decode)
            for index in range(stopped):
                assert np.array_equal(file[index], whole[index])
            with pytest.raises(Interruption):
                file[stopped]
        for index in range(stopped, len(whole)):
            assert np.array_equal(file[index], whole[index])


def test_propagate_that_nobody_iterates_over_works():
    with small_session(frames=3) as session:
        session.add_box(1, BOX, OTHER_THING)
        id = max(session.segments)
        session.propagate(progress=False)
        assert all(id in session.recording[index].layers.ids for index in range(3))
        assert not session.edits.pending


def test_labelling_that_nobody_iterates_over_says_so():
    with small_session(frames=1) as session:
        with pytest.warns(RuntimeWarning, match="nothing was labelled"):
            session.run()
        with pytest.warns(RuntimeWarning, match="nothing was labelled"):
            small_pipeline().track(small_clip().frames, WORDS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            label(session, 1)
            gc.collect()
