"""A few steps of each detector's training, as the recorded commands make them, on scenes of the
one vendor that every installation has. (SAM 2's own run is in test_sam2.py.)"""

import pytest
import torch

from panoptic.demo.artwork import THING_NAMES, load_artwork
from panoptic.demo.scenes import World
from panoptic.demo.textures import STUFF_NAMES
from training.clipseg import ClipSegTask
from training.grounding_dino import GroundingDinoTask
from training.grounding_dino_backbone import BackboneTask, naming
from training.grounding_dino_model import backbone_of, build_config, build_model
from training.log import read_log
from training.loop import Settings, Trainer
from training.scenes import SceneSource

STEPS = 8
SETTINGS = {"batch_size": 2, "workers": 0, "warmup_steps": 2, "log_steps": 1, "reuse": 1}


def source(side):
    return SceneSource((World(load_artwork(("twemoji",)), seed=0),), side, ((side, side),))


class Quiet:
    """Without the evaluation, which takes longer than the steps; and always the same scenes, so
    that a few steps on them show."""

    def evaluate(self, model):
        return {}

    def draw(self, seed):
        return super().draw(seed % 2)


class QuietClipSeg(Quiet, ClipSegTask): ...


class QuietBackbone(Quiet, BackboneTask): ...


class QuietGroundingDino(Quiet, GroundingDinoTask): ...


MAKERS = {
    "clipseg": lambda: QuietClipSeg(source(192), list(THING_NAMES), list(STUFF_NAMES)),
    "backbone": lambda: QuietBackbone(source(160), list(THING_NAMES)),
    "grounding_dino": lambda: QuietGroundingDino(source(160), list(THING_NAMES)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_short_run_learns_and_resumes_to_the_same(name, tmp_path):
    muon = name != "clipseg"
    settings = Settings(steps=STEPS, muon=muon, **SETTINGS)
    whole = Trainer(MAKERS[name](), settings, tmp_path / "whole")
    start = {k: v.clone() for k, v in whole.model.state_dict().items()}
    whole.run()
    losses = [line["loss"] for line in read_log(tmp_path / "whole" / "log.jsonl") if "loss" in line]
    assert sum(losses[-2:]) < 0.95 * sum(losses[:2])
    moved = [not torch.equal(v, start[k]) for k, v in whole.model.state_dict().items()]
    assert sum(moved) > 0.8 * len(moved)

    class Interrupted(type(MAKERS[name]())):
        def loss(self, model, batch, step):
            if step == STEPS // 2 - 1:
                trainer._stop(15, None)
            return super().loss(model, batch, step)

    task = MAKERS[name]()
    task.__class__ = Interrupted
    trainer = Trainer(task, settings, tmp_path / "halved")
    trainer.run()
    assert trainer.step == STEPS // 2
    resumed = Trainer(MAKERS[name](), settings, tmp_path / "halved")
    resumed.resume()
    resumed.run()
    assert resumed.step == STEPS
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key


def test_the_detector_starts_from_the_backbone_of_the_first_stage(tmp_path):
    task = QuietBackbone(source(160), list(THING_NAMES))
    trainer = Trainer(task, Settings(steps=1, **SETTINGS), tmp_path)
    trainer.save()
    detector = GroundingDinoTask(None, list(THING_NAMES), trainer.checkpoint_path)
    torch.manual_seed(5)
    made = backbone_of(detector.build()).state_dict()
    other = backbone_of(build_model(build_config(len(detector.tokenizer)))).state_dict()
    wanted = trainer.averaged.backbone.state_dict()
    assert all(torch.equal(made[k], wanted[k]) for k in wanted)
    assert any(not torch.equal(other[k], wanted[k]) for k in wanted)
    with pytest.raises(FileNotFoundError, match="grounding_dino_backbone"):
        GroundingDinoTask(None, list(THING_NAMES), tmp_path / "nowhere.pt").build()


def test_every_thing_weighs_the_same_in_naming_and_the_rest_is_no_thing():
    # Three cells of a first thing, named rightly; one of a second, wrongly; one of none, rightly.
    logits = torch.full((1, 5, 3), -20.0)
    logits[0, :3, 0] = logits[0, 3, 0] = logits[0, 4, 2] = 20.0
    owners = torch.tensor([[0, 0, 0, 1, -1]])
    named, nothing = naming(logits, owners, [torch.tensor([0, 1])])
    assert float(named) == pytest.approx(20.0, abs=1e-3)  # 40 and 0, halved
    assert float(nothing) == pytest.approx(0, abs=1e-3)
