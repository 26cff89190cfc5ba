"""What the wheel holds, and what it says of itself."""

import re
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import panoptic
import panoptic_anything
from panoptic.cli import main
from panoptic_anything import NAME, PACKAGES

ROOT = Path(__file__).parents[2]
INFO = f"panoptic_anything-{panoptic_anything.__version__}.dist-info"


@pytest.fixture(scope="module")
def files(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())


def test_it_holds_the_packages_and_nothing_else(checkout, files):
    code = {
        str(path.relative_to(checkout)) for p in PACKAGES for path in checkout.glob(f"{p}/**/*.py")
    }
    typed = {f"{package}/py.typed" for package in PACKAGES}
    weights = checkout / "panoptic" / "demo" / "weights"
    models = {str(path.relative_to(checkout)) for path in weights.rglob("*") if path.is_file()}
    words = {str(p.relative_to(checkout)) for p in checkout.glob("panoptic/benchmark/words/*.yaml")}
    assert len(words) == 3
    page = {str(p.relative_to(checkout)) for p in checkout.glob("panoptic/app/static/*")}
    assert {"index.html", "app.js", "style.css"} <= {Path(path).name for path in page}
    parts = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
    expected = {
        "panoptic_anything.py",
        *code,
        *typed,
        *models,
        *words,
        *page,
        "panoptic/compose/quality.json",
        *(f"{INFO}/{part}" for part in parts),
    }
    assert files == expected
    assert {Path(path).suffix for path in models} == {".json", ".safetensors"}


def test_it_is_small(wheel):
    assert wheel.stat().st_size < 20 * 2**20


def test_it_says_what_it_is(wheel, metadata):
    assert metadata["Name"] == NAME == "panoptic-anything"
    assert metadata["Version"] == panoptic.__version__ == panoptic_anything.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.10"
    # By which an old install of ours is told from the other project's.
    assert f"Summary: {metadata['Summary']}".startswith(panoptic_anything._SUMMARY)
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"{INFO}/entry_points.txt").decode()
        assert archive.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "\npanoptic = panoptic_anything:main" in commands
    assert "\npanoptic-anything = panoptic_anything:main" in commands


def test_extras_refer_to_this_distribution(metadata):
    required = metadata.get_all("Requires-Dist")
    assert f'{NAME}[demo]; extra == "train"' in required
    assert not [line for line in required if re.match(r"panoptic\b(?!-anything)", line)]


def test_every_advice_to_install_names_this_distribution_and_an_extra_of_it(metadata):
    extras = set(metadata.get_all("Provides-Extra"))
    named, wrong = set(), []
    folders = (*PACKAGES, "benchmarks", "training", "notebooks", "docs")
    texts = [ROOT / "README.md", ROOT / "Makefile"]
    texts += [
        p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in (".py", ".md", ".ipynb")
    ]
    for path in texts:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(rf"{NAME}\[(\w+)\]", text))
        named |= set(re.findall(r"how_to_install\([\"'](\w+)[\"']\)", text))
        named |= set(re.findall(r"_require\(\"\w+\", \"(\w+)\"\)", text))
        wrong += [path for _ in re.findall(r"panoptic\[\w+\]|pip install panoptic(?!-)", text)]
    assert not wrong
    assert {"demo", "train", "ray", "datasets", "groundingdino"} <= named <= extras


def test_the_readme_lists_every_extra_and_the_versions(metadata):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    install = re.search(r"\n## Install\n(.*?)\n## ", text, re.DOTALL).group(1)
    listed = set(re.findall(r"^\| `(\w+)` \|", install, re.MULTILINE))
    assert listed == set(metadata.get_all("Provides-Extra"))
    for package in ("torch", "transformers"):
        (least,) = re.findall(
            rf"^{package}>=([\d.]+)$", "\n".join(metadata.get_all("Requires-Dist")), re.M
        )
        assert f"{package} {least}" in install
    assert "Python 3.10" in install


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "image"]])
def test_the_command_tells_its_version(capsys, arguments):
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"panoptic-anything {panoptic.__version__}\n"
