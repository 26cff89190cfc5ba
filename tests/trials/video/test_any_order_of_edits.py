"""Random walks of a person with a session: edits, interruptions, saves, kills, undo and redo.

Beside the session that all this happens to, another one gets the same edits undisturbed. After
every step ids are unique, each stuff category is one segment, all frames are there, and both
sessions show the same; in the end they write the same files.
"""

import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.panoptic.video.small_sessions import (
    OTHER_THING,
    THING,
    Interruption,
    check,
    interrupted_at,
    label,
    small_clip,
    small_pipeline,
    small_session,
)
from tests.panoptic.video.videos import files_of

FRAMES = 5
"""A cut is at 3."""
NUMBERS = st.integers(0, 40)


@contextmanager
def interrupted_at_line(count):
    """Ctrl-C at the ``count``-th line of ``panoptic.video`` that is run within the block."""
    left = count

    def trace(frame, event, argument):
        nonlocal left
        if "/panoptic/video/" not in frame.f_code.co_filename.replace("\\\\", "/"):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise Interruption
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


class PersonAtWork(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="session-"))
        self.folders = 0
        self.interrupt = None

    @initialize()
    def begin(self):
        self.session = small_session(self.next_folder(), frames=2, of=FRAMES)
        self.undisturbed = small_session(frames=2, of=FRAMES)

    def teardown(self):
        if not hasattr(self, "session"):
            return
        try:
            formats = ["vipseg", "timeline", "davis"]
            for name, session in (("one", self.session), ("other", self.undisturbed)):
                label(session, FRAMES)
                session.write(self.root / name, formats, progress=False)
            assert files_of(self.root / "one") == files_of(self.root / "other")
        finally:
            self.session.close()
            self.undisturbed.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def next_folder(self):
        self.folders += 1
        return self.root / f"session-{self.folders}"

    def both(self, act):
        """The same to both sessions; to the one, after an interruption if one is due."""
        told = [self.told(self.disturbed, act), self.told(lambda a: a(self.undisturbed), act)]
        assert told[0] == told[1]
        frames = check(self.session)
        assert frames == check(self.undisturbed)
        assert self.session.undoable == self.undisturbed.undoable
        assert self.session.redoable == self.undisturbed.redoable

    def told(self, how, act):
        try:
            how(act)
        except (ValueError, LookupError) as error:
            return str(error)
        return None

    def disturbed(self, act):
        where, self.interrupt = self.interrupt, None
        before = self.standing()
        if where is not None:
            try:
                with where:
                    act(self.session)
            except Interruption:
                check(self.session)
            if self.standing() != before:
                return
        act(self.session)

    def standing(self):
        s = self.session
        return s.undoable, s.redoable, s.labelled

    # -- what happens ---------------------------------------------------------------------------

    @rule(call=st.integers(0, 30))
    def ctrl_c_in_the_models(self, call):
        self.interrupt = interrupted_at(pytest.MonkeyPatch(), call)

    @rule(line=st.integers(1, 400))
    def ctrl_c_between_two_lines(self, line):
        self.interrupt = interrupted_at_line(line)

    @precondition(lambda self: self.interrupt is None)
    @rule()
    def killed(self):
        folder = self.next_folder()
        shutil.copytree(self.session.folder, folder)
        self.session.close()
        self.session = small_pipeline().open_session(folder, small_clip().frames[:FRAMES])
        label(self.session, self.undisturbed.labelled - self.session.labelled)

    @rule()
    def saved_elsewhere(self):
        folder = self.next_folder()
        where, self.interrupt = self.interrupt, None
        if where is not None:
            try:
                with where:
                    self.session.save(folder)
            except Interruption:
                check(self.session)
        self.session.save(folder)

    @rule()
    def label_on(self):
        target = min(self.undisturbed.labelled + 1, FRAMES)
        self.both(lambda s: label(s, target - s.labelled))

    # -- edits ----------------------------------------------------------------------------------

    @rule(which=NUMBERS, frame=st.integers(0, 4), x=st.integers(0, 47), positive=st.booleans())
    def click(self, which, frame, x, positive):
        self.both(lambda s: s.click(frame, self.one(s, which), (x, 47 - x), positive))

    @rule(frame=st.integers(0, 4), x=st.integers(0, 30), what=NUMBERS)
    def add_box(self, frame, x, what):
        self.both(lambda s: s.add_box(frame, (x, 4, x + 16, 40), self.word(s, what)))

    @rule(which=NUMBERS, what=NUMBERS)
    def relabel(self, which, what):
        self.both(lambda s: s.relabel(self.one(s, which), self.word(s, what)))

    @rule(which=NUMBERS, into=NUMBERS)
    def join(self, which, into):
        self.both(lambda s: s.join(self.one(s, which), self.one(s, into)))

    @rule(which=NUMBERS)
    def remove(self, which):
        self.both(lambda s: s.remove(self.one(s, which)))

    @rule(which=NUMBERS)
    def restore(self, which):
        self.both(lambda s: s.restore(([*s.edits.removed, 99])[which % (len(s.edits.removed) + 1)]))

    @rule()
    def propagate(self):
        self.both(lambda s: s.propagate(progress=False))

    @rule()
    def undo(self):
        self.both(lambda s: s.undo())

    @rule()
    def redo(self):
        self.both(lambda s: s.redo())

    @staticmethod
    def one(session, which):
        ids = sorted(session.segments) or [99]
        return ids[which % len(ids)]

    @staticmethod
    def word(session, what):
        """A thing, or stuff that is or was there."""
        stuff = [c.id for c in session.vocabulary.stuff]
        there = [i for i in stuff if i in session.edits.categories.values()]
        words = [THING, OTHER_THING, *there]
        return words[what % len(words)]


PersonAtWork.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
test_any_order_of_edits = PersonAtWork.TestCase
