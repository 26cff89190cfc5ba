"""Same weights, same prompts, two implementations: sam2core beside transformers' SAM 2.

``python -m benchmarks.parity`` runs the table; the small configuration of it runs as tests.
"""
