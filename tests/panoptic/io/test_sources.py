import io
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.errors import SourceError
from panoptic.io.sources import open_source
from panoptic.io.sources.files import translate
from panoptic.io.sources.shards import expand_braces
from prompts.json_stream import JsonStreamError, array_of
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill, picture


def names(source, **options):
    return sorted(unit.name for unit in open_source(source, **options))


def png(seed=0):
    stream = io.BytesIO()
    Image.fromarray(picture(seed)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    for name in ("a.png", "deep/er/b.JPG", "deep/c.webp", "clip.mp4", "notes.txt", ".hidden.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_a_folder_has_all_pictures_and_videos_below(folder):
    units = {unit.name: unit for unit in open_source(folder)}
    assert sorted(units) == ["a.png", "clip.mp4", "deep/c.webp", "deep/er/b.JPG"]
    assert units["clip.mp4"].kind == "video"
    assert units["a.png"].source == str(folder / "a.png")


def test_links_that_go_round_end(folder):
    (folder / "deep/up").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "zlink").symlink_to(folder / "deep/er")
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    assert names(folder) == ["a.png", "clip.mp4", "deep/c.webp", "deep/er/b.JPG", "gone.png"]


def test_labels_are_no_pictures(folder):
    (folder / "out/labels").mkdir(parents=True)
    (folder / "out/labels/a.png").touch()
    (folder / "out/manifest.sqlite").touch()
    assert names(folder) == ["a.png", "clip.mp4", "deep/c.webp", "deep/er/b.JPG"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png"]),
        ("**/*.[Jj]*", ["deep/er/b.JPG"]),
        ("**/*.[!Jj]*", ["a.png", "clip.mp4", "deep/c.webp"]),
        ("deep/**", ["c.webp", "er/b.JPG"]),
        ("d??p/?.webp", ["deep/c.webp"]),
        ("*/x*", []),
    ],
)
def test_patterns(folder, pattern, found):
    given = str(folder / pattern)
    base = "deep/" if pattern.startswith("deep/") else ""
    assert names(given) == found, translate(pattern.removeprefix(base))


def test_a_pattern_finds_no_file_by_part_of_its_name():
    assert "a.png.txt" not in translate("*.png")


def test_text_lists(folder, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_bytes(
        b"# a comment\nin/a.png\r\n\nin/deep/c.webp\n" + str(folder / "clip.mp4").encode()
        + b"\nnotes.txt\nmemory://x/y.png\n" + b"x" * 100_000 + b".png\nin/a.png\n"
    )  # fmt: skip
    units = list(open_source(listed))
    good = [unit.name for unit in units if unit.problem is None]
    assert good == ["in/a.png", "in/deep/c.webp", "in/clip.mp4", "memory://x/y.png", "in/a.png"]
    assert [u.problem for u in units if u.problem] == [
        "its ending '.txt' is none of a picture or video",
        "too long for a name",
    ]


def test_lists_parted_by_null_bytes_take_any_name(tmp_path):
    name = "two\nlines.png"
    (tmp_path / name).write_bytes(png())
    (tmp_path / "list.txt").write_bytes(b"two\nlines.png\0other.png\0")
    units = list(open_source(tmp_path / "list.txt"))
    assert [unit.name for unit in units] == [name, "other.png"]
    assert units[0].stamp


def test_coco_lists(folder, tmp_path):
    images = [
        {"id": 1, "file_name": "a.png"},
        {"id": 2, "file_name": "deep/c.webp"},
        {"id": 3, "file_name": "../secret.png"},
        {"id": 4, "file_name": "/etc/x.png"},
        {"id": 5},
        "what",
        {"id": 6, "file_name": ["a"]},
        {"id": 7, "file_name": "C:\\x.png"},
    ]
    content = {
        "info": {"a": ["}", '"images": ["', "\\"]},
        "annotations": [{"s": [[1.5, 2]] * 20} for _ in range(5000)],
        "images": images,
        "licenses": [],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    units = list(open_source(path, images=folder))
    assert [u.name for u in units if u.problem is None] == ["a.png", "deep/c.webp"]
    assert units[0].source == str(folder / "a.png")
    assert len([u for u in units if u.problem]) == 6
    assert "leads out of the folder" in units[2].problem


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"images": 3}', '{"images": [{"file_name": "a.png"}', '{"images": [1 2]}', "{",
        '{"x": [', '{"x": "', "null", '{"images": ' + "[" * 100_000, '{"x": ' + "[" * 100_000,
        '{"other": []}', "\x00\xff",
    ],
)  # fmt: skip
def test_hostile_json_ends_in_words(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(SourceError, match="is no COCO JSON"):
        list(open_source(path))


@pytest.mark.parametrize("block", [1, 3, 65536])
def test_a_json_list_is_read_in_pieces(block, monkeypatch):
    monkeypatch.setattr("prompts.json_stream._BLOCK", block)
    content = {"a": {"images": [1, "]"]}, "b": 12.5, "c": '\\"', "images": [1, "é]", {"x": [2]}]}
    for text in (json.dumps(content), json.dumps(content, indent=2, ensure_ascii=False)):
        assert list(array_of(io.StringIO(text), "images")) == content["images"]


def test_one_value_cannot_fill_the_memory():
    class Endless(io.StringIO):
        read_so_far = 0

        def read(self, size=-1):
            self.read_so_far += size
            assert self.read_so_far < 10_000_000
            return '{"images": ["' if self.read_so_far == size else "x" * size

    with pytest.raises(JsonStreamError, match="a value of more than"):
        list(array_of(Endless(), "images"))


def make_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_shards(tmp_path):
    for number in range(2):
        make_tar(
            tmp_path / f"train-{number:02}.tar",
            {"s/000.jpg": png(2 * number), "s/000.json": b"{}", "s/001.a.png": png(2 * number + 1)},
        )
    given = str(tmp_path / "train-{00..01}.tar")
    expected = [f"train-{n:02}.tar/s/{name}" for n in range(2) for name in ("000.jpg", "001.a.png")]
    assert names(given) == names(str(tmp_path / "*.tar")) == expected
    run = label_dataset(ColourLabeller(), given, WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (4, 0)
    with run.open() as store:
        for seed, item in enumerate(store.items()):
            assert np.array_equal(item.picture(), picture(seed))
            assert item.load() == ColourLabeller().segment(picture(seed), WORDS)


def test_names_in_shards_lead_nowhere(tmp_path):
    make_tar(tmp_path / "x.tar", {"../../up.png": png(1), "/abs.png": png(2), "a\nb.png": png(3)})
    with tarfile.open(tmp_path / "x.tar", "a") as tar:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    run = label_dataset(ColourLabeller(), tmp_path / "x.tar", WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (3, 0)
    assert sorted(name for name in contents(tmp_path / "out") if name.endswith(".png")) == [
        "labels/x_tar/__/__/up.png", "labels/x_tar/a_b.png", "labels/x_tar/abs.png",
    ]  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["out", "x.tar"]


def test_a_damaged_shard_gives_what_comes_before(tmp_path):
    make_tar(tmp_path / "x.tar", {f"{i}.png": png(i) for i in range(4)})
    data = bytearray((tmp_path / "x.tar").read_bytes())
    units = list(open_source(tmp_path / "x.tar"))
    data[units[2].span[0] - 512 : units[2].span[0]] = b"\xff" * 512
    (tmp_path / "x.tar").write_bytes(data)
    run = label_dataset(ColourLabeller(), tmp_path / "x.tar", WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (2, 1)
    assert "damaged from here on" in next(run.open().failures()).error


def test_compressed_shards_are_refused_with_a_way_out(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz"):
        pass
    with pytest.raises(SourceError, match=r"pack it as a plain \.tar"):
        list(open_source(tmp_path / "x.tar.gz"))


def test_braces():
    assert expand_braces("a-{08..11}-{1..2}.tar")[:3] == ["a-08-1.tar", "a-08-2.tar", "a-09-1.tar"]
    assert len(expand_braces("a-{08..11}-{1..2}.tar")) == 8
    for wrong in ("{5..3}.tar", "{0..99999999}.tar"):
        with pytest.raises(SourceError, match="expected"):
            expand_braces(wrong)


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for i, name in enumerate(("set/a.png", "set/deep/b.png", "set/.c.png", "set/d.txt")):
        memory.pipe(f"/{name}", png(i))
    assert names("memory://set") == ["a.png", "deep/b.png"]
    assert names("memory://set/*.png") == ["a.png"]
    assert names("memory://set/deep/b.png") == ["b.png"]
    run = label_dataset(ColourLabeller(), "memory://set", WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (2, 0)
    with run.open() as store:
        assert np.array_equal(store.item("deep/b").picture(), picture(1))
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        names("memory://nothing")
    with pytest.raises(SourceError, match="can't be listed"):
        names("nosuchthing://x")


def test_columns_of_hugging_face_data_sets(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "n": datasets.Value("int64")})
    rows = [{"bytes": png(i), "path": None} for i in range(3)] + [None]
    table = datasets.Dataset.from_dict({"image": rows, "n": [0, 1, 2, 3]}, features=features)
    table.save_to_disk(tmp_path / "saved")
    table.to_parquet(tmp_path / "x.parquet")
    for number, place in enumerate(("saved", "x.parquet?column=image&split=train")):
        run = label_dataset(
            ColourLabeller(), f"datasets://{tmp_path}/{place}", WORDS, tmp_path / f"out{number}"
        )
        assert (run.labelled, run.failed) == (3, 1)
        with run.open() as store:
            items = list(store.items())
            assert [item.key for item in items] == [f"image/{i:09}" for i in range(3)]
            for i, item in enumerate(items):
                assert np.array_equal(item.picture(), picture(i))
            assert "holds no picture" in next(store.failures()).error
    with pytest.raises(SourceError, match="those that do are image"):
        names(f"datasets://{tmp_path}/saved?column=n")
    with pytest.raises(SourceError, match="can't be opened"):
        names(f"datasets://{tmp_path}/nothing.parquet")
    with pytest.raises(SourceError, match="expected datasets://PLACE"):
        open_source("datasets://x?colour=red")


def test_lists_from_python(folder, tmp_path):
    fill(tmp_path / "more", 2)
    given = [folder / "a.png", str(tmp_path / "more/b/0000.png"), 7]
    units = list(open_source(given))
    assert [unit.problem for unit in units] == [None, None, "expected a path or URL, got int"]


def test_what_is_no_source_is_told(tmp_path):
    (tmp_path / "x.pdf").touch()
    with pytest.raises(SourceError, match="by its ending"):
        open_source(tmp_path / "x.pdf")
    with pytest.raises(SourceError, match="a folder of images belongs to a COCO JSON"):
        open_source(tmp_path, images=tmp_path)


def test_coco_pictures_keep_the_numbers_of_their_source(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    ids = [7, "frankfurt_1", 0, True, None, 1.5, "", "\ud800", 10**30]
    images = [{"id": id, "file_name": "a.png"} for id in ids] + [{"file_name": "a.png"}]
    listed = tmp_path / "images.json"
    listed.write_text(json.dumps({"images": images}))
    assert [unit.image_id for unit in open_source(listed)] == [
        *(7, "frankfurt_1", 0, None, None, None, None, None, str(10**30), None)
    ]
