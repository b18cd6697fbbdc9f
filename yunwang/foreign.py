"""Sentences that are not ours: what the system, Python and the parsers say is recognised, so that it can be translated.

In English they stay as they are. A sentence that nobody knows here stays as it is in Chinese too: better foreign words
than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

SYSTEM_TEMPLATES = (  # strerror(3)
    "[Errno {number}] {reason}: {path}",
    "[Errno {number}] {reason}",
    "No such file or directory",
    "Permission denied",
    "Operation not permitted",
    "Is a directory",
    "Not a directory",
    "Directory not empty",
    "File exists",
    "File name too long",
    "File too large",
    "Read-only file system",
    "No space left on device",
    "Disk quota exceeded",
    "Input/output error",
    "Invalid argument",
    "Too many open files",
    "Too many levels of symbolic links",
    "Device or resource busy",
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "Broken pipe",
    "Address already in use",
    "Cannot assign requested address",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "No route to host",
    "Network is unreachable",
    "Name or service not known",
    "Temporary failure in name resolution",
    "timed out",
)
TEXT_TEMPLATES = (  # codecs and csv
    "'{codec}' codec can't decode byte {byte} in position {position}: {reason}",
    "'{codec}' codec can't decode bytes in position {position}: {reason}",
    "invalid start byte",
    "invalid continuation byte",
    "unexpected end of data",
    "illegal multibyte sequence",
    "incomplete multibyte sequence",
    "'{sign}' expected after '{other}'",
    "field larger than field limit ({limit})",
    "line contains NUL",
    "new-line character seen in unquoted field - do you need to open the file with newline=''?",
    "embedded null byte",
)
JSON_TEMPLATES = (  # json and orjson
    "{reason}: line {line} column {column} (char {position})",
    "Expecting value",
    "Expecting ',' delimiter",
    "Expecting ':' delimiter",
    "Expecting property name enclosed in double quotes",
    "Extra data",
    "Unterminated string starting at",
    "Invalid control character at",
    "unexpected character",
    "unexpected content after document",
    "unexpected end of hex escape",
    "trailing comma is not allowed",
    "Input is a zero-length, empty document",
    "str is not valid UTF-8: surrogates not allowed",
)
TOML_TEMPLATES = (
    "{reason} (at line {line}, column {column})",
    "{reason} (at end of document)",
    "Expected '=' after a key in a key/value pair",
    "Expected ']' at the end of a table declaration",
    "Expected ']]' at the end of an array declaration",
    "Expected newline or end of document after a statement",
    "Invalid statement",
    "Invalid value",
    "Invalid initial character for a key part",
    "Invalid date or datetime",
    "Invalid hex value",
    "Unterminated string",
    "Unclosed array",
    "Unclosed inline table",
    "Unescaped '\\' in a string",
    "Illegal character {sign}",
    "Cannot overwrite a value",
    "Cannot declare {name} twice",
    "Cannot mutate immutable namespace {name}",
    "Duplicate inline table key {name}",
)
YAML_TEMPLATES = (  # libyaml and PyYAML
    "mapping values are not allowed in this context",
    "mapping values are not allowed here",
    "block sequence entries are not allowed in this context",
    "block mapping entries are not allowed in this context",
    "could not find expected ':'",
    "did not find expected key",
    "did not find expected '-' indicator",
    "did not find expected node content",
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}}'",
    "did not find expected <document start>",
    "did not find expected alphabetic or numeric character",
    "found character that cannot start any token",
    "found unexpected end of stream",
    "found undefined alias",
    "found unknown escape character",
    "found a tab character where an indentation space is expected",
    "found a tab character that violates indentation",
    "found incompatible YAML document",
    "control characters are not allowed",
    "invalid leading UTF-8 octet",
    "invalid trailing UTF-8 octet",
    "but found another document",
)
DATABASE_TEMPLATES = (  # SQLite
    "database is locked",
    "file is not a database",
    "database disk image is malformed",
    "attempt to write a readonly database",
    "unable to open database file",
    "disk I/O error",
    "database or disk is full",
)
RULE_TEMPLATES = (  # why a Sigma rule cannot be run: our loader and pySigma
    "not readable as YAML: {reason}",
    "not a valid rule: {reason}",
    "not a rule: the document is no mapping",
    "neither detection nor correlation",
    "listens to a rule that is not run, or to itself",
    "the same id as {path}",
    "refers to '{name}', which is no rule here",
    "the condition is nested too deeply",
    "the condition is nested deeper than {levels} levels",
    "a count over several fields",
    "a placeholder without values",
    "a keyword that every event holds",
    "a temporal correlation with a boolean condition",
    "a count condition {name}: it would fire on what did not happen",
    "correlation type {name}",
    "comparison {name}",
    "no samples beside the rule",
    "no {kind} sample",
    "fired on {times} of {events} events",
    "name it CASE.hit.jsonl or CASE.miss.jsonl, after the rule's name where there are several",
    "Detection '{name}' not defined in detections",
    "Detection is empty",
    "No detections defined in Sigma rule",
    "Sigma rule must have a title",
    "Sigma rule must have a log source",
    "Sigma rule must have a detection definitions",
    "Sigma rule must contain at least one condition",
    "Sigma log source can't be empty",
    "Sigma rule identifier must be an UUID",
    "Sigma rule {field} must be a string",
    "Sigma rule {field} must be a list",
    "Sigma rule tags must be a list of strings",
    "Sigma correlation rule without {part}",
    "Timespan '{span}' is invalid.",
    "Unknown modifier {name}",
    "'{name}' is not a valid Sigma rule level",
    "'{name}' is not a valid Sigma rule status",
    '{context} in "{source}", line {line}, column {column}',
    "An error occurred while trying to deserialize evtx stream.: {detail}",
)
TLS_TEMPLATES = (  # OpenSSL: why a certificate or a handshake is refused
    "certificate has expired",
    "certificate is not yet valid",
    "certificate revoked",
    "unsuitable certificate purpose",
    "invalid CA certificate",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
    "certificate signature failure",
    "hostname mismatch",
    "IP address mismatch",
    "unable to get certificate CRL",
    "CRL has expired",
    "CRL signature failure",
    "peer did not return a certificate",
    "no shared cipher",
    "unsupported protocol",
    "wrong version number",
    "http request",
    "packet length too long",
    "no suitable key share",
    "no suitable signature algorithm",
    "end of file",
)
NETWORK_TEMPLATES = (  # keystoneauth
    "Unable to establish connection to {url}: {detail}",
    "Request to {url} timed out",
)
TYPER_TEMPLATES = (  # headings and remarks of --help; typer asks gettext for them, click does not
    "Usage: ",
    "Arguments",
    "Options",
    "Commands",
    "Show this message and exit.",
    "required",
    "default: {default}",
)
_FIELD = re.compile(r"\\\{(\w+)\\\}")


def recognise(sentence: str) -> tuple[str, Mapping[str, str]] | None:
    """The template that a foreign sentence was made of, with its values; None if nobody knows it."""
    for template, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match:
            return template, match.groupdict()
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((template, re.compile(_expression(template), re.DOTALL)) for template in _with_values())


def _with_values() -> Iterator[str]:
    """Those that the catalogue cannot find by themselves."""
    known = (
        SYSTEM_TEMPLATES, TEXT_TEMPLATES, JSON_TEMPLATES, TOML_TEMPLATES, YAML_TEMPLATES, RULE_TEMPLATES,
        NETWORK_TEMPLATES,
    )  # fmt: skip
    return (one for templates in known for one in templates if "}" in one)


def _expression(template: str) -> str:
    """``{{`` and ``}}`` stand for one brace, as in the template; a field takes as little as it can."""
    return _FIELD.sub(r"(?P<\1>.+?)", re.escape(template)).replace(r"\{\{", r"\{").replace(r"\}\}", r"\}")
