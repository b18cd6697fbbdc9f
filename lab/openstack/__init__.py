"""A real keystone, placement and nova (fake driver) on this machine: the peer of the cloud collector's tests.

``install`` makes the servers' own environment in the cache folder, ``cloud`` starts and stops them, ``scenario`` gives
them projects and servers, ``record`` keeps their answers for the simulator.
"""
