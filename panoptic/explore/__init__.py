"""Words and levels tried on one picture: what is kept, how it is drawn, and the notebook's widget.

The app's tab *Try* and ``pipeline.explore`` stand on it; ``static/`` has what their pages share.
"""

from panoptic.explore.explorer import Explorer, Level, levels_of

__all__ = ["Explorer", "Level", "levels_of"]
