"""Raw payloads -> events with ECS names."""

from soc.parse.raw import Raw, UnparsableError
from soc.parse.registry import FORMATS, PARSERS, Parser, parse

__all__ = ["FORMATS", "PARSERS", "Parser", "Raw", "UnparsableError", "parse"]
