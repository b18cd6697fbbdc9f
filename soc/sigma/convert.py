"""pySigma's parsed rules -> our IR. Its pipelines make Channel and EventID conditions of Windows and Sysmon sources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.pipelines.sysmon.sysmon import sysmon_pipeline
from sigma.pipelines.windows.windows import windows_logsource_pipeline
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.resolver import ProcessingPipelineResolver
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from records.alarms import Level
from soc.sigma.ir import Bound, FieldRef, Node, Not, Op, Parts, Regex, Test, Wild, all_of, any_of, depth
from soc.sigma.regexes import searcher
from soc.sigma.rule import Head, LogSource, Rule
from soc.sigma.text import text

DEEPEST = 40  # levels of a condition; deeper ones are no honest rule and would overflow parsers
_COMPARISONS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_FLAGS = {"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}
_WILDS = {SpecialChars.WILDCARD_MULTI: Wild.MANY, SpecialChars.WILDCARD_SINGLE: Wild.ONE}


class NotSupportedError(Exception):
    """A rule asks for something that this engine does not do; the text says what."""


@cache
def pipeline() -> ProcessingPipeline:
    """Sysmon's event ids first, then Windows channels."""
    found = {"sysmon": sysmon_pipeline(), "windows": windows_logsource_pipeline()}
    return ProcessingPipelineResolver(found).resolve(list(found))


def convert_rule(document: Mapping[str, Any], path: str = "") -> Rule:
    """One detection rule; raises NotSupportedError with the reason."""
    try:
        parsed = SigmaRule.from_dict({**document, "detection": _known_modifiers(document["detection"])})
        declared = _logsource(parsed)
        pipeline().apply(parsed)
        condition = any_of([_node(one.parsed) for one in parsed.detection.parsed_condition])
        head = head_of(document, parsed, path)
    except (SigmaError, RecursionError) as error:
        raise NotSupportedError(str(error) or "the condition is nested too deeply") from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:  # pySigma on documents that are no rule at all
        raise NotSupportedError(f"not a valid rule: {error}") from error
    if depth(condition) > DEEPEST:
        raise NotSupportedError(f"the condition is nested deeper than {DEEPEST} levels")
    return Rule(head=head, logsource=_logsource(parsed), declared=declared, condition=condition)


def _known_modifiers(part: Any) -> Any:
    """``utf16le`` of the Sigma specification is pySigma's ``wide``."""
    if isinstance(part, dict):
        return {
            key.replace("|utf16le", "|wide") if isinstance(key, str) else key: _known_modifiers(value)
            for key, value in part.items()
        }
    return [_known_modifiers(one) for one in part] if isinstance(part, list) else part


def _logsource(rule: SigmaRule) -> LogSource:
    source = rule.logsource
    return LogSource(product=source.product, category=source.category, service=source.service)


def head_of(document: Mapping[str, Any], parsed: Any, path: str) -> Head:
    """What detections and correlations carry alike; ``yunwang:`` holds our own keys."""
    own = document.get("yunwang") or {}
    tags = [str(tag) for tag in parsed.tags]
    name = document.get("name")
    return Head(
        id=str(parsed.id or name or parsed.title),
        title=str(parsed.title),
        level=Level(str(parsed.level)) if parsed.level else Level.MEDIUM,
        name=str(name) if name else None,
        title_zh=own.get("title_zh"),
        attack=tuple(tag.removeprefix("attack.").upper() for tag in tags if _is_technique(tag)),
        path=path,
        suppress_seconds=int(own.get("suppress_seconds", 3600)),
        alert=own.get("alert") is not False,
    )


def _is_technique(tag: str) -> bool:
    code = tag.removeprefix("attack.")
    return code != tag and code[:1] in {"t", "T"} and code[1:2].isdigit()


def _node(item: Any) -> Node:
    if isinstance(item, ConditionAND):
        return all_of([_node(one) for one in item.args])
    if isinstance(item, ConditionOR):
        return any_of([_node(one) for one in item.args])
    if isinstance(item, ConditionNOT):
        return Not(_node(item.args[0]))
    if isinstance(item, ConditionFieldEqualsValueExpression):
        return _value(item.field, item.value)
    if isinstance(item, ConditionValueExpression):
        return _value(None, item.value)
    kind = item.__class__.__name__ if isinstance(item, ConditionItem) else type(item).__name__
    raise NotSupportedError(f"condition item {kind}")


def _value(name: str | None, value: SigmaType) -> Node:
    if isinstance(value, SigmaExpansion):
        return any_of([_value(name, one) for one in value.values])
    if isinstance(value, SigmaString):
        return _string(name, value, cased=isinstance(value, SigmaCasedString))
    if isinstance(value, SigmaTimestampPart):
        raise NotSupportedError(f"timestamp part {value.timestamp_part.name.lower()}")
    if isinstance(value, SigmaNumber):
        return Test(name, Op.EQUAL, text(value.number))
    if isinstance(value, SigmaBool):
        return Test(name, Op.EQUAL, text(value.boolean))
    if isinstance(value, SigmaRegularExpression):
        return Test(name, Op.REGEX, _regex(value))
    if name is not None:
        return _of_field(name, value)
    raise NotSupportedError(f"keyword of type {type(value).__name__}")


def _of_field(name: str, value: SigmaType) -> Node:
    if isinstance(value, SigmaNull):
        return Test(name, Op.NULL)
    if isinstance(value, SigmaExists):
        return Test(name, Op.EXISTS if value.exists else Op.NULL)
    if isinstance(value, SigmaCIDRExpression):
        return Test(name, Op.CIDR, str(value.network))
    if isinstance(value, SigmaCompareExpression):
        return Test(name, Op.COMPARE, Bound(_comparison(value.op.name), value.number.number))
    if isinstance(value, SigmaFieldReference):
        op = Op.STARTS if value.starts_with else Op.ENDS if value.ends_with else Op.EQUAL
        return Test(name, Op.FIELD, FieldRef(value.field, op))
    raise NotSupportedError(f"value of type {type(value).__name__}")


def _comparison(name: str) -> str:
    if name not in _COMPARISONS:
        raise NotSupportedError(f"comparison {name}")
    return _COMPARISONS[name]


def _regex(value: SigmaRegularExpression) -> Regex:
    found = Regex(str(value.regexp), "".join(sorted(_FLAGS[flag.name] for flag in value.flags)))
    searcher(found)  # ValueError here and not at the first event
    return found


def _string(name: str | None, value: SigmaString, *, cased: bool) -> Test:
    parts = _joined(tuple(_part(part) for part in value.s))
    if name is None:
        return _keyword(parts, cased=cased)
    op, operand = _shape(parts)
    return Test(name, op, operand, cased and op is not Op.EXISTS)


def _part(part: object) -> str | Wild:
    if isinstance(part, SpecialChars):
        return _WILDS[part]
    if not isinstance(part, str):
        raise NotSupportedError("a placeholder without values")
    return part


def _joined(parts: Parts) -> Parts:
    """Neighbouring texts as one, runs of ``*`` as one."""
    found: list[str | Wild] = []
    for part in parts:
        if found and isinstance(part, str) and isinstance(found[-1], str):
            found[-1] += part
        elif not (found and part is Wild.MANY and found[-1] is Wild.MANY) and part != "":
            found.append(part)
    return tuple(found)


def _shape(parts: Parts) -> tuple[Op, str | Parts | None]:
    starts, ends = parts[:1] == (Wild.MANY,), len(parts) > 1 and parts[-1] is Wild.MANY
    inner = parts[1 if starts else 0 : -1 if ends else None]
    if not parts:
        return Op.EQUAL, ""
    if not inner:
        return Op.EXISTS, None
    if len(inner) == 1 and isinstance(inner[0], str):
        return _OPS[starts, ends], inner[0]
    return Op.WILD, parts


_OPS = {(False, False): Op.EQUAL, (True, True): Op.CONTAINS, (True, False): Op.ENDS, (False, True): Op.STARTS}


def _keyword(parts: Parts, *, cased: bool) -> Test:
    inner = parts[1 if parts[:1] == (Wild.MANY,) else 0 : -1 if parts[-1:] == (Wild.MANY,) else None]
    if not inner:
        raise NotSupportedError("a keyword that every event holds")
    if len(inner) == 1 and isinstance(inner[0], str):
        return Test(None, Op.CONTAINS, inner[0], cased)
    return Test(None, Op.WILD, inner, cased)
