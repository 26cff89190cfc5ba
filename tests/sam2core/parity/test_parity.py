"""sam2core gives what transformers gives, on weights under which a mistake would show."""

from __future__ import annotations

import json
import math

import pytest
import torch

import sam2core
from benchmarks.parity.__main__ import BENCHMARK
from benchmarks.parity.answers import ClipAnswer
from benchmarks.parity.cases import clip_cases, image_cases
from benchmarks.parity.compare import LOGITS_BOUND, Distance, compare_clips, compare_images
from benchmarks.parity.reference import Reference, published, random_state
from benchmarks.parity.run import check_clip, check_image
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import MINI, SIZES, shape_and_version, transformers_config
from benchmarks.parity.subject import can_stream
from benchmarks.parity.weights import randomise
from sam2core.model import Sam2

SCENE = Scene(MINI.image_size)
IMAGES = {case.name: case for case in image_cases(SCENE)}
CLIPS = {case.name: case for case in clip_cases(SCENE)}


@pytest.mark.parametrize("case", IMAGES)
def test_images(newer, case):
    distance = check_image(IMAGES[case], newer.subject, newer.reference, newer.scene)
    assert distance.failures == []


@pytest.mark.parametrize("case", CLIPS)
def test_clips(newer, case):
    distance = check_clip(CLIPS[case], newer.subject, newer.reference, newer.scene)
    assert distance.failures == []
    assert distance.ties == 0  # in so small a picture no pixel is a matter of noise
    assert not CLIPS[case].absent or 0 < distance.absent < distance.answers


@pytest.mark.parametrize("case", ["mask", "five objects", "prompts ahead"])
def test_clips_of_the_older_version(older, case):
    distance = check_clip(CLIPS[case], older.subject, older.reference, older.scene)
    assert distance.failures == []


@pytest.mark.parametrize("case", ["late object", "more frames than the bank"])
def test_a_stream_gives_the_same_as_a_video(newer, case):
    assert can_stream(CLIPS[case])
    distance = check_clip(CLIPS[case], newer.subject, newer.reference, newer.scene, stream=True)
    assert distance.failures == []


def test_prompts_objects_and_memories_make_a_difference(newer):
    """Else agreement would say nothing."""
    for case in IMAGES.values():
        answers = newer.reference.segment(case, newer.scene)
        logits = torch.stack([answer.logits for answer in answers])
        assert logits.std(dim=0).mean() > 0.05 * logits.std(), case.name
    scores = torch.stack([a.iou for a in newer.reference.segment(IMAGES["multimask"], SCENE)])
    assert (scores.amax(dim=1) - scores.amin(dim=1)).min() > 0.1

    run = newer.reference.track(CLIPS["five objects"], newer.scene)
    predicted = [a for a in run.answers if a.presence > 0 and not a.given]
    std = float(torch.stack([a.logits for a in predicted]).std())
    assert std > 1.0
    effects = run.memory_effect()
    assert min(effects["shift"], effects["swap"]) > 0.05 * std
    signs = [answer.presence > 0 for answer in run.answers]
    assert 3 <= signs.count(False) <= len(signs) / 2


def test_the_reference_agrees_with_itself_much_better_than_asked(newer):
    """Another attention kernel is all that differs: what remains is float noise."""
    other = Reference(MINI, "2.1", newer.state, attention="eager")
    image = IMAGES["previous logits"]
    distance = compare_images(
        other.segment(image, newer.scene), newer.reference.segment(image, newer.scene)
    )
    assert 0 < distance.logits < LOGITS_BOUND / 3
    first = newer.reference.track(CLIPS["late object"], newer.scene)
    second = other.track(CLIPS["late object"], newer.scene, first.answers)
    distance = compare_clips(first.answers, second.answers, second.memory_effect())
    assert 0 < distance.logits < LOGITS_BOUND / 3


def test_random_weights_depend_on_the_seed_and_nothing_else():
    names = random_state(MINI, "2.1")
    state = randomise(names, 3)
    assert {name: tensor.shape for name, tensor in state.items()} == {
        name: tensor.shape for name, tensor in names.items()
    }
    backwards = randomise(dict(reversed(names.items())), 3)
    assert all(torch.equal(state[name], backwards[name]) for name in names)
    other = randomise(names, 4)
    name = "memory_attention.layers.0.cross_attn_image.k_proj.weight"
    assert not torch.allclose(state[name], other[name])
    matrices = [tensor for name, tensor in state.items() if "positional_embedding" in name]
    assert len(matrices) == 2
    assert torch.equal(*matrices)


def test_calibration_changes_the_last_layers_of_the_heads_alone(newer):
    drawn = randomise(random_state(MINI, "2.1"), 0)
    changed = {name for name in drawn if not torch.equal(drawn[name], newer.state[name])}
    assert changed == {
        "mask_decoder.output_hypernetworks_mlps.0.proj_out.weight",
        "mask_decoder.output_hypernetworks_mlps.0.proj_out.bias",
        "mask_decoder.iou_prediction_head.proj_out.bias",
        "mask_decoder.pred_obj_score_head.proj_out.bias",
    }


def test_decisions_fall_both_ways(newer):
    stable, chosen = [], []
    image_decoder, video_decoder = newer.reference.image.mask_decoder, newer.reference.video

    def keep(scores, masks):
        stable.append(bool(scores(masks) >= image_decoder.dynamic_multimask_stability_thresh))
        return scores(masks)

    original = image_decoder._get_stability_scores
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_decoder, "_get_stability_scores", lambda masks: keep(original, masks))
        newer.reference.segment(IMAGES["points ±"], newer.scene)
        newer.reference.segment(IMAGES["box + points"], newer.scene)
    assert 2 <= stable.count(True) <= len(stable) - 2

    hook = video_decoder.mask_decoder.register_forward_hook(
        lambda module, inputs, output: chosen.append(int(output[1].argmax()))
    )
    newer.reference.track(CLIPS["occlusion"], newer.scene)
    hook.remove()
    assert set(chosen) == {0, 1, 2}


def test_the_older_version_has_fewer_weights(newer, older):
    missing = set(newer.state) - set(older.state)
    assert missing == {
        "occlusion_spatial_embedding_parameter",
        "temporal_positional_encoding_projection_layer.weight",
        "temporal_positional_encoding_projection_layer.bias",
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_a_published_size_is_recognised_by_its_configuration(size, version):
    shape = SIZES[size].at(512)
    assert shape_and_version(transformers_config(shape, version)) == (shape, version)


def test_a_saved_model_is_read_by_transformers_as_it_was(newer, tmp_path):
    sam2core.save(newer.subject.model, tmp_path)
    shape, version, state = published(str(tmp_path))
    assert (shape.embed_dim, shape.stages, shape.image_size) == (16, (1, 2, 3, 1), 128)
    assert version == "2.1"
    assert set(state) == set(newer.state)
    assert all(torch.equal(state[name], tensor) for name, tensor in newer.state.items())


def test_the_command_runs_a_saved_model_and_writes_its_rows(newer, tmp_path, capsys):
    sam2core.save(newer.subject.model, tmp_path / "model")
    arguments = ["--checkpoint", str(tmp_path / "model"), "--cases", "multimask", "box"]
    assert BENCHMARK.run([*arguments, "--json", str(tmp_path / "rows.json")]) == 0
    content = json.loads((tmp_path / "rows.json").read_text())
    rows = [(row["kind"], row["case"], row["failures"]) for row in content["numbers"]["rows"]]
    assert rows == [("image", "box", []), ("image", "multimask", []), ("clip", "box", [])]
    assert "CPU" in content["machine"]
    assert capsys.readouterr().out.count("\n| custom 2.1 |") == 3
    assert BENCHMARK.run([*arguments[:2], "--cases", "none"]) == 2


def test_the_command_fails_where_a_bound_is_missed(newer, tmp_path, monkeypatch, capsys):
    sam2core.save(newer.subject.model, tmp_path)
    monkeypatch.setattr(Sam2, "gate", lambda self, prediction: prediction)
    assert BENCHMARK.run(["--checkpoint", str(tmp_path), "--cases", "points"]) == 1
    assert "| **custom 2.1** |" in capsys.readouterr().out


# --- the measure itself, by hand ---

RAMP = torch.linspace(-2, 2, 16).reshape(4, 4)


def answer(logits=RAMP, presence=1.0, iou=0.5, visit=0) -> ClipAnswer:
    return ClipAnswer(visit, 1, logits, iou, presence, given=False)


def test_equal_answers_are_no_distance_apart():
    distance = compare_clips([answer()], [answer()], {"shift": 1.0})
    assert distance == Distance(0.0, 1.0, 0.0, 0.0, answers=1)
    assert distance.failures == []


def test_one_logit_that_differs_counts_in_full():
    changed = RAMP.clone()
    changed[0, 0] += 0.01
    distance = compare_clips([answer(changed)], [answer()], {"shift": 4.0, "swap": 0.5})
    assert distance.logits == pytest.approx(0.01 / float(RAMP.std()), rel=1e-3)
    assert distance.effect == pytest.approx(0.02, rel=1e-3)
    assert distance.iou == 1.0
    assert [text.split()[0] for text in distance.failures] == ["logits", "logits"]


def test_masks_scores_and_presence_count():
    assert compare_clips([answer(-RAMP)], [answer()], {"shift": 1.0}).iou == 0.0
    assert compare_clips([answer(iou=0.6)], [answer()], {"shift": 1.0}).scores == pytest.approx(0.1)
    turned = compare_clips([answer(presence=-0.2)], [answer()], {"shift": 1.0})
    assert turned.scores == pytest.approx(1.2)
    assert turned.failures != []


def test_what_is_not_a_number_is_a_failure():
    broken = compare_clips([answer(RAMP * math.nan)], [answer()], {"shift": 1.0})
    assert len(broken.failures) >= 2


def test_a_case_without_any_predicted_mask_shows_nothing():
    absent = answer(torch.full((4, 4), -1024.0), presence=-1.0)
    assert compare_clips([absent], [absent], {"shift": 1.0}).failures == [
        "logits differ by nan of their std"
    ]


def test_answers_for_other_visits_are_refused():
    with pytest.raises(ValueError, match="different visits"):
        compare_clips([answer(visit=1)], [answer()], {"shift": 1.0})
