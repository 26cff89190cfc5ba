"""SAM 2: masks from prompts, and masks through a video from memory."""
