"""Files in the layouts of video data sets: one module a layout, readers and writers."""
