"""Detectors: where the words are in the picture, as boxes (things) and heatmaps (stuff)."""
