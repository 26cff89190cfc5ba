"""How the bundled demo weights were made."""
