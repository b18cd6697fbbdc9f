"""What pydantic found wrong, in words of our own: its error types become literal templates that are translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from records.errors import Problem

TEMPLATES: Mapping[str, str] = {
    "missing": "'{key}' is missing",
    "extra_forbidden": "unknown key '{key}'",
    "int_type": "'{key}' must be a whole number, not '{value}'",
    "int_parsing": "'{key}' must be a whole number, not '{value}'",
    "int_parsing_size": "'{key}' is too large a number",
    "int_from_float": "'{key}' must be a whole number, not '{value}'",
    "float_type": "'{key}' must be a number, not '{value}'",
    "float_parsing": "'{key}' must be a number, not '{value}'",
    "finite_number": "'{key}' must be a finite number",
    "decimal_parsing": "'{key}' must be a number, not '{value}'",
    "bool_type": "'{key}' must be true or false, not '{value}'",
    "bool_parsing": "'{key}' must be true or false, not '{value}'",
    "string_type": "'{key}' must be text, not '{value}'",
    "string_too_short": "'{key}' needs at least {min_length} characters",
    "string_too_long": "'{key}' has more than {max_length} characters",
    "string_pattern_mismatch": "'{key}' must match {pattern}, '{value}' does not",
    "literal_error": "'{key}' must be one of {expected}, not '{value}'",
    "enum": "'{key}' must be one of {expected}, not '{value}'",
    "greater_than": "'{key}' must be greater than {gt}, not {value}",
    "greater_than_equal": "'{key}' must be at least {ge}, not {value}",
    "less_than": "'{key}' must be less than {lt}, not {value}",
    "less_than_equal": "'{key}' must be at most {le}, not {value}",
    "list_type": "'{key}' must be a list",
    "tuple_type": "'{key}' must be a list",
    "dict_type": "'{key}' must be a section with keys of its own",
    "model_type": "'{key}' must be a section with keys of its own",
    "model_attributes_type": "'{key}' must be a section with keys of its own",
    "date_parsing": "'{key}' is no date: '{value}'",
    "date_from_datetime_parsing": "'{key}' is no date: '{value}'",
    "datetime_parsing": "'{key}' is no instant: '{value}'",
    "datetime_from_date_parsing": "'{key}' is no instant: '{value}'",
    "json_invalid": "'{key}' is no JSON",
}
"""pydantic's error type to what the reader is told; ``{key}``, ``{value}`` and the bounds of the error's context."""


def _shown(value: object) -> object:
    """As it is written in TOML and JSON: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else value


def problem_of(
    error: Mapping[str, Any], where: str, *, key: str = "", next_step: str = "correct the value", **more: object
) -> Problem:
    """One entry of ``ValidationError.errors()`` as a problem.

    Args:
        error: The entry; an exception that a validator of ours raised speaks for itself.
        where: ``FILE:LINE`` or field.
        key: What the reader calls the value; its path by default.
        next_step: Template of the advice.
        more: Further values of the advice.
    """
    context = dict(error.get("ctx", {}))
    if "expected" in context:  # "'a', 'b' or 'c'"
        context["expected"] = context["expected"].replace(" or ", ", ").replace("'", "")
    said = {"key": key or ".".join(map(str, error["loc"])), "value": _shown(error.get("input")), **context, **more}
    template = TEMPLATES.get(error["type"])
    if template is None:
        raised = error.get("ctx", {}).get("error")
        return Problem("'{key}': {reason}", next_step, where, said | {"reason": str(raised or error["msg"])})
    return Problem(template, next_step, where, said)
