"""What an app needs, loaded before it is forked."""

import contextlib
import io

import torch

import panoptic.app.server
import panoptic.cli
import panoptic.dataset.hand_corrections
import panoptic.dataset.video_corrections
import panoptic.pipeline
import panoptic.video.file_session

torch.set_num_threads(1)  # threads don't survive a fork
with contextlib.redirect_stderr(io.StringIO()):
    panoptic.cli.main(["review", "nowhere"])  # loads what reads a command line
