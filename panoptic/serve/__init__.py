"""``panoptic serve``: labels over HTTP, for programs and for Label Studio (docs/serve.md)."""
