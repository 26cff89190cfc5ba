"""Side-by-side measurements, each a command: ``python -m benchmarks.NAME``.

All have the shape of :mod:`benchmarks.lib.frame`; what they share is in :mod:`benchmarks.lib`.
"""
