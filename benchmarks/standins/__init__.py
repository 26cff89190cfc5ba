"""Models made of the truth, with the errors of public ones as dials: detectors, heatmaps, masks."""
