"""Every level and switch, one frozen dataclass a stage, each with its unit and its reason."""
