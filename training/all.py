"""Trains all demo models, one after the other: ``python -m training.all --export-to FOLDER``.

Each part is also a command of its own, with the same options; this one fetches the artwork first
and passes options such as ``--device cuda --workers 8`` on to all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PARTS = ("clipseg", "grounding_dino_backbone", "grounding_dino", "sam2")
STEPPING_STONES = ("grounding_dino_backbone",)  # not shipped themselves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export-to", type=Path, help="folder for the finished models")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments, options = parser.parse_known_args()
    subprocess.run([sys.executable, "-m", "training.artwork"], check=True)
    for part in arguments.parts:
        command = [sys.executable, "-m", f"training.{part}", *options]
        if arguments.export_to is not None and part not in STEPPING_STONES:
            command += ["--export", str(arguments.export_to / part)]
        print(" ".join(command[1:]), flush=True)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
