"""What a benchmark says of the memory that a process takes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.lib.host import peak_bytes


def test_a_process_has_a_peak_of_its_own():
    """Not that of the one which started it, which Linux's getrusage gives where it is higher."""
    before = peak_bytes()
    held = b"x" * (2**29 + before)
    assert peak_bytes() >= before + 2**28
    ask = "from benchmarks.lib.host import peak_bytes; print(peak_bytes())"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert int(told.stdout) < len(held)
