"""Readings of one series as columns, and rates back as the oracle's rows."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the oracle and the builders stand beside the tests
