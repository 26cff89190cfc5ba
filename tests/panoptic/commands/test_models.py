import os
import re

from panoptic.cli import main
from panoptic.presets import PRESETS
from tests.panoptic.commands.shell import in_a_terminal, panoptic


def test_models_are_listed_with_licence_and_place(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in printed
        assert preset.about in printed
        for source in (preset.things, preset.stuff, preset.sam2):
            if name != "demo":
                rows = [line for line in printed.splitlines() if f" {source} " in line]
                assert rows
                assert all(row.endswith(("yes", "no")) for row in rows)
    assert "without the weights" in printed


def test_models_knows_what_is_in_the_cache(tmp_path):
    for number, name in enumerate(("config.json", "model.safetensors")):
        where = tmp_path / "models--facebook--sam2.1-hiera-tiny"
        (where / "refs").mkdir(parents=True, exist_ok=True)
        (where / "refs" / "main").write_text("abc")
        (where / "snapshots" / "abc").mkdir(parents=True, exist_ok=True)
        (where / "snapshots" / "abc" / name).write_text("{}")
        done = panoptic("models", env={**os.environ, "HF_HUB_CACHE": str(tmp_path)})
        rows = [re.split("  +", line.strip()) for line in done.stdout.splitlines()]
        here = {row[2]: row[-1] for row in rows if len(row) == 6}
        assert here["facebook/sam2.1-hiera-tiny"] == ("in part", "yes")[number]
        assert here["facebook/sam2.1-hiera-large"] == "no"
        assert here["in this package"] == "yes"


def test_a_narrow_terminal_breaks_names_and_cuts_none_off():
    code, shown = in_a_terminal("models", columns=70)
    assert code == 0
    assert "…" not in shown
    rows = [line for line in shown.splitlines() if line.rstrip().endswith(("yes", "no"))]
    assert len(rows) >= 3 * len(PRESETS)
    assert all(len(row) <= 70 for row in rows)
