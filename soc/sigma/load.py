"""Rule files from a folder, a file or an archive (a SigmaHQ checkout as it is) -> RuleSet."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from records.errors import UserError
from soc.sigma.convert import NotSupportedError, convert_rule
from soc.sigma.correlation import convert_correlation, in_order
from soc.sigma.rule import Correlation, Rule, RuleSet, Unsupported

Source = tuple[str, bytes]  # path, content
SUFFIXES = (".yml", ".yaml")
BIGGEST_FILE = 1_000_000  # bytes; a rule is a few thousand
NOT_RULES = ("exceptions.yml", "info.yml")


class _Loader(yaml.CSafeLoader):
    """Safe YAML that refuses a key given twice: the second would silently replace the first."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
        seen.add(getattr(key, "value", "") if isinstance(key, yaml.ScalarNode) else "")
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_rules(paths: Iterable[Path]) -> RuleSet:
    """All rules below the paths; raises UserError if a path is not there or holds no rule file."""
    return parse_rules(source for path in paths for source in read_sources(path))


def read_sources(path: Path) -> Iterator[Source]:
    """Rule files of a folder, an archive, or the file itself."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.name not in NOT_RULES)
        if not files:
            raise UserError(
                "no rule file (*.yml) below {path}", "name a folder of Sigma rules", where=str(path), path=path
            )
        yield from ((str(one), one.read_bytes()) for one in files)
    elif not path.is_file():
        raise UserError(
            "{path} does not exist", "name a rule file, a folder or an archive of them", where=str(path), path=path
        )
    elif path.suffix in SUFFIXES:
        yield str(path), path.read_bytes()
    else:
        yield from _read_archive(path)


def _read_archive(path: Path) -> Iterator[Source]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = (
                    one
                    for one in archive.infolist()
                    if one.filename.endswith(SUFFIXES) and one.file_size <= BIGGEST_FILE
                )
                yield from (
                    (one.filename, archive.read(one)) for one in names if Path(one.filename).name not in NOT_RULES
                )
            return
        with tarfile.open(path) as archive:
            for one in archive:
                wanted = one.isfile() and one.name.endswith(SUFFIXES) and one.size <= BIGGEST_FILE
                content = archive.extractfile(one) if wanted and Path(one.name).name not in NOT_RULES else None
                if content is not None:
                    yield one.name, content.read()
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(
            "{path} is neither a rule file nor an archive: {reason}",
            "name a .yml file, a folder, a tar or a zip",
            where=str(path),
            path=path,
            reason=error,
        ) from error


def parse_rules(sources: Iterable[Source]) -> RuleSet:
    """Rules of named contents; what cannot be run is listed with the reason."""
    rules: dict[str, Rule] = {}
    waiting: list[tuple[str, Mapping[str, Any]]] = []
    unsupported: list[Unsupported] = []
    for path, content in sources:
        for document in _documents(path, content, unsupported):
            if "correlation" in document:
                waiting.append((path, document))
            elif "detection" in document:
                _add(rules, path, document, unsupported)
            else:
                unsupported.append(_refused(path, document, "neither detection nor correlation"))
    return _with_correlations(rules, waiting, unsupported)


def _refused(path: str, document: Mapping[str, Any], why: str) -> Unsupported:
    return Unsupported(rule=str(document.get("id") or document.get("title") or path), path=path, why=why)


def _documents(path: str, content: bytes, unsupported: list[Unsupported]) -> list[Mapping[str, Any]]:
    try:
        found = list(yaml.load_all(content.decode("utf-8-sig"), _Loader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        unsupported.append(
            Unsupported(rule=path, path=path, why=f"not readable as YAML: {' '.join(str(error).split())}")
        )
        return []
    if not all(isinstance(one, dict) for one in found if one is not None):
        unsupported.append(Unsupported(rule=path, path=path, why="not a rule: the document is no mapping"))
    return [one for one in found if isinstance(one, dict)]


def _add(rules: dict[str, Rule], path: str, document: Mapping[str, Any], unsupported: list[Unsupported]) -> None:
    try:
        rule = convert_rule(document, path)
    except NotSupportedError as error:
        unsupported.append(_refused(path, document, str(error)))
        return
    if rule.head.id in rules:
        unsupported.append(_refused(path, document, f"the same id as {rules[rule.head.id].head.path}"))
        return
    rules[rule.head.id] = rule


def _with_correlations(
    rules: dict[str, Rule], waiting: list[tuple[str, Mapping[str, Any]]], unsupported: list[Unsupported]
) -> RuleSet:
    names = {one.head.name: one.head.id for one in rules.values() if one.head.name} | {one: one for one in rules}
    names |= {str(doc["name"]): str(doc.get("id") or doc["name"]) for _, doc in waiting if doc.get("name")}
    names |= {str(doc["id"]): str(doc["id"]) for _, doc in waiting if doc.get("id")}
    found: list[Correlation] = []
    for path, document in waiting:
        try:
            found.append(convert_correlation(document, path, names))
        except NotSupportedError as error:
            unsupported.append(_refused(path, document, str(error)))
    kept, left = in_order(found, frozenset(rules))
    unsupported += left
    return RuleSet(rules=tuple(rules.values()), correlations=kept, unsupported=tuple(unsupported))
