import subprocess
import sys


def test_the_packages_import_quickly_without_the_heavy_ones():
    heavy = ["torch", "transformers", "supervision", "scipy", "yaml"]
    code = f"import sys, prompts, detectors; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
