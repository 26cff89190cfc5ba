import pytest
import torch
from torch import nn

from training.log import read_log
from training.loop import Settings, Trainer, parameter_groups, rate_at

WANTED = torch.tensor([1.0, -2.0, 0.5])


class LineTask:
    """Learns a line, with dropout so that the random state matters too."""

    name = "line"

    def build(self):
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.1), nn.Linear(8, 1))

    def draw(self, seed):
        return torch.randn(3, generator=torch.Generator().manual_seed(seed))

    def collate(self, samples, rng, step):
        x = torch.stack(samples)
        return {"x": x, "y": x @ WANTED}

    def loss(self, model, batch, step):
        error = (model(batch["x"])[:, 0] - batch["y"]).square().mean()
        return error, {"error": error}

    def evaluate(self, model):
        x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
        return {"error": float((model(x)[:, 0] - x @ WANTED).square().mean())}


def settings(**changes):
    return Settings(
        **{"steps": 40, "warmup_steps": 5, "log_steps": 10, "workers": 0, "learning_rate": 0.02}
        | changes
    )


def state(trainer):
    return {
        **{f"model.{k}": v for k, v in trainer.model.state_dict().items()},
        **{f"averaged.{k}": v for k, v in trainer.averaged.state_dict().items()},
    }


class StopAt(LineTask):
    """Asks its trainer to stop at a step, as SIGTERM does."""

    def __init__(self, step):
        self.step = step

    def loss(self, model, batch, step):
        if step + 1 == self.step:
            self.trainer._stop(15, None)
        return super().loss(model, batch, step)


def test_a_run_that_was_broken_and_resumed_equals_one_that_was_not(tmp_path):
    whole = Trainer(LineTask(), settings(), tmp_path / "whole")
    whole.run()

    stopping = StopAt(17)
    first = Trainer(stopping, settings(), tmp_path / "broken")
    stopping.trainer = first
    first.run()
    assert first.step == 17
    torch.manual_seed(99)
    second = Trainer(LineTask(), settings(seed=0), tmp_path / "broken")
    second.resume()
    second.run()

    assert second.step == 40
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(second)[name]), name
    steps = [line["step"] for line in read_log(tmp_path / "broken" / "log.jsonl")]
    assert steps == [10, 20, 30, 40, 40]


def test_training_lowers_the_loss_and_keeps_a_log_and_a_curve(tmp_path):
    trainer = Trainer(LineTask(), settings(steps=150), tmp_path)
    before = trainer.evaluate()["error"]
    trainer.run()
    lines = read_log(tmp_path / "log.jsonl")
    assert lines[-1]["metrics"]["error"] < 0.2 * before
    assert lines[0]["loss"] > 2 * lines[-2]["loss"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_average_trails_the_weights(tmp_path):
    trainer = Trainer(LineTask(), settings(average=0.9), tmp_path)
    trainer.run()
    ours, theirs = trainer.averaged[0].weight, trainer.model[0].weight
    assert not torch.equal(ours, theirs)
    assert torch.allclose(ours, theirs, atol=0.2)


def test_rates_warm_up_and_fall_to_the_final_rate():
    some = settings(warmup_steps=10, learning_rate=1.0, final_rate=0.1)
    assert rate_at(some, 0, 0.0) == pytest.approx(0.1)
    assert rate_at(some, 9, 0.0) == pytest.approx(1.0)
    assert rate_at(some, 50, 0.5) == pytest.approx(0.55)
    assert rate_at(some, 99, 1.0) == pytest.approx(0.1)


def test_only_matrices_decay():
    model = nn.ModuleDict({"table": nn.Embedding(4, 3), "line": nn.Linear(3, 2)})
    decayed, free = parameter_groups(model, 0.1)
    assert [p.shape for p in decayed["params"]] == [(2, 3)]
    assert sorted(tuple(p.shape) for p in free["params"]) == [(2,), (4, 3)]
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_a_run_needs_one_budget():
    with pytest.raises(ValueError, match="either steps or minutes"):
        Settings()
    with pytest.raises(ValueError, match="either steps or minutes"):
        Settings(steps=1, minutes=1)


class Broken(LineTask):
    def loss(self, model, batch, step):
        loss, parts = super().loss(model, batch, step)
        return loss * float("nan"), parts


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(RuntimeError, match="not finite at step 0"):
        Trainer(Broken(), settings(), tmp_path).run()
