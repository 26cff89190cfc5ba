"""Settings have one way: from the preset or another detector to the pipeline, videos, data sets."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from detectors.base import ThingSettings
from panoptic import PanopticPipeline, Settings
from panoptic.cli import main
from panoptic.dataset.export import export
from panoptic.dataset.fingerprint import describe
from panoptic.dataset.html_report import write_report
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.worker_recipe import PipelineRecipe, recipe_of, settings_of_run
from panoptic.errors import SettingsChangedError
from panoptic.presets import PRESETS, Preset, find_preset
from panoptic.settings.dataset import DatasetSettings
from panoptic_anything import __version__
from tests.detectors.conftest import (  # noqa: F401
    bert_folder,
    owlv2_folder,
)
from tests.panoptic.dataset.colours import ColourLabeller
from tests.panoptic.dataset.test_videos import write_video

EARLIER = Path(__file__).parents[1] / "dataset" / "earlier_run"


@pytest.fixture
def preset(models_folder, monkeypatch):
    """The tiny models, with levels of their own."""
    parts = (str(models_folder / name) for name in ("grounding_dino", "clipseg", "sam2"))
    levels = {"detector.box_threshold": 0.12, "stuff.words_per_pass": 7, "regions.background": 0.2}
    monkeypatch.setitem(PRESETS, "own", Preset(*parts, levels=levels))
    return "own"


def load(*given, **options):
    return PanopticPipeline.from_pretrained(*given, device="cpu", dtype="float32", **options)


def test_a_presets_levels_reach_its_models(preset):
    pipeline = load(preset)
    assert pipeline.things.settings == ThingSettings(box_threshold=0.12)
    assert pipeline.stuff.settings.words_per_pass == 7
    assert pipeline.settings.regions.background == 0.2
    assert pipeline.settings.detector is pipeline.things.settings


def test_what_is_given_changes_them(preset, tmp_path):
    changes = {"detector.max_boxes": 5, "video.detect_every": 0.5}
    path = load(preset, settings=changes).settings.save(tmp_path / "all.yaml")
    for settings in (changes, path, Settings.load(path)):
        pipeline = load(preset, settings=settings)
        assert pipeline.things.settings == ThingSettings(box_threshold=0.12, max_boxes=5)
        assert pipeline.settings.video.detect_every == 0.5
    whole = load(preset, settings=Settings())
    assert whole.things.settings == ThingSettings()
    with pytest.raises(ValueError, match=r"settings: there is no setting 'detector\.boxes'"):
        load(preset, settings={"detector.boxes": 3})


def test_another_detector_brings_its_own(preset, owlv2_folder):  # noqa: F811
    pipeline = load(preset, things=str(owlv2_folder), settings={"detector.max_boxes": 5})
    assert pipeline.things.settings == ThingSettings(0.1, 0.1, max_boxes=5)
    assert pipeline.settings.stuff.words_per_pass == 7  # the other parts stay the preset's
    assert find_preset(preset, stuff="other").levels == {"detector.box_threshold": 0.12}


def test_settings_of_a_pipeline_are_those_of_its_parts(tiny):
    tiny.settings = tiny.settings.changed({"detector.max_boxes": 3, "stuff.words_per_pass": 2})
    assert (tiny.things.settings.max_boxes, tiny.stuff.settings.words_per_pass) == (3, 2)
    tiny.things.settings = ThingSettings(max_boxes=4)
    assert tiny.settings.detector.max_boxes == 4
    again = recipe_of(tiny)()
    assert again.settings == tiny.settings


def test_a_detector_without_settings_is_not_told_any(tiny):
    class Nothing:
        def detect_batch(self, images, vocabulary):
            raise NotImplementedError

    parts = Nothing(), tiny.stuff, tiny.segmenter
    pipeline = PanopticPipeline(*parts, settings={"seed": 3})
    assert pipeline.settings.seed == 3
    with pytest.raises(ValueError, match="Nothing has no settings"):
        PanopticPipeline(*parts, settings={"detector.max_boxes": 3})


def test_settings_for_videos_reach_the_videos_of_a_data_set(tiny, words, tmp_path):
    clip = tmp_path / "clip.mkv"
    write_video(clip, count=4)
    seen = {}
    for most in (1, 64):
        tiny.settings = tiny.settings.changed({"video.max_objects": most})
        session = tiny.video_session(words)
        assert session.settings is tiny.settings.video
        frames = [frame.segmentation for frame in tiny.track(clip, words)]
        out = tmp_path / f"out{most}"
        with tiny.label_dataset(clip, words, out).open() as store:
            item = next(store.items())
            assert [item.load(i) for i in range(4)] == frames
            assert store.settings["settings"]["video"]["max_objects"] == most
        seen[most] = len(frames[-1])
    assert seen[1] <= 1 < seen[64]
    with pytest.raises(SettingsChangedError, match=r"video\.max_objects was 1, is 64"):
        tiny.label_dataset(clip, words, tmp_path / "out1")


def test_the_fingerprint_has_the_version_and_what_decides_labels(tiny):
    before = describe(tiny)
    assert before["version"] == __version__
    assert before["settings"]["detector"]["max_boxes"] == 6
    tiny.settings = tiny.settings.changed({"dataset.batch": 9})
    assert describe(tiny) == before
    tiny.settings = tiny.settings.changed({"stuff.words_per_pass": 9})
    assert describe(tiny) != before
    assert describe(ColourLabeller()) == {"version": __version__, "largest_distance": 90}


def test_how_a_data_set_is_worked_on_is_asked_of_the_pipeline(tiny):
    tiny.settings = tiny.settings.changed({"dataset.batch": 9})
    assert settings_of_run(tiny).batch == 9
    assert settings_of_run(PipelineRecipe({"settings": {"dataset": {"batch": 8}}})).batch == 8
    assert settings_of_run(PipelineRecipe({"source": "demo"})).batch == 4
    assert settings_of_run(ColourLabeller()).batch == 4


@pytest.fixture
def earlier(tmp_path):
    """What a run of before there was a tree of settings left of a folder of one picture."""
    out = tmp_path / "earlier"
    shutil.copytree(EARLIER / "labels", out / "labels")
    shutil.copytree(EARLIER / "photos", tmp_path / "photos")
    dump = (EARLIER / "manifest.sql").read_text(encoding="utf-8")
    manifest = sqlite3.connect(out / "manifest.sqlite")
    manifest.executescript(dump.replace("PHOTOS", str(tmp_path / "photos")))
    manifest.close()
    return out


def test_labels_of_before_are_read_exported_reported_and_reviewed(earlier, tmp_path):
    with DatasetStore.open(earlier) as store:
        (item,) = store.items()
        assert {s.category for s in item.load()} == {"grass", "sky"}
        (made,) = export(store.items(), store.vocabulary, tmp_path / "export", ["coco_panoptic"])
        assert (made.total, made.left_out) == (1, 0)
        assert write_report(store, tmp_path / "report.html").is_file()
        store.set_verdict(item.key, "accept")
        assert next(store.items()).verdict == "accept"


def test_going_on_with_labels_of_before_says_what_to_do(earlier, tmp_path):
    with DatasetStore.open(earlier) as store:
        words = store.vocabulary
    given = ColourLabeller(), tmp_path / "photos", words, earlier
    message = rf"labelled by an earlier version .*this is {__version__}.*--redo .*another folder"
    with pytest.raises(SettingsChangedError, match=message):
        label_dataset(*given)
    assert label_dataset(*given, settings=DatasetSettings(redo=True)).labelled == 1
    assert label_dataset(*given).labelled == 0  # it is of this version now


def test_the_command_says_where_each_value_is_from(preset, tmp_path, capsys, owlv2_folder):  # noqa: F811
    file = tmp_path / "mine.yaml"
    file.write_text("merge: {seam: 0.01}\nvideo: {detect_every: 2}\n", encoding="utf-8")
    given = ["--models", preset, "--settings", str(file), "--box-threshold", "0.4"]

    def rows(*more):
        assert main(["settings", *given, *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        return {name: (value, origin) for name, value, origin in map(_columns, lines)}

    found = rows("--set", "video.detect_every=0.5", "--set", "dataset.max_errors=null")
    assert found["detector.box_threshold"] == ("0.4", "command line")
    assert found["regions.background"] == ("0.2", "preset own")
    assert found["merge.seam"] == ("0.01", str(file))
    assert found["video.detect_every"] == ("0.5", "command line")
    assert found["detector.max_boxes"] == ("100", "default")
    found = rows("--detector", str(owlv2_folder))
    assert found["detector.text_threshold"] == ("0.1", f"detector {owlv2_folder}")


def _columns(line):
    return [part.strip() for part in line.split("  ") if part.strip()]


def test_the_commands_yaml_is_a_file_for_it(preset, tmp_path, capsys):
    assert main(["settings", "--models", preset, "--seed", "4", "--yaml"]) == 0
    path = tmp_path / "all.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert Settings.load(path) == load(preset, settings={"seed": 4}).settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--set", "video.cut_ratio"], "--set takes KEY=VALUE"),
        (["--set", "seed=2", "--seed", "1"], "seed is given twice on the command line"),
        (["--set", "video.cut_ration=2"], "near it are video.cut_ratio"),
        (["--box-threshold", "7"], "command line: detector.box_threshold must be in [0, 1]"),
        (["--settings", "nowhere.yaml"], "there is none at nowhere.yaml"),
        (["regoins"], "there is no setting 'regoins'; near it are regions"),
        (["video", "--yaml"], "leave the name out"),
    ],
)
def test_what_the_command_refuses(given, message, capsys):
    assert main(["settings", "--models", "demo", *given]) == 2
    assert message in capsys.readouterr().err


def test_wrong_settings_are_told_before_models_are_loaded(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    words = ["--things", "car", "--models", str(tmp_path / "none")]
    line = ["dataset", str(tmp_path / "photos"), *words, "-o", str(tmp_path / "out")]
    assert main([*line, "--set", "video.max_object=2"]) == 2
    assert "near it are video.max_objects" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
