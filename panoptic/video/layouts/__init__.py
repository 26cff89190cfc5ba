"""Files in the layouts of video data sets: one module a layout, readers and writers."""

# What ``panoptic.video.folders.evaluate_folders`` can compare.
LAYOUTS = ("vipseg", "davis", "davis-unsupervised", "sa-v")
