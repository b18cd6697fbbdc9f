"""``/api/v1``: the console's lists for programs (CONTRACT §9)."""

from __future__ import annotations

from console.api.app import create_api

__all__ = ["create_api"]
