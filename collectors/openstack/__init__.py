"""Usage of OpenStack clouds (云平台用量采集): what each tenant's servers held in each hour, by keystone and nova.

``collect`` reads one span, ``collect_forever`` follows the clock, ``connect`` opens the API behind both.
"""

from collectors.openstack.api import ComputeApi
from collectors.openstack.client import connect
from collectors.openstack.collect import Collected, collect
from collectors.openstack.credentials import Credentials, parse_credentials
from collectors.openstack.forever import collect_forever
from collectors.openstack.lives import Memory

__all__ = [
    "Collected",
    "ComputeApi",
    "Credentials",
    "Memory",
    "collect",
    "collect_forever",
    "connect",
    "parse_credentials",
]
