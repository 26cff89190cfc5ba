"""Every part of every detector's checkpoint: missing, or not what it should be."""

import json
import shutil
from pathlib import Path

import pytest

from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.clipseg import ClipSeg
from detectors.load import load_thing_detector
from prompts import Vocabulary

FOLDERS = [
    *("grounding_dino_folder", "mm_grounding_dino_folder", "owlv2_folder", "omdet_folder"),
    *("sam3_folder", "clipseg_folder"),
]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.fixture(params=FOLDERS)
def copied(request, tmp_path):
    """A folder of one's own, and what loads it."""
    folder = shutil.copytree(request.getfixturevalue(request.param), tmp_path / "model")
    return folder, ClipSeg.from_pretrained if "clipseg" in request.param else load_thing_detector


def part_of(folder, part):
    names = {
        "config": ["config.json"],
        "processor": ["preprocessor_config.json", "processor_config.json"],
        "tokenizer": ["tokenizer.json"],
        "weights": ["model.safetensors"],
    }[part]
    return next(folder / name for name in names if (folder / name).is_file())


@pytest.mark.parametrize("part", ["config", "processor", "tokenizer", "weights"])
def test_a_part_that_is_missing_or_damaged_is_named(copied, part):
    folder, load = copied
    path = part_of(folder, part)
    whole = path.read_bytes()
    for content, said in [
        (POINTER, "a Git LFS pointer"),
        (whole[: len(whole) // 2], "cut off"),
        (b"", "it is empty"),
        (b"<html>Sign in</html>", "a web page"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said) as error:
            load(folder)
        assert path.name in str(error.value)
        assert len(str(error.value).splitlines()) == 1
    path.unlink()
    with pytest.raises(ValueError, match=path.name) as error:
        load(folder)
    assert str(folder) in str(error.value)


def test_a_tokenizer_file_of_something_else(copied):
    folder, load = copied
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="its tokenizer can't be read"):
        load(folder)
    processor = part_of(folder, "processor")
    processor.write_text("{}")
    with pytest.raises(ValueError, match=r"can't be read|unnamed"):
        load(folder)


def test_words_that_are_the_same_to_the_model(bert_folder):
    tokenizer = load_tokenizer(bert_folder, 30522)
    check_words(tokenizer, Vocabulary({"café": ["cafe"]}, ["road"]))
    with pytest.raises(ValueError, match="'café' and 'cafe' are the same to the model"):
        check_words(tokenizer, Vocabulary(["café", "cafe"]))
    with pytest.raises(ValueError, match="reads nothing in"):
        check_words(tokenizer, Vocabulary(["𓀀𓀁"]))


def vocabulary_cut_off(folder, bert_folder, lines):
    words = (Path(bert_folder) / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (folder / "vocab.txt").write_text("\n".join(words[:lines]) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


def test_a_list_of_words_that_is_cut_off(bert_folder, tmp_path):
    vocabulary_cut_off(tmp_path, bert_folder, 30522)
    load_tokenizer(tmp_path, 30522)
    load_tokenizer(tmp_path, 30528)  # rounded up
    vocabulary_cut_off(tmp_path, bert_folder, 20000)
    with pytest.raises(ValueError, match="20000 tokens, but its model knows 30522"):
        load_tokenizer(tmp_path, 30522)
    vocabulary_cut_off(tmp_path, bert_folder, 30522)
    with pytest.raises(ValueError, match="30522 tokens, but its model knows 30000"):
        load_tokenizer(tmp_path, 30000)


def test_merges_that_are_cut_off(tmp_path):
    from benchmarks.checkpoints.standin import clip_tokenizer

    clip_tokenizer().save_pretrained(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").unlink()
    merges = [" ".join(m) if isinstance(m, list) else m for m in content["model"]["merges"]]
    (tmp_path / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    load_tokenizer(tmp_path, 49408)
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges[:20000]) + "\n")
    with pytest.raises(ValueError, match=r"merges \(merges\.txt or .* cut off"):
        load_tokenizer(tmp_path, 49408)


def test_json_without_fields(copied):
    folder, load = copied
    for part in ("config", "processor", "tokenizer"):
        path = part_of(folder, part)
        whole = path.read_bytes()
        path.write_text("[1]")
        with pytest.raises(ValueError, match=rf"{path.name}.* has no named fields"):
            load(folder)
        path.write_bytes(whole)


def test_a_configuration_of_another_size_than_the_weights(clipseg_folder, tmp_path):
    folder = shutil.copytree(clipseg_folder, tmp_path / "model")
    path = folder / "config.json"
    content = json.loads(path.read_text())
    wide = content["reduce_dim"]
    path.write_text(json.dumps(content | {"reduce_dim": 2 * wide}))
    with pytest.raises(ValueError, match="have other sizes than its config") as error:
        ClipSeg.from_pretrained(folder)
    assert len(str(error.value).splitlines()) == 1
    path.write_text(json.dumps(content | {"reduce_dim": "wide"}))
    with pytest.raises(ValueError, match=r"its config\.json is none of 'clipseg'"):
        ClipSeg.from_pretrained(folder)
