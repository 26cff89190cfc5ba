"""Files, pictures and sources: what touches a disk or a network, and nothing of what is in it."""
