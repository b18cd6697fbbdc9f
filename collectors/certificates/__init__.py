"""Certificates on their way to their end (证书到期): looked at once an hour, told when something changes."""

from __future__ import annotations

from collectors.certificates.changes import Fault, Sighting
from collectors.certificates.watch import Watch, watch_forever

__all__ = ["Fault", "Sighting", "Watch", "watch_forever"]
