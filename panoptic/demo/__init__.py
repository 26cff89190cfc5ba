"""The demo world: emoji pictures over textures, and the models trained on it."""
