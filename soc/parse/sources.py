"""Log sources of what is no Windows record, by ``event.dataset``."""

from __future__ import annotations

from functools import lru_cache

from soc.sigma.route import NONE, Source

_KNOWN: dict[str, Source] = {
    "system.auth": Source("linux", NONE, frozenset({"auth", "syslog"})),
    "system.syslog": Source("linux", NONE, frozenset({"syslog"})),
    "auditd.log": Source("linux", NONE, frozenset({"auditd"})),
    "huawei.vrp": Source("huawei", frozenset({"network_device"}), frozenset({"vrp"})),
    "h3c.comware": Source("h3c", frozenset({"network_device"}), frozenset({"comware"})),
    "nginx.access": Source("nginx", frozenset({"webserver"}), frozenset({"nginx", "access"})),
    "apache.access": Source("apache", frozenset({"webserver"}), frozenset({"apache", "access"})),
    "squid.access": Source("squid", frozenset({"proxy"}), frozenset({"squid", "access"})),
    "suricata.eve": Source("suricata", frozenset({"ids"}), frozenset({"suricata", "eve"})),
}


@lru_cache(4096)
def dataset_source(dataset: str) -> Source:
    """``yunwang.link`` is product yunwang, service link; so are other datasets that are not known better."""
    found = _KNOWN.get(dataset)
    if found is not None:
        return found
    product, _, service = dataset.lower().partition(".")
    return Source(product or None, NONE, frozenset({service}) if service else NONE)


@lru_cache(4096)
def linux_source(program: str) -> Source:
    """A line of a Linux system log: its program is a service too, and logins are ``auth``."""
    own = {"syslog", program.lower()}
    return Source("linux", NONE, frozenset(own | {"auth"} if program in AUTH_PROGRAMS else own))


AUTH_PROGRAMS = frozenset(
    {
        "sshd",
        "sshd-session",
        "sudo",
        "su",
        "login",
        "systemd-logind",
        "polkitd",
        "passwd",
        "useradd",
        "usermod",
        "groupadd",
    }
)
