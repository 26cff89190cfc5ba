"""The contest for pixels: every pixel goes to the mask with the highest claim on it.

A claim is score x sigmoid(mask logit), so neither the order of the masks nor their number of
pixels decides. Masks are looked at one at a time and only within their own windows, and their
claims are kept as far as 256 MiB go, so that a hundred of them at 4k resolution need little more
memory than two maps of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.results.masks import Window, resize_window

_KEPT = 1 << 28  # bytes of claims


@dataclass(frozen=True, eq=False)
class Player:
    """A mask in the contest.

    ``logits`` (h, w) may be of lower resolution than the picture, covering all of it. Pixels with
    a logit above ``threshold`` are claimed with ``weight`` times their mask probability.
    """

    logits: np.ndarray
    weight: float
    threshold: float = 0.0

    def window(self, size: tuple[int, int]) -> Window | None:
        """Where in a picture of this (height, width) it can have pixels; None for nowhere."""
        spans = []
        inside = self.logits > self.threshold
        for axis in (0, 1):
            lines = np.flatnonzero(inside.any(1 - axis))
            if not lines.size:
                return None
            scale = size[axis] / self.logits.shape[axis]
            # A sample reaches as far as the centres of its neighbours.
            low = int(np.floor((lines[0] - 0.5) * scale - 0.5))
            high = int(np.ceil((lines[-1] + 1.5) * scale - 0.5)) + 1
            spans.append(slice(max(low, 0), min(high, size[axis])))
        return spans[0], spans[1]

    def claims(self, size: tuple[int, int], window: Window) -> np.ndarray:
        """The claim on every pixel of a window, float32, 0 outside of the mask."""
        from scipy.special import expit

        claims = resize_window(self.logits, size, window)
        outside = claims <= self.threshold
        expit(claims, out=claims)
        claims *= np.float32(self.weight)
        claims[outside] = 0
        return claims


class Contest:
    """Who owns which pixel. Players come in the order in which ties are decided.

    ``owner`` (H, W) holds the player's number or -1, ``best`` the claim that won, ``area`` and
    ``visible`` the pixels in every player's mask and those of them that are its own. Only pixels
    of ``arena`` (H, W) bool are given away, all if it is None.
    """

    def __init__(
        self, players: Iterable[Player], size: tuple[int, int], arena: np.ndarray | None = None
    ) -> None:
        self.size = size
        self.players = list(players)
        self.arena = arena
        self._kept: dict[int, np.ndarray] = {}
        self.owner = np.full(size, -1, np.int32)
        self.best = np.zeros(size, np.float32)
        self.windows = [p.window(size) for p in self.players]
        self.alive = [w is not None for w in self.windows]
        self.area = np.zeros(len(self.players), np.int64)
        self.visible = np.zeros(len(self.players), np.int64)
        for number, window in enumerate(self.windows):
            if window is not None:
                self.area[number] = np.count_nonzero(self._claims(number, window))
                self._enter(number, window, None)

    def mask(self, number: int, window: Window) -> np.ndarray:
        """The pixels of a player's mask within a window, owned or not."""
        return self._claims(number, window) > 0

    def drop(self, numbers: Iterable[int]) -> None:
        """Takes players out; their pixels go to the highest claim among those that remain."""
        numbers = list(numbers)
        for number in numbers:
            self.alive[number] = False
        for number in numbers:
            window = self.windows[number]
            if window is None:
                continue
            free = self.owner[window] == number
            self.owner[window][free] = -1
            self.best[window][free] = 0
            self.visible[number] = 0
            self._kept.pop(number, None)
            rows, columns = np.flatnonzero(free.any(1)), np.flatnonzero(free.any(0))
            if not rows.size:
                continue
            freed = _shifted((_span(rows), _span(columns)), window, 1)
            for other, theirs in enumerate(self.windows):
                shared = _intersection(freed, theirs) if self.alive[other] else None
                if shared is not None:
                    self._enter(other, shared, free[_shifted(shared, window, -1)])

    def hand_over(self, source: int, target: int) -> int:
        """All that ``source`` owns of ``target``'s mask becomes ``target``'s; returns how much."""
        window = self.windows[target]
        assert window is not None
        claims = self._claims(target, window)
        moved = (claims > 0) & (self.owner[window] == source)
        self.owner[window][moved] = target
        self.best[window][moved] = claims[moved]
        count = int(moved.sum())
        self.visible[source] -= count
        self.visible[target] += count
        return count

    def owners_within(self, number: int) -> np.ndarray:
        """How many pixels of a player's mask each player owns."""
        window = self.windows[number]
        assert window is not None
        owners = self.owner[window][self.mask(number, window)]
        return np.bincount(owners[owners >= 0], minlength=len(self.players))

    def _claims(self, number: int, window: Window) -> np.ndarray:
        """A player's claims on a window that lies in its own."""
        whole = self.windows[number]
        assert whole is not None
        if number not in self._kept:
            pixels = (whole[0].stop - whole[0].start) * (whole[1].stop - whole[1].start)
            held = sum(claims.nbytes for claims in self._kept.values())
            if held + 4 * pixels > _KEPT:
                return self.players[number].claims(self.size, window)
            self._kept[number] = self.players[number].claims(self.size, whole)
        return self._kept[number][_shifted(window, whole, -1)]

    def _enter(self, number: int, window: Window, only: np.ndarray | None) -> None:
        """Lets a player claim pixels of a window."""
        claims = self._claims(number, window)
        owner, best = self.owner[window], self.best[window]
        wins = claims > best  # equal claims stay with the earlier player
        if only is not None:
            wins &= only
        if self.arena is not None:
            wins &= self.arena[window]
        losers = owner[wins]
        self.visible -= np.bincount(losers[losers >= 0], minlength=len(self.players))
        self.visible[number] += int(wins.sum())
        owner[wins] = number
        best[wins] = claims[wins]


def settle(
    masks: Sequence[np.ndarray],
    per_logit: float,
    rounds: Sequence[tuple[Sequence[int], float]],
    size: tuple[int, int],
    least_pixels: float,
) -> np.ndarray:
    """Who owns which pixel: int16 (H, W), -1 where nobody does.

    ``masks`` (h, w) are logits times ``per_logit``. Each round is some of them, by their places in
    rising order, and the logit above which they claim; what it gives away, later ones can't. Who
    gets fewer pixels than ``least_pixels`` leaves, and others have its pixels. Of equal claims the
    first has the pixel.
    """
    owner = np.full(size, -1, np.int16)
    for members, least in rounds:
        logits = [masks[m].astype(np.float32) / np.float32(per_logit) for m in members]
        contest = Contest([Player(each, 1.0, least) for each in logits], size, owner == -1)
        contest.drop(np.flatnonzero(contest.visible < least_pixels).tolist())
        won = contest.owner != -1
        owner[won] = np.array(members, np.int16)[contest.owner[won]]
    return owner


def _intersection(a: Window, b: Window | None) -> Window | None:
    if b is None:
        return None
    spans = [slice(max(s.start, t.start), min(s.stop, t.stop)) for s, t in zip(a, b, strict=True)]
    if any(s.start >= s.stop for s in spans):
        return None
    return spans[0], spans[1]


def _span(places: np.ndarray) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1)


def _shifted(window: Window, origin: Window, sign: int) -> Window:
    rows, columns = (
        slice(w.start + sign * o.start, w.stop + sign * o.start)
        for w, o in zip(window, origin, strict=True)
    )
    return rows, columns
