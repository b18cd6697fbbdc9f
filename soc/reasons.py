"""Why an alert stands in an incident: kept as template and values, told in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["en", "zh_CN"]

TEMPLATES: Mapping[str, Mapping[Language, str]] = {
    "first": {
        "en": "“{title}” opened the incident.",
        "zh_CN": "“{title}”触发本事件单。",
    },
    "shares": {
        "en": "“{title}” has {shared} in common with “{other}”, within {minutes} minutes.",
        "zh_CN": "“{title}”与“{other}”在 {minutes} 分钟内涉及相同的{shared}。",
    },
    "behind": {
        "en": "“{title}” lies behind the failed {root}, like “{other}”.",
        "zh_CN": "“{title}”位于故障对象 {root} 之后，与“{other}”同源。",
    },
}
KINDS: Mapping[str, Mapping[Language, str]] = {
    "link": {"en": "link", "zh_CN": "链路"},
    "device": {"en": "device", "zh_CN": "设备"},
    "group": {"en": "link group", "zh_CN": "链路组"},
    "host": {"en": "host", "zh_CN": "主机"},
    "user": {"en": "user", "zh_CN": "用户"},
    "tenant": {"en": "tenant", "zh_CN": "租户"},
    "org": {"en": "organisation", "zh_CN": "委办局"},
    "source_ip": {"en": "source address", "zh_CN": "源地址"},
    "cloud": {"en": "cloud", "zh_CN": "云"},
    "item": {"en": "compliance item", "zh_CN": "合规条款"},
    "certificate": {"en": "certificate", "zh_CN": "证书"},
    "source": {"en": "source", "zh_CN": "来源"},
}
_AND: Mapping[Language, str] = {"en": ", ", "zh_CN": "、"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """A rule's title in both languages."""

    en: str
    zh: str | None

    def text(self, language: Language) -> str:
        """The title in a language; English where there is no other."""
        return self.zh if language == "zh_CN" and self.zh else self.en


def reason(template: str, title: Titled, other: Titled | None = None, **values: Any) -> dict[str, Any]:
    """What is kept of a reason."""
    found = {"template": template, "title": [title.en, title.zh], **values}
    return found | ({"other": [other.en, other.zh]} if other else {})


def sentence(kept: Mapping[str, Any], language: Language) -> str:
    """The reason as one sentence."""
    values = {name: value for name, value in kept.items() if name != "template"}
    for name in ("title", "other"):
        if name in values:
            values[name] = Titled(en=values[name][0], zh=values[name][1]).text(language)
    if "shared" in values:
        values["shared"] = entities_text(values["shared"], language)
    return TEMPLATES[kept["template"]][language].format_map(values)


def entities_text(pairs: Sequence[Sequence[str]], language: Language) -> str:
    """``link l1, host h1`` in the reader's words."""
    return _AND[language].join(f"{KINDS.get(kind, {}).get(language, kind)} {value}" for kind, value in pairs)
