"""What there is to watch (台账): regions, organisations, devices, links, clouds, tenants, systems, hosts. CONTRACT §2."""
