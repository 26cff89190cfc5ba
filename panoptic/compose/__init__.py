"""From masks to one id map: candidates, contest, merge, cleanup, quality."""
