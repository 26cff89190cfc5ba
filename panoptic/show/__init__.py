"""Results for eyes: overlays, explanations, timelines, tables."""
