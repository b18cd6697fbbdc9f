"""The SNMP poller (网络采集): counters and states of the interfaces on which links end, by GET of known OIDs."""
