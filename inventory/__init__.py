"""What there is to watch (台账): regions, devices, links, clouds, tenants, hosts. CONTRACT §2."""
