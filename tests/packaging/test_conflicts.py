"""Packages of other distributions, and files of the user's, under the names of ours."""

import zipfile

import pytest

from panoptic_anything import PACKAGES, __version__
from tests.packaging.conftest import make_wheel

IMPORT = ("-c", "import panoptic; print(panoptic.__version__)")
AGAIN = "pip install --force-reinstall --no-deps panoptic-anything"


def error(done) -> str:
    """What a failed import or command has to say, without the way to it."""
    assert done.returncode != 0, done.stdout
    return done.stderr.strip().splitlines()[-1]


def test_alone_it_imports(environment, wheel):
    environment.unpack(wheel)
    done = environment.python(*IMPORT)
    assert (done.stdout, done.stderr) == (f"{__version__}\n", "")


def test_a_second_install_over_the_other_project(environment, wheel, theirs):
    environment.unpack(theirs)
    environment.unpack(wheel)
    for command in (IMPORT, ("-m", "panoptic_anything", "--version")):
        said = error(environment.python(*command))
        assert f"{environment.packages} also holds the distribution 'panoptic' 1.0.0" in said
        assert f"pip uninstall panoptic, then {AGAIN}" in said


def test_the_other_project_installed_over_ours(environment, wheel, theirs):
    """Its ``__init__`` is what Python finds: only a command of ours can say something."""
    environment.unpack(wheel)
    environment.unpack(theirs)
    assert "cannot import name" in error(
        environment.python("-c", "from panoptic import PanopticPipeline")
    )
    done = environment.python("-m", "panoptic_anything", "models")
    assert done.returncode == 2
    assert error(done).startswith(f"panoptic: error: {environment.packages} also holds")


def test_the_advice_helps(environment, wheel, theirs):
    """By pip, the commands and all, to the letter of the message."""
    environment.pip("install", "--no-index", "--no-deps", wheel)
    environment.pip("install", "--no-index", "--no-deps", theirs)
    commands = environment.folder / "bin"
    assert "panoptic.cli import cli" in (commands / "panoptic").read_text()
    assert f"pip uninstall panoptic, then {AGAIN}" in error(
        environment.python(commands / "panoptic-anything", "models")
    )
    environment.pip("uninstall", "--yes", "panoptic")
    # Theirs took with it what it had overwritten.
    done = environment.python("-m", "panoptic_anything")
    assert "panoptic/__init__.py is missing from panoptic-anything: " + AGAIN in error(done)
    environment.pip("install", "--force-reinstall", "--no-index", "--no-deps", wheel)
    assert environment.python(*IMPORT).stdout == f"{__version__}\n"
    for name in ("panoptic", "panoptic-anything"):
        done = environment.python(commands / name, "--version")
        assert (done.stdout, done.stderr) == (f"panoptic-anything {__version__}\n", "")


def test_ours_under_its_old_name_is_not_in_the_way(environment, wheel, tmp_path):
    summary = "Zero-shot panoptic labelling of images and video: Grounding DINO, CLIPSeg and SAM 2"
    environment.unpack(make_wheel(tmp_path, "panoptic", {"panoptic/old.py": ""}, "0.1.0", summary))
    environment.unpack(wheel)
    assert environment.python(*IMPORT).stdout == f"{__version__}\n"


def test_the_other_project_in_an_environment_behind_this_one(environment, wheel, theirs, tmp_path):
    """As with packages of the system that a virtual environment also sees: ours come first."""
    environment.unpack(wheel)
    system = tmp_path / "system"
    zipfile.ZipFile(theirs).extractall(system)
    (environment.packages / "zz-system.pth").write_text(f"{system}\n")
    assert environment.python(*IMPORT).stdout == f"{__version__}\n"


def test_an_editable_install_that_the_other_project_hides(environment, checkout, theirs):
    environment.pip("install", "--no-index", "--no-deps", "--no-build-isolation", "-e", checkout)
    assert environment.python(*IMPORT).stdout == f"{__version__}\n"
    environment.unpack(theirs)
    said = error(environment.python(environment.folder / "bin" / "panoptic", "models"))
    again = f"pip install --force-reinstall --no-deps -e {checkout}"
    assert f"pip uninstall panoptic, then {again}" in said


def test_a_checkout_beside_the_other_project(environment, checkout, theirs):
    assert environment.python(*IMPORT, cwd=checkout).stdout == f"{__version__}\n"
    environment.unpack(theirs)
    said = error(environment.python(*IMPORT, cwd=checkout))
    assert f"{environment.packages} also holds the distribution 'panoptic' 1.0.0" in said


@pytest.mark.parametrize("package", PACKAGES[1:])
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_a_file_of_the_users_hides_a_package(environment, wheel, tmp_path, package, file):
    environment.unpack(wheel)
    project = tmp_path / "project"
    path = project / file.format(package)
    path.parent.mkdir(parents=True)
    path.write_text("")
    script = project / "label.py"
    script.write_text(IMPORT[1])
    for done in (environment.python(script), environment.python(*IMPORT, path=project)):
        said = error(done)
        assert f"its own package {package!r}, {environment.packages}/{package}/__init" in said
        assert f"but Python finds {path}: rename it, or take its folder from" in said


def test_a_module_of_that_name_is_already_there(environment, wheel, tmp_path):
    environment.unpack(wheel)
    (tmp_path / "prompts.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import prompts; del sys.path[0]\n"
    assert f"Python finds {tmp_path}/prompts.py" in error(
        environment.python("-c", code + IMPORT[1])
    )


@pytest.mark.parametrize("package", PACKAGES[1:])
def test_another_distribution_overwrites_a_package(environment, wheel, tmp_path, package):
    environment.unpack(wheel)
    files = {f"{package}/__init__.py": "answer = 42\n"}
    environment.unpack(make_wheel(tmp_path, "fine_tools", files))
    said = error(environment.python(*IMPORT))
    assert f"{environment.packages}/{package}/__init__.py doesn't say that it is part of" in said
    assert f"pip uninstall fine_tools, then {AGAIN}" in said


def test_another_distribution_hides_a_package(environment, checkout, tmp_path):
    """An editable install's packages are found after those that are installed whole."""
    environment.pip("install", "--no-index", "--no-deps", "--no-build-isolation", "-e", checkout)
    environment.unpack(make_wheel(tmp_path, "fine_tools", {"detectors.py": "answer = 42\n"}))
    said = error(environment.python(*IMPORT))
    assert f"but Python finds {environment.packages}/detectors.py: pip uninstall fine_tools" in said


def test_a_folder_without_code_is_not_in_the_way(environment, wheel, tmp_path):
    """``prompts/`` with text files, beside a script: Python prefers packages with an __init__."""
    environment.unpack(wheel)
    (tmp_path / "prompts").mkdir()
    assert environment.python(*IMPORT, path=tmp_path).stdout == f"{__version__}\n"


def test_a_package_is_missing(environment, wheel):
    environment.unpack(wheel)
    (environment.packages / "sam2core" / "__init__.py").unlink()
    said = error(environment.python(*IMPORT))
    assert f"sam2core/__init__.py is missing from panoptic-anything: {AGAIN}" in said
