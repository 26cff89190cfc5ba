"""The tree of settings: changed by key, written, read, and where each value is from."""

import textwrap
from dataclasses import fields, is_dataclass
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from panoptic.settings.keys import keys_of, reasons_of
from panoptic.settings.tree import Settings, layer_of, resolve
from panoptic.settings.video import VideoSettings
from panoptic.settings.yaml_files import to_yaml


def test_every_field_says_what_it_is_and_why():
    def walk(tree, path):
        kinds, reasons = get_type_hints(tree), reasons_of(tree)
        for field in fields(tree):
            name = f"{path}{field.name}"
            assert len(reasons.get(field.name, "").split()) >= 4, f"{name} has no reason"
            if is_dataclass(kinds[field.name]):
                walk(kinds[field.name], f"{name}.")

    walk(Settings, "")
    assert len(keys_of(Settings)) > 60


def another(kind, value):
    """A value of a setting that isn't its default, and that is within all bounds."""
    if get_origin(kind) is Literal:
        return next(each for each in get_args(kind) if each != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "a photo of: {}"
    if value is None:
        return 1 if int in get_args(kind) else 1 / 3
    if isinstance(value, int):
        return value + 1
    return value / 3 if value else -0.1 if kind is float and value == 0 else value


def test_all_that_is_written_is_read_again(tmp_path):
    keys, before = keys_of(Settings), Settings().values()
    changes = {name: another(key.kind, before[name]) for name, key in keys.items()}
    changes |= {"video.cut_ratio": 4 / 3}
    changes |= {"pictures.stretch": "percentiles", "pictures.bands": "3,2,1"}
    settings = Settings().changed(changes)
    differing = {name for name, value in settings.values().items() if value != before[name]}
    assert differing == set(keys)
    assert Settings.load(settings.save(tmp_path / "settings.yaml")) == settings
    assert "# Width" not in to_yaml(settings)
    assert "seed: 1\n" in to_yaml(settings)


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("video:\n  detect_every: 3\nmerge.seam: 1e-3\nregions:\n", encoding="utf-8")
    settings = Settings.load(path)
    assert (settings.video.detect_every, settings.merge.seam) == (3, 0.001)
    assert settings == Settings().changed({"video": VideoSettings(detect_every=3)}).changed(
        {"merge": {"seam": 0.001}}
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"box_treshold": 0.3}, "no setting 'box_treshold'; near it are detector.box_threshold"),
        ({"video": {"detectevery": 3}}, "near it are .*video.detect_every"),
        ({"regoins": {"background": 0.2}}, "near it are regions.background"),
        ({"xyzzy": 1}, "`panoptic settings` lists all"),
        ({"video": 3}, "video is a group of settings"),
        ({3: 1}, "expected the name of a setting, got 3"),
        ({"seed": True}, "seed must be a whole number, got True"),
        ({"seed": 1.0}, "seed must be a whole number, got 1.0"),
        ({"fill_unknown": 1}, "fill_unknown must be true or false, got 1"),
        ({"merge.seam": "wide"}, "merge.seam must be a number, got 'wide'"),
        ({"merge.min_visible": float("nan")}, "must be a number, got nan"),
        ({"stuff.template": 3}, "stuff.template must be text"),
        ({"dataset.engine": "dask"}, "dataset.engine must be one of local, ray, got 'dask'"),
        ({"dataset.max_errors": "no"}, "must be a whole number or null"),
        ({"video.recognise_elsewhere": 0.9}, "there is no setting 'video.recognise_elsewhere'"),
        ({"video.cut_ratio": 0.5}, "video.cut_ratio must be at least 1, got 0.5"),
        ({"detector": {"box_threshold": 7}}, r"detector.box_threshold must be in \[0, 1\], got 7"),
        ({"detector.names_per_caption": 0}, "detector.names_per_caption must be 1 or more"),
        ({"sampling.points": 0}, "sampling.points must be at least 1"),
        ({"region_side": 3}, "region_side must be at least 32 pixels, got 3"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"merge.seam": 0.1, "merge": {"seam": 0.1}}, "merge.seam is given twice"),
    ],
)
def test_what_is_wrong_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=f"^mine: .*{message}"):
        Settings().changed(changes, "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is none at"),
        ("video: [", "mine.yaml: it is not YAML"),
        ("- 1", "expected settings, such as 'seed: 1', got list"),
        ("seed: 1\nseed: 2", "mine.yaml: 'seed' is there twice"),
        ("merge: {seam: 1, seam: 2}", "mine.yaml: 'seam' is there twice"),
        ("seed: 2026-13-45", "mine.yaml: it is not YAML: month must be"),
        ("video:\n  detect_evry: 2", "mine.yaml: there is no setting 'video.detect_evry'"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        Settings.load(path)


def test_an_empty_file_changes_nothing(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("# nothing\n", encoding="utf-8")
    assert Settings.load(path) == Settings()


def test_later_layers_go_before_earlier_ones():
    preset = {"detector.box_threshold": 0.2, "detector.text_threshold": 0.2}
    found = resolve([("preset demo", preset), ("mine.yaml", {"detector": {"box_threshold": 0.3}})])
    assert found.settings.detector.box_threshold == 0.3
    assert found.settings.detector.text_threshold == 0.2
    assert found.origin["detector.box_threshold"] == "mine.yaml"
    assert found.origin["detector.text_threshold"] == "preset demo"
    assert found.origin["seed"] == "default"
    assert found.origin.keys() == keys_of(Settings).keys()


def test_settings_may_be_given_in_several_ways(tmp_path):
    settings = Settings().changed({"seed": 3})
    path = settings.save(tmp_path / "settings.yaml")
    for given in (settings, {"seed": 3}, path, str(path)):
        assert resolve([layer_of(given)]).settings == settings
    with pytest.raises(ValueError, match=r"or the path of a YAML file, got int"):
        layer_of(3)


def test_the_reasons_stand_in_the_file():
    text = to_yaml(Settings())
    reason = keys_of(Settings)["video.cut_ratio"].reason
    written = " ".join(line.strip().removeprefix("# ") for line in text.splitlines())
    assert reason in written
    assert (
        textwrap.dedent("""\
        video:
          # Look for the words again""")
        in text
    )
