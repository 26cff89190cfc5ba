"""Splits: by content and shares, none empty that is asked for, and the same as others come."""

import random

import pytest

from panoptic.dataset.splits import Splits, SplitShares
from panoptic.io.files import content_hash


def hashes(count: int, seed: int = 0) -> list[str]:
    return [content_hash(f"{seed}/{i}".encode()) for i in range(count)]


def test_splits_follow_from_the_content_alone():
    many = hashes(4000)
    splits = Splits.of(many)
    assert splits.lent == {}
    found = [splits.split(h) for h in many]
    assert 0.77 < found.count("train") / 4000 < 0.83
    assert 0.08 < found.count("val") / 4000 < 0.12
    assert found[:50] == [Splits().split(h) for h in many[:50]]
    assert SplitShares(0, 0, 1).of(many[0]) == "test"
    assert SplitShares().of("0" * 32) == "train"
    assert SplitShares(0.5, 0.4995, 0).of("f" * 32) == "val"


def test_a_picture_stays_in_its_split_from_version_to_version():
    """What was trained on must not be tested on because panoptic was updated."""
    assert content_hash(b"0/0") == "20b58b931cd7d279947c2e40b0c17b98"
    found = [SplitShares(0.34, 0.33, 0.33).of(h) for h in hashes(8)]
    assert found == ["train"] * 3 + ["test"] * 3 + ["val"] * 2
    edges = ("cccccccccccb", "cccccccccccd", "e66666666665", "e66666666667")
    assert [Splits().split(h + "0" * 20) for h in edges] == ["train", "val", "val", "test"]


@pytest.mark.parametrize("count", range(3, 12))
def test_no_split_is_empty_where_there_are_enough(count):
    for seed in range(60):
        some = hashes(count, seed)
        splits = Splits.of(some)
        assert {splits.split(h) for h in some} == {"train", "val", "test"}
        random.Random(seed).shuffle(some)
        assert Splits.of([*some, *some]) == splits  # neither order nor copies matter


@pytest.mark.parametrize(
    ("count", "shares", "wanted"),
    [
        (0, SplitShares(), []),
        (1, SplitShares(), ["train"]),
        (2, SplitShares(), ["train", "val"]),
        (2, SplitShares(0.5, 0.5, 0), ["train", "val"]),
        (5, SplitShares(1, 0, 0), ["train"]),
        (2, SplitShares(0.0, 0.001, 0.999), ["test", "val"]),
    ],
)
def test_with_too_few_the_first_splits_have_something(count, shares, wanted):
    for seed in range(40):
        some = hashes(count, seed)
        splits = Splits.of(some, shares)
        assert sorted({splits.split(h) for h in some}) == wanted


def test_nothing_that_was_trained_on_is_tested_on_as_others_come():
    """A split borrows while it must; what is in train stays there, and copies stay together."""
    moved = 0
    for seed in range(300):
        some = hashes(20, seed)
        own = sum(SplitShares().of(h) == "train" for h in some[:4])
        if own < 3:
            continue  # train itself would have to borrow
        before = Splits.of(some[:4])
        for count in range(5, 21):
            after = Splits.of(some[:count])
            for h in some[: count - 1]:
                if before.split(h) == "train":
                    assert after.split(h) == "train"
                moved += before.split(h) != after.split(h)
            before = after
        assert before.lent.keys() <= set(some)
    assert moved  # what was lent went back


def test_shares_as_they_are_written():
    assert SplitShares.parse("train=0.8,val=0.1,test=0.1") == SplitShares()
    assert SplitShares.parse(" val = 20% , train=80") == SplitShares(0.8, 0.2, 0)
    assert SplitShares.parse("train=1").asked == ("train",)
    for text in ("", "train", "train=0.5", "train=0.5,train=0.5", "dev=1", "train=-1,val=2", "0.8"):
        with pytest.raises(ValueError, match=r"written like train=0\.8|add up to 1"):
            SplitShares.parse(text)
    with pytest.raises(ValueError, match="add up to 1"):
        SplitShares(0.5, 0.5, 0.5)
