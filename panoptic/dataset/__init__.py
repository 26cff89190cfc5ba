"""Batch labelling of data sets: sources in, a resumable folder of labels out, then any format."""
