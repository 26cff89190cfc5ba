"""Zero-shot panoptic labelling of images and video."""
