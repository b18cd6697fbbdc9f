"""Keys, certificates, crypto providers (密钥、证书、密码模块)."""

from __future__ import annotations

from console import words
from console.ports import KeyViews
from console.sources import MemorySource
from console.table import Column, Table

KEYS = Table(
    name="keys",
    title="密钥",
    key="name",
    sort="name",
    topic="audit",
    empty="还没有密钥。导入资产清单时自动生成站点的根密钥与签名密钥。",
    columns=(
        Column(key="name", title="名称", kind="code", searched=True),
        Column(key="use", title="用途", kind="key_use", choices=words.choices(words.KEY_USE)),
        Column(key="algorithm", title="算法", kind="code", searched=True),
        Column(key="state", title="状态", kind="key_state", choices=words.choices(words.KEY_STATE)),
        Column(key="created", title="生成", kind="instant"),
        Column(key="rotate_by", title="应轮换", kind="due"),
        Column(key="not_after", title="证书到期", kind="instant", room="wide"),
        Column(key="fingerprint", title="公钥 SM3", kind="id", searched=True, sortable=False),
        Column(key="certificate", title="证书 SM3", kind="id", searched=True, sortable=False, room="extra"),
        Column(key="id", title="编号", kind="id", searched=True, room="extra"),
    ),
)

CERTIFICATES = Table(
    name="certificates",
    title="在用证书",
    key="name",
    sort="not_after",
    topic="audit",
    empty="还没有证书。导入资产清单时自动签发站点的根证书与签名证书。",
    columns=(
        Column(key="level", title="状态", kind="certificate_level", sortable=False),
        Column(key="name", title="名称", kind="code"),
        Column(key="days_left", title="剩余天数", kind="number"),
        Column(key="not_after", title="到期", kind="instant"),
        Column(key="subject", title="主体", loose=True, room="wide"),
        Column(key="issuer", title="签发者", loose=True, room="extra"),
        Column(key="fingerprint", title="证书 SM3", kind="id", room="wide"),
        Column(key="file", title="文件", kind="code", loose=True, room="extra"),
    ),
)

PROVIDERS = Table(
    name="providers",
    title="密码模块",
    key="name",
    sort="order",
    empty="没有配置密码模块。",
    columns=(
        Column(key="order", title="次序", kind="number"),
        Column(key="name", title="名称", kind="code"),
        Column(key="state", title="自检", kind="self_test"),
        Column(key="milliseconds", title="毫秒", kind="number"),
        Column(key="library", title="密码库"),
        Column(key="version", title="版本", kind="code"),
        Column(key="serves", title="承担", kind="list", loose=True),
        Column(key="behind", title="备用", kind="list", loose=True, room="wide"),
        Column(key="file", title="文件", kind="code", loose=True, room="wide"),
    ),
)


def key_source(keyring: KeyViews) -> MemorySource:
    """The list of keys; raises CryptoError where the keystore cannot be read safely."""
    return MemorySource(KEYS, keyring.keys())
