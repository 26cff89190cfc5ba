"""The distribution ``panoptic-anything`` as a whole: version, extras, and whether it is whole.

Its packages bear names that others bear too: on PyPI, ``panoptic`` is another project's, and
``detectors`` or ``prompts`` may be anybody's file. pip lets one overwrite the other's files without
a word. This module has the one name that is ours alone, so it is here that the commands begin, and
that ``import panoptic`` has everything looked after. Nothing heavy is imported.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

__version__ = "0.1.0"
NAME = "panoptic-anything"
"""To be found in the docstring of each of the packages: that is how ours are known."""
PACKAGES = ("panoptic", "detectors", "prompts", "sam2core")
_SUMMARY = "Summary: Zero-shot panoptic labelling"
_HERE = os.path.dirname(os.path.abspath(__file__))


def how_to_install(extra: str) -> str:
    """The command that brings what an extra of this distribution stands for."""
    return f"pip install '{NAME}[{extra}]'"


def check() -> None:
    """See to it that Python finds our packages under their names, and not somebody else's.

    Costs a few listings of folders and the reading of four short files. Raises ``ImportError``
    that says which file is in the way and what to do.
    """
    folder, version = _other_panoptic()
    if folder:
        raise ImportError(
            f"{folder} also holds the distribution 'panoptic' {version}, which is another "
            f"project's. It and {NAME} install a package and a command of the same name, and "
            f"overwrite each other's files: {_replace('panoptic')}. To have both, give each an "
            "environment of its own"
        )
    for package in PACKAGES:
        ours = os.path.join(_HERE, package, "__init__.py")
        found = _found(package)
        if not found:
            raise ImportError(f"{ours} is missing from {NAME}: {_reinstall()}")
        if not _same(found, ours):
            raise ImportError(
                f"{NAME} needs its own package {package!r}, {ours}, but Python finds {found}: "
                f"{_make_way(package, found)}"
            )
        if not _says_it_is_ours(found):
            raise ImportError(
                f"{found} doesn't say that it is part of {NAME}; something has overwritten it: "
                f"{_make_way(package, found)}"
            )


def main() -> int:
    """The commands ``panoptic`` and ``panoptic-anything``."""
    try:
        check()
    except ImportError as error:
        print(f"panoptic: error: {error}", file=sys.stderr)
        return 2
    from panoptic.cli import main as run

    return run()


def _other_panoptic() -> tuple[str, str]:
    """Folder and version of the other project's distribution in this environment, or "" twice.

    Ours had that name at first: where it is still installed under it, nothing is in the way.
    """
    environment = os.path.join(sys.prefix, "")
    folders = [_HERE, *(path for path in sys.path if path.startswith(environment))]
    for folder in dict.fromkeys(folders):
        try:
            names = os.listdir(folder)
        except OSError:  # a zip archive, or nothing
            continue
        for name in names:
            named = name.startswith("panoptic-") and name.endswith(".dist-info")
            if named and _SUMMARY not in _text(os.path.join(folder, name, "METADATA")):
                return folder, name.removesuffix(".dist-info").removeprefix("panoptic-")
    return "", ""


def _found(package: str) -> str:
    """The file that Python takes, or has taken, for a package; "" if there is none."""
    if package in sys.modules:
        return getattr(sys.modules[package], "__file__", None) or ""
    spec = find_spec(package)
    return (spec.origin if spec else None) or ""


def _same(found: str, ours: str) -> bool:
    if os.path.splitext(found)[0] == os.path.splitext(ours)[0]:  # one may be .pyc
        return True
    try:
        return os.path.samefile(found, ours)
    except OSError:
        return False


def _says_it_is_ours(path: str) -> bool:
    return not path.endswith(".py") or not os.path.isfile(path) or NAME in _text(path)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _make_way(package: str, found: str) -> str:
    """What to do about a file that isn't ours."""
    from importlib.metadata import distributions

    for other in distributions():
        name = other.metadata["Name"]
        theirs = [f for f in other.files or () if f.parts[0] in (package, f"{package}.py")]
        if name != NAME and any(_same(str(other.locate_file(file)), found) for file in theirs):
            return _replace(name)
    if os.path.dirname(os.path.dirname(found)) == _HERE:
        return _reinstall()
    return (
        "rename it, or take its folder from Python's path (a script's own folder comes first, "
        "then PYTHONPATH)"
    )


def _replace(distribution: str) -> str:
    return f"pip uninstall {distribution}, then {_reinstall()}"


def _reinstall() -> str:
    checkout = os.path.isfile(os.path.join(_HERE, "pyproject.toml"))
    what = f"-e {_HERE}" if checkout else NAME
    return f"pip install --force-reinstall --no-deps {what}"


if __name__ == "__main__":
    sys.exit(main())
