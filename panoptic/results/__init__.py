"""What labelling gives: id maps, segments, frames, and how they came about."""
