"""The wheel as it would be published, and environments to put it in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A copy of this repository's files, since building leaves some of its own beside them."""
    folder = tmp_path_factory.mktemp("checkout") / "panoptic"
    leave = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "out", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=leave)
    return folder


@pytest.fixture(scope="session")
def wheel(checkout, tmp_path_factory) -> Path:
    """Built without an index, by the setuptools that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees the packages of this one behind its own."""

    folder: Path

    @property
    def packages(self) -> Path:
        scheme = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", "venv", vars=scheme))

    def python(self, *arguments, cwd=None, path=None) -> subprocess.CompletedProcess[str]:
        """``path`` is what PYTHONPATH is to be."""
        variables = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "PIP"))}
        if path:
            variables["PYTHONPATH"] = str(path)
        command = [self.folder / "bin" / "python", *map(str, arguments)]
        cwd = cwd or self.folder  # not the repository, whose packages would be found first
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)

    def pip(self, *arguments) -> None:
        pytest.importorskip("pip")
        done = self.python("-m", "pip", "--no-cache-dir", "--disable-pip-version-check", *arguments)
        assert done.returncode == 0, done.stderr

    def unpack(self, wheel: Path) -> None:
        """Installs as pip does, commands aside: files that are there are overwritten."""
        with zipfile.ZipFile(wheel) as files:
            files.extractall(self.packages)


@pytest.fixture
def environment(tmp_path) -> Environment:
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    made = Environment(folder)
    behind = sysconfig.get_path(
        "purelib"
    )  # its .pth files, as of our editable install, don't count
    (made.packages / "zz-behind.pth").write_text(behind + "\n")
    return made


def make_wheel(folder: Path, name: str, files: dict[str, str], version="1.0.0", summary="") -> Path:
    """A wheel of somebody else's, with these files."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        f"Summary: {summary or 'Something else'}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD")),
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.fixture
def theirs(tmp_path) -> Path:
    """Laid out like the distribution that is called ``panoptic`` on PyPI: a package, a command."""
    return make_wheel(
        tmp_path,
        "panoptic",
        {
            "panoptic/__init__.py": '__version__ = "1.0.0"\n',
            "panoptic/cli.py": "def cli():\n    print('a gallery of pictures')\n",
            "panoptic/core/__init__.py": "",
            "panoptic-1.0.0.dist-info/entry_points.txt": "[console_scripts]\n"
            "panoptic = panoptic.cli:cli\n",
        },
        summary="Explore and analyze large datasets of images",
    )
