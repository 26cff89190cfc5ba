"""Panoptic video: tracking through a clip, the layouts of data sets, and evaluation."""
