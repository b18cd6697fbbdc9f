"""What fetches and stamps, and judges nothing (采集): SNMP, syslog, cloud APIs, tables. They write only the spool."""
