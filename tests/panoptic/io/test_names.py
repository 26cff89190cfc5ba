"""Names of strangers become names of files that are safe anywhere, and never meet."""

import itertools
import os
import random

import pytest

from panoptic.io.names import (
    clean_key,
    clean_stem,
    flat_name,
    free_key,
    free_stem,
    printable,
)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/b.jpg", "a/b"),
        ("photo.2024.01.jpeg", "photo_2024_01"),
        ("../../etc/passwd", "__/__/etc/passwd"),
        ("/etc/./x.png", "etc/x"),
        ("C:\\temp\\x.png", "C_/temp/x"),
        ("Straße/東京 1.png", "Straße/東京_1"),
        ("cafe\u0301.png", "caf\u00e9"),
        ("a\nb\x00c.png", "a_b_c"),
        ("\u202egnp.exe.png", "_gnp_exe"),
        ("x\udcff.png", "x_"),
        (".png", "_png"),
        ("", "_"),
        ("con.jpg", "_con"),
        ("PRN/aux/nul.png", "_PRN/_aux/_nul"),
        ("com1/LPT9.jpg", "_com1/_LPT9"),
        ("com/lpt10.jpg", "com/lpt10"),
        ("-rf.jpg", "_-rf"),
    ],
)
def test_keys_are_safe_paths(name, key):
    assert clean_key(name) == key


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "東" * 300 + ".png", "a/" * 900 + "b.png"])
def test_keys_of_long_names_fit_and_differ(name):
    key = clean_key(name)
    assert len(key.encode()) <= 180
    assert key != clean_key("y" + name)


def test_keys_that_clash_in_any_case_are_numbered():
    taken = set()
    keys = []
    for name in ("a/b.jpg", "a/b.png", "A/B.jpg", "a/b-2.jpg", "a/b"):
        keys.append(free_key(name, taken.__contains__))
        taken.add(keys[-1].casefold())
    assert keys == ["a/b", "a/b-2", "A/B-3", "a/b-2-2", "a/b-4"]


def test_text_of_strangers_is_printable():
    assert printable("a\nb\x1b[31m\udcff") == "a\\nb\\x1b[31m\\udcff"
    assert len(printable("x" * 1000)) == 400


def free_keys(names):
    taken, keys = set(), []
    for name in names:
        keys.append(free_key(name, taken.__contains__))
        taken.add(keys[-1].casefold())
    return keys


PARTS = ["a", "A", "a-", "-a", "--", "a--b", "a_b", "a b", "é", "e\u0301", "a.frames", "a.png"]
PARTS += ["CON", "con.x", ".a", "a.", "x0123456789abcdef", "X0123456789ABCDEF", "000000", "ß", "ss"]
PARTS += ["\udcff", "a\n", "a:b", "a*b", "x" * 300, "東" * 200, "..", "~", "previous", "labels"]
HOSTILE = [
    "/".join(parts) + ".jpg"
    for n in (1, 2, 3)
    for parts in random.Random(n).sample(list(itertools.product(PARTS, repeat=n)), 29 * n)
]


def test_hostile_trees_get_paths_that_never_meet(tmp_path):
    """Whatever is made of a key, no two items share it, and none is a folder that another needs."""
    names = [*HOSTILE, *(name.removesuffix(".jpg") + ".png" for name in HOSTILE[::3])]
    keys = free_keys(names)
    files = [path for key in keys for path in (f"{key}.png", f"{key}.json", f"{key}.frames/0.png")]
    assert len({path.casefold() for path in files}) == len(files)
    folders = {str(parent).casefold() for path in files for parent in _parents(path)}
    assert not folders & {path.casefold() for path in files}
    assert all(part not in ("", ".", "..") for path in files for part in path.split("/"))
    for path in files:  # not on this system either
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch(exist_ok=False)


def _parents(path):
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def test_exports_name_hostile_trees_apart():
    keys = free_keys(HOSTILE)
    # What an earlier name with a mark was, somebody may have called a file since.
    keys += free_keys(flat_name(key).replace("--", "/") + ".jpg" for key in keys)
    keys = list({key.casefold(): key for key in keys}.values())
    names = [flat_name(key) for key in keys]
    assert len({name.casefold() for name in names}) == len(keys)
    for name in names:
        assert "/" not in name
        assert len(name.encode()) <= 200
        assert name.split() == [name]


def test_plain_keys_are_exported_under_plain_names():
    assert flat_name("street/17") == "street--17"
    assert flat_name("a_b/c-d") == "a_b--c-d"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("street 1.2", "street 1.2"),
        ("東京", "東京"),
        ("cafe\u0301", "caf\u00e9"),
        ("a:b?", "a_b_"),
        ("a/b", "a_b"),
        ("-rf", "_-rf"),
        ("CON", "_CON"),
        ("con.1", "_con.1"),
        ("..", "_"),
        ("", "_"),
        ("\udcff\x1b", "__"),
        ("end. ", "end"),
    ],
)
def test_results_are_called_as_what_they_are_of_where_that_can_be(name, stem):
    assert clean_stem(name) == stem


def test_long_names_leave_room_for_endings(tmp_path):
    stem = clean_stem("y" * 251)
    (tmp_path / f".{stem}.annotations.json.part").touch()
    assert stem != clean_stem("y" * 252)


def test_results_of_two_never_share_a_name():
    given = ["a", "b", "a", "a", "a-2", "A", "É", "e\u0301", "a?", "a*"]
    taken, found = set(), []
    for name in given:
        found.append(free_stem(name, taken.__contains__))
        taken.add(found[-1].casefold())
    assert found[:6] == ["a", "b", "a-2", "a-3", "a-2-2", "A-4"]
    assert len({name.casefold() for name in found}) == len(given)
    assert free_stem("a", {"a"}.__contains__) == "a-2"
    assert os.sep not in "".join(found)
