"""What the poller asks for: IF-MIB (RFC 2863), sysUpTime (RFC 3418), snmpEngineBoots (RFC 3411)."""

from __future__ import annotations

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
ENGINE_BOOTS = "1.3.6.1.6.3.10.2.1.2.0"
IF_DESCR = "1.3.6.1.2.1.2.2.1.2"
IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
IF_IN_OCTETS = "1.3.6.1.2.1.2.2.1.10"
IF_OUT_OCTETS = "1.3.6.1.2.1.2.2.1.16"
IF_HC_IN_OCTETS = "1.3.6.1.2.1.31.1.1.1.6"
IF_HC_OUT_OCTETS = "1.3.6.1.2.1.31.1.1.1.10"

OCTETS = {64: (IF_HC_IN_OCTETS, IF_HC_OUT_OCTETS), 32: (IF_IN_OCTETS, IF_OUT_OCTETS)}
"""Counter width to the columns of received and sent octets."""

STATES = (
    "1.3.6.1.2.1.2.2.1.8",  # ifOperStatus
    "1.3.6.1.2.1.2.2.1.7",  # ifAdminStatus
    "1.3.6.1.2.1.31.1.1.1.15",  # ifHighSpeed, Mbit/s
    "1.3.6.1.2.1.2.2.1.5",  # ifSpeed, bit/s, 2**32-1 if too fast for it
    "1.3.6.1.2.1.31.1.1.1.19",  # ifCounterDiscontinuityTime, ticks
    "1.3.6.1.2.1.2.2.1.14",  # ifInErrors
    "1.3.6.1.2.1.2.2.1.20",  # ifOutErrors
    "1.3.6.1.2.1.2.2.1.13",  # ifInDiscards
    "1.3.6.1.2.1.2.2.1.19",  # ifOutDiscards
)
"""Columns asked for beside name and octets, in the order in which ``readings`` takes them."""
