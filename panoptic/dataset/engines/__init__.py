"""Who does the work: processes on this machine, or a cluster."""

from __future__ import annotations
