"""One process that speaks the real protocols of the demo province: SNMP, cloud API, syslog (模拟器)."""
