"""The demo province as data: ``province.yaml``, written by ``generate.py``."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("province.yaml")
