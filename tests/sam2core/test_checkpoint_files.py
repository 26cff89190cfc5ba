"""Every layout in which weights are published, from folders and from the hub's cache; damage."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import sam2core
from sam2core.errors import WeightsError
from sam2core.weight_files import LAYOUTS as FIRST
from sam2core.weight_files import advice, check_weights, damage
from sam2core.weights import to_state_dict
from tests.panoptic.hub import FakeHub, put_in_cache
from tests.sam2core.conftest import random_model
from tests.sam2core.layouts import LAYOUTS, rewrite

NAME = "facebook/sam2.1-hiera-tiny"


@pytest.fixture
def folder(model, tmp_path):
    sam2core.save(model, tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub's package, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return one.config == other.config and all(torch.equal(ours[n], theirs[n]) for n in theirs)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_from_a_folder_and_from_the_cache(layout, folder, cache, model):
    first = rewrite(folder, layout)
    assert len(list(folder.iterdir())) > 3 if "sharded" in layout else True
    assert same(sam2core.load(folder), model)
    assert same(sam2core.load(first), model)
    put_in_cache(cache, NAME, folder)
    assert same(sam2core.load(NAME), model)


def test_safetensors_win_over_other_files(folder, cache, model):
    other = to_state_dict(random_model(seed=1), "meta")
    torch.save({"model": other}, folder / "sam2.1_hiera_tiny.pt")
    torch.save(other, folder / "pytorch_model.bin")
    assert same(sam2core.load(folder), model)
    put_in_cache(cache, NAME, folder)
    assert same(sam2core.load(NAME), model)


def test_metas_file_alone_is_read_from_the_cache(cache, tmp_path):
    from sam2core import Sam2, Sam2Config

    torch.manual_seed(0)
    public = Sam2(Sam2Config.preset("tiny"))
    (tmp_path / "published").mkdir()
    path = tmp_path / "published" / "sam2.1_hiera_tiny.pt"
    torch.save({"model": to_state_dict(public, "meta")}, path)
    put_in_cache(cache, NAME, path.parent)
    assert same(sam2core.load(NAME), public)


def test_a_hub_gives_what_is_needed_and_only_that(folder, cache, model, monkeypatch):
    from huggingface_hub.utils import close_session

    rewrite(folder, "sharded")
    torch.save({}, folder / "sam2.1_hiera_tiny.pt")
    (folder / "README.md").write_text("read me")
    with FakeHub({NAME: folder}) as hub:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        close_session()
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        assert same(sam2core.load(NAME), model)
        shards = sorted(path.name for path in folder.glob("model*"))
        assert sorted(set(hub.fetched())) == ["config.json", *shards]
    close_session()
    assert same(sam2core.load(NAME), model)  # with the hub gone


@pytest.mark.parametrize("layout", ["sharded", "sharded bin"])
def test_a_shard_that_is_missing_is_named(layout, folder, cache):
    first = rewrite(folder, layout)
    shard = sorted(set(json.loads(first.read_text())["weight_map"].values()))[1]
    (folder / shard).unlink()
    with pytest.raises(WeightsError, match=rf"{shard} is missing, which {first.name} names"):
        sam2core.load(folder)


@pytest.mark.parametrize("layout", ["sharded", "sharded bin"])
def test_shards_of_another_checkpoint_are_refused(layout, folder):
    first = rewrite(folder, layout)
    shards = sorted(set(json.loads(first.read_text())["weight_map"].values()))
    shutil.copy(folder / shards[0], folder / shards[1])
    with pytest.raises(WeightsError, match=rf"{shards[1]}: holds other tensors than {first.name}"):
        sam2core.load(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": {"a": "../b.bin"}}', "{"])
def test_what_is_no_index_is_refused(content, folder):
    first = rewrite(folder, "sharded")
    first.write_text(content)
    with pytest.raises(WeightsError, match=r"index\.json: (expected the index|can't be read)"):
        sam2core.load(folder)


KINDS = {
    "cut off": lambda content: content[:-1000],
    "cut off early": lambda content: content[:100],
    "too long": lambda content: content + b"\0" * 100,
    "empty": lambda content: b"",
    "pointer": lambda content: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    ),
    "page": lambda content: b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "other": lambda content: b"%PDF-1.7 and so on, whatever it may be",
}
SAID = {
    "cut off": "it is cut off",
    "cut off early": "it is cut off",
    "too long": "more than its header says|after the end of its archive",
    "empty": "it is empty",
    "pointer": "it is a Git LFS pointer",
    "page": "it is a web page",
    "other": "it is not a",
}


@pytest.mark.parametrize("layout", [*LAYOUTS, "meta"])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_with_what_to_delete(kind, layout, folder, cache, model):
    if layout == "meta":
        (folder / "model.safetensors").unlink()
        torch.save({"model": to_state_dict(model, "meta")}, folder / "sam2.pt")
        name = "sam2.pt"
    else:
        name = rewrite(folder, layout).name
        if "sharded" in layout:
            name = sorted(path.name for path in folder.glob("*-of-*"))[-1]
    snapshot = put_in_cache(cache, NAME, folder)
    link = snapshot / name
    blob = link.resolve()
    blob.write_bytes(KINDS[kind](blob.read_bytes()))
    with pytest.raises(WeightsError, match=SAID[kind]) as error:
        sam2core.load(NAME)
    message = str(error.value)
    assert message.startswith(f"{blob}: can't be read (")
    assert f"Delete it and {link} (or run `hf cache rm model/{NAME}`)" in message
    # In a folder of one's own there is no link.
    (folder / name).write_bytes(blob.read_bytes())
    with pytest.raises(WeightsError, match=SAID[kind]) as error:
        sam2core.load(folder)
    assert str(error.value).startswith(f"{folder / name}: can't be read (")
    assert "hf cache" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("config.json", "safetensors"),
        ("preprocessor_config.json", "safetensors"),
        ("model.safetensors.index.json", "sharded"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_what_is_said_of_a_file_with_one(name, layout, encoding, folder):
    rewrite(folder, layout)
    path = folder / name
    path.write_text(path.read_text() if path.is_file() else "{}", encoding=encoding)
    with pytest.raises(WeightsError, match=rf"{re.escape(name)}: .*it begins with a byte order"):
        sam2core.load(folder)
    path.write_text(path.read_text(encoding=encoding), encoding="utf-8")
    sam2core.load(folder)


def test_bytes_that_are_missing_in_the_middle(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"model": {"a": torch.zeros(5000)}}, path)
    assert damage(path) is None
    content = path.read_bytes()
    path.write_bytes(content[:2000] + content[3000:])
    assert damage(path) == f"it has {len(content) - 1000:,} bytes, 1,000 too few"


def test_files_of_torch_before_1_6_are_read(folder, model):
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert damage(path) is None
    assert same(sam2core.load(folder), model)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: can't be read as a PyTorch"):
        sam2core.load(folder)


def test_a_store_of_all_blobs_is_to_be_deleted_from_as_well(tmp_path):
    """Where the cache's blobs are themselves links."""
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c"
    blobs = tmp_path / "models--a--b" / "blobs"
    for place in (snapshot, blobs, tmp_path / "blobs"):
        place.mkdir(parents=True)
    (tmp_path / "blobs" / "f").write_bytes(b"")
    (blobs / "e").symlink_to("../../blobs/f")
    (snapshot / "model.safetensors").symlink_to("../../blobs/e")
    said = advice(snapshot / "model.safetensors")
    assert said.startswith(f"Delete it and {snapshot / 'model.safetensors'} and {blobs / 'e'} (or")


def test_only_headers_are_read(tmp_path):
    """A file of a terabyte, of which the disk has but a page."""
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    header = {"a": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 1 << 40]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        try:
            file.truncate(8 + len(text) + (1 << 40))
        except OSError:
            pytest.skip("this disk has no files with holes")
    check_weights(path)


def test_the_lists_of_layouts_are_one():
    from panoptic.checkpoints.needed import LAYOUTS as theirs

    assert theirs == FIRST
