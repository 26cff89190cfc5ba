import subprocess
import sys


def test_import_panoptic_is_quick():
    """Without torch, transformers and the rest, which take seconds."""
    code = "import panoptic, sys; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_names_are_found_when_they_are_used():
    import panoptic

    assert panoptic.PanopticPipeline.__name__ == "PanopticPipeline"
    assert panoptic.Vocabulary.parse("car; road").things[0].name == "car"
    assert "PanopticSegmentation" in dir(panoptic)
