"""Measures of video: VPQ, STQ, J&F and id switches, one a file, all fed frame by frame."""
