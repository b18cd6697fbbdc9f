"""Our own rules: the folders of ``alert_rules``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import alert_rules
from soc.sigma.load import load_rules
from soc.sigma.rule import RuleSet

FOLDER = Path(alert_rules.__file__).parent


@cache
def own_rules() -> RuleSet:
    """All rules that come with the product, read once."""
    return load_rules([FOLDER])
