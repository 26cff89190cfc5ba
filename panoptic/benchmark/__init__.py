"""Public data sets as their papers use them: read as they are published, labelled, evaluated, and
set beside what was published of others. ``panoptic benchmark`` is the door."""
