"""What a refusal tells: people act on the words, so tests compare them."""

from __future__ import annotations

import pytest

from records.errors import UserError


def told(refused: pytest.ExceptionInfo[UserError]) -> tuple[str, str]:
    """What is wrong, and the next step."""
    problem = refused.value.problems[0]
    return problem.text(), problem.advice()
