"""Fetching from a hub: what is said before, what is fetched, and going on where it broke."""

import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

import sam2core
from panoptic import PanopticPipeline
from panoptic.checkpoints import download, fetch, is_begun, is_here, locate
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.presets import PRESETS
from sam2core.weights import to_state_dict
from tests.detectors.conftest import bert_folder  # noqa: F401
from tests.panoptic.commands.shell import in_a_terminal, one_by_one, panoptic
from tests.panoptic.hub import FakeHub

TINY = PRESETS["tiny"]
PARTS = {"things": TINY.things, "stuff": TINY.stuff, "sam2": TINY.sam2}


@pytest.fixture
def published(models_folder, tmp_path):
    """Three repositories as they are published: the same weights several times, and a readme."""
    found = {}
    for name, part in (("grounding_dino", "things"), ("clipseg", "stuff"), ("sam2", "sam2")):
        folder = tmp_path / "published" / name
        shutil.copytree(models_folder / name, folder)
        (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
        (folder / "onnx").mkdir()
        for other in ("pytorch_model.bin", "tf_model.h5", "onnx/model.onnx"):
            (folder / other).write_bytes(b"other weights")
        found[PARTS[part]] = folder
    model = sam2core.load(models_folder / "sam2")
    torch.save({"model": to_state_dict(model, "meta")}, found[TINY.sam2] / "sam2.1_hiera_tiny.pt")
    return found


@pytest.fixture
def hub(published):
    with FakeHub(published) as hub:
        yield hub


@pytest.fixture
def cache(hub, tmp_path, monkeypatch):
    """The hub's package asks ours, and keeps its files in this folder."""
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_session()
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSES", (0.0,))
    yield tmp_path / "cache"
    close_session()


@pytest.fixture
def environment(hub, tmp_path):
    """For processes of their own."""
    own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1"}
    ours = ("HF_", "TRANSFORMERS_OFFLINE", "NO_PROXY", "no_proxy")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | own


@pytest.fixture
def said(monkeypatch):
    """The lines that were said, and where there is no terminal they are all."""
    lines = []
    monkeypatch.setattr(fetch, "say", lines.append)
    return lines


def sizes(folder, *names):
    return sum((folder / name).stat().st_size for name in names)


def test_a_preset_is_fetched_by_the_command_and_is_there_afterwards(
    hub, environment, tmp_path, picture
):
    Image.fromarray(picture).save(tmp_path / "street.png")
    given = ["image", str(tmp_path / "street.png"), "--things", "car", "--stuff", "road"]
    given += ["--models", "tiny", "--device", "cpu", "--box-threshold", "0.05"]
    done = panoptic(*given, "-o", str(tmp_path / "one"), env=environment)
    assert done.returncode == 0, done.stderr
    first, *files, last = done.stderr.splitlines()
    for source in PARTS.values():
        assert re.search(rf"{source} \(\d+ files, [\d.]+ [kM]B\)", first), first
    assert f" in all from {hub.address} into {tmp_path / 'home' / 'hub'}" in first
    assert re.fullmatch(r"fetched in \d+ s", last)
    assert len(files) == len(hub.fetched()) == len(set(files))
    assert all(re.fullmatch(r"fetched \S+ of \S+ \(.+\)", line) for line in files), files
    others = (".bin", ".pt", ".h5", ".onnx", ".md")
    assert not [name for name in hub.fetched() if name.endswith(others)]
    assert hub.fetched(TINY.sam2)[-1] == "model.safetensors"

    hub.asked.clear()
    offline = environment | {"HF_HUB_OFFLINE": "1"}
    commands = one_by_one([*given, "-o", tmp_path / "two"], ["models"])
    again = subprocess.run(commands, capture_output=True, text=True, env=offline)
    assert (again.returncode, again.stderr) == (0, "")
    assert re.findall(r"(?m)^exit (\d)$", again.stdout) == ["0", "0"]
    assert not hub.asked
    one, two = (CocoPanoptic.open(tmp_path / n / "panoptic.json").load(1) for n in ("one", "two"))
    np.testing.assert_array_equal(one.ids, two.ids)

    here = [line for line in again.stdout.splitlines() if line.startswith("tiny ")]
    assert len(here) == 3
    assert all(line.endswith("yes") for line in here)


def test_on_a_terminal_there_are_bars(environment, tmp_path, picture, monkeypatch):
    Image.fromarray(picture).save(tmp_path / "street.png")
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = ["image", tmp_path / "street.png", "--things", "car", "-o", tmp_path / "out"]
    code, shown = in_a_terminal(*given, "--models", "tiny", "--device", "cpu", columns=160)
    assert code == 0, shown
    for source in PARTS.values():
        assert re.search(rf"{source}: 100%", shown)
    assert "fetched model.safetensors" not in shown
    assert "Loading weights" not in shown


@pytest.mark.parametrize("layout", ["sharded", "bin", "sharded bin"])
def test_whatever_layout_the_weights_are_published_in(layout, published, cache, said, words):
    from tests.sam2core.layouts import rewrite

    for folder in published.values():
        (folder / "pytorch_model.bin").unlink()
        rewrite(folder, layout)
    pipeline = PanopticPipeline.from_pretrained("tiny")
    assert all(is_here(source, part) for part, source in PARTS.items())
    again = PanopticPipeline.from_pretrained("tiny")
    image = np.full((64, 64, 3), 90, np.uint8)
    assert again.segment(image, words) == pipeline.segment(image, words)


def test_what_is_there_is_used_without_asking_the_hub(hub, cache, said):
    paths = locate(PARTS)
    hub.asked.clear()
    said.clear()
    hub.repositories.clear()
    assert locate(PARTS) == paths
    assert not hub.asked
    assert not said


def test_a_checkpoint_of_meta_alone_is_fetched(published, hub, cache, said):
    folder = published[TINY.sam2]
    for name in ("model.safetensors", "pytorch_model.bin", "config.json"):
        (folder / name).unlink()
    paths = locate({"sam2": TINY.sam2})
    assert hub.fetched() == ["sam2.1_hiera_tiny.pt"]
    assert is_here(TINY.sam2, "sam2")
    assert os.listdir(paths["sam2"]) == ["sam2.1_hiera_tiny.pt"]


def test_files_of_authors_bring_berts_words_with_them(
    hub,
    cache,
    said,
    tmp_path,
    bert_folder,  # noqa: F811
):
    from tests.detectors.groundingdino import random_state, save_original

    theirs = tmp_path / "theirs"
    theirs.mkdir()
    name = save_original(theirs, random_state(), bert_folder).name
    (theirs / "vocab.txt").unlink()
    hub.repositories["ShilongLiu/GroundingDINO"] = theirs
    hub.repositories["bert-base-uncased"] = bert_folder
    paths = locate({"things": name})
    assert paths["things"].endswith(f"/{name}")
    assert is_here(name)
    assert {name, "tokenizer.json", "vocab.txt"} <= set(hub.fetched())
    assert not [file for file in hub.fetched("bert-base-uncased") if "model" in file]
    shutil.rmtree(cache / "models--bert-base-uncased")
    assert not is_here(name)
    assert is_begun(name)


def test_a_broken_download_goes_on_where_it_stopped(published, hub, cache, said):
    whole = (published[TINY.sam2] / "model.safetensors").read_bytes()
    hub.cut["model.safetensors"] = [100_000, 0, 0]
    with pytest.raises(ValueError, match="the same command goes on from there") as error:
        locate({"sam2": TINY.sam2})
    came = f"100,000 of {len(whole):,} bytes of model.safetensors of {TINY.sam2}"
    assert came in str(error.value)
    assert not is_here(TINY.sam2, "sam2")
    assert is_begun(TINY.sam2, "sam2")
    hub.asked.clear()
    said.clear()
    folder = locate({"sam2": TINY.sam2})["sam2"]
    (asked,) = [one for one in hub.asked if one.method == "GET"]
    assert (asked.file, asked.range) == ("model.safetensors", "bytes=100000-")
    assert "100 kB of it have come before" in said[0]
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        assert file.read() == whole
    assert is_here(TINY.sam2, "sam2")
    assert not list(cache.rglob("*.incomplete"))


def test_a_connection_that_breaks_is_taken_up_again_by_itself(published, hub, cache, said):
    hub.cut["model.safetensors"] = [50_000, 50_000]
    locate({"sam2": TINY.sam2})
    asked = [o.range for o in hub.asked if (o.method, o.file) == ("GET", "model.safetensors")]
    assert asked == [None, "bytes=50000-", "bytes=100000-"]


def test_a_hub_that_knows_no_ranges_sends_it_all_again(published, hub, cache, said):
    hub.knows_ranges = False
    hub.cut["model.safetensors"] = [50_000]
    folder = locate({"sam2": TINY.sam2})["sam2"]
    assert sam2core.load(folder)


def test_what_a_killed_process_had_is_gone_on_with(hub, environment, published, tmp_path):
    """It can't tidy up; so what it leaves must be of use as it is."""
    script = f"from panoptic.checkpoints import locate; locate({{'sam2': {TINY.sam2!r}}})"
    whole = (published[TINY.sam2] / "model.safetensors").stat().st_size
    cache = tmp_path / "home" / "hub"
    hub.stall["model.safetensors"] = whole // 2
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    while not any(p.stat().st_size >= whole // 2 for p in cache.rglob("*.incomplete")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    hub.stall.clear()
    hub.go_on.set()
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert hub.asked[-1].file == "model.safetensors"
    assert f"bytes={whole // 2}-" in [one.range for one in hub.asked]


def test_two_processes_fetch_once(hub, environment, tmp_path):
    script = f"from panoptic.checkpoints import locate; locate({PARTS!r})"

    def start(name):
        command = [sys.executable, "-c", script]
        with open(tmp_path / name, "w") as errors:
            return subprocess.Popen(command, env=environment, stderr=errors)

    def weights():
        return hub.fetched(TINY.things).count("model.safetensors")

    hub.stall["model.safetensors"] = 1000
    one = start("one")
    while weights() == 0:
        assert one.poll() is None
        time.sleep(0.01)
    two = start("two")
    waiting = f"waiting for another process that is fetching {TINY.things}\n"
    while waiting not in (tmp_path / "two").read_text() and two.poll() is None and weights() == 1:
        time.sleep(0.01)
    hub.go_on.set()
    assert (one.wait(), two.wait()) == (0, 0)
    assert waiting in (tmp_path / "two").read_text()
    assert len(hub.fetched()) == len({(asked.repository, asked.file) for asked in hub.asked})


def test_what_is_missing_is_named_offline_and_fetched_online(
    published, hub, cache, said, monkeypatch
):
    folder = locate({"things": TINY.things})["things"]
    for name in ("tokenizer.json", "model.safetensors"):
        os.unlink(os.path.join(folder, name))
    assert not is_here(TINY.things)
    assert is_begun(TINY.things)
    hub.asked.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="only in part") as error:
        locate(PARTS)
    message = str(error.value)
    assert "tokenizer.json or vocab.txt or vocab.json with merges.txt" in message
    assert " and model.safetensors are missing)" in message
    assert f"{TINY.stuff} and {TINY.sam2} are not on this machine" in message
    assert "--models demo" in message
    assert not hub.asked
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    locate({"things": TINY.things})
    assert hub.fetched() == []  # the blobs are there: only links are made anew
    (cache / "models--IDEA-Research--grounding-dino-tiny" / "refs" / "main").write_text("d" * 40)
    assert not is_here(TINY.things)
    locate({"things": TINY.things})
    assert is_here(TINY.things)


def test_a_disk_that_is_too_small_is_told_before(hub, cache, said, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=60_000))
    with pytest.raises(ValueError, match=r"has only 60 kB free: make room, or .* HF_HUB_CACHE"):
        locate(PARTS)
    assert not hub.fetched()


def test_a_gated_model_says_what_to_do(hub, cache, said):
    hub.gated.add(TINY.things)
    with pytest.raises(ValueError, match=r"is gated: accept its licence on http.*hf auth login"):
        locate({"things": TINY.things})


def test_a_name_that_the_hub_does_not_know(hub, cache, said):
    with pytest.raises(ValueError, match=r"owner/none is not on this machine, and it could not"):
        locate({"things": "owner/none"})
    with pytest.raises(ValueError, match="it isn't a name on the Hugging Face hub"):
        locate({"things": "no/name/of/anything"})


def test_a_hub_that_is_not_there(cache, said, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match="could not be fetched from the Hugging Face hub"):
        locate({"things": TINY.things})


def test_what_comes_is_held_against_the_hubs_sum(hub, published, cache, said, monkeypatch):
    """As when two processes write one file where locks don't work."""
    weights = published[TINY.sam2] / "model.safetensors"
    hub.cut["model.safetensors"] = [1000, 0, 0]
    with pytest.raises(ValueError, match="goes on from there"):
        locate({"sam2": TINY.sam2})
    (begun,) = cache.rglob("*.incomplete")
    begun.write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="isn't what the hub has"):
        locate({"sam2": TINY.sam2})
    locate({"sam2": TINY.sam2})
    assert (next(cache.rglob("model.safetensors"))).read_bytes() == weights.read_bytes()


def test_a_program_with_its_own_log_has_the_lines_there(hub, cache, caplog, capsys):
    locate({"sam2": TINY.sam2})
    assert caplog.records[0].message.startswith(f"fetching {TINY.sam2} (2 files, ")
    assert caplog.records[0].name == "panoptic.checkpoints"
    assert capsys.readouterr().err == ""
