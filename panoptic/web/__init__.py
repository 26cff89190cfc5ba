"""What both web servers are made of, the app's and ``panoptic serve``'s."""
