import pytest

from panoptic.benchmark.words import SetWords
from panoptic.cli import main
from tests.panoptic.benchmark.models import models_that_know

SETS = ("coco", "ade20k", "vipseg")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The demo models; what else the sets ask for is in their dictionaries, untrained."""
    phrases = [p for name in SETS for c in SetWords.of(name).vocabulary for p in c.phrases]
    words = [word for phrase in phrases for word in phrase.split()]
    return models_that_know(words, tmp_path_factory.mktemp("models") / "models")


@pytest.fixture
def benchmark(models, tmp_path):
    """Runs the command on a set into the folder "out"; gives the exit code."""

    def run(name, data, *more):
        always = ("--models", models, "--device", "cpu", "--dtype", "float32")
        line = ("benchmark", name, "--data", data, "-o", tmp_path / "out", *always, *more)
        return main(list(map(str, line)))

    return run
