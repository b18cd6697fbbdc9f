"""Keys (密钥) at rest: key files, the keystore with its records, custody, data keys.

Importing opens and loads nothing.
"""

from crypto.keys.custody import Custody
from crypto.keys.datakeys import DataKeys
from crypto.keys.enveloped_key import open_key, seal_key
from crypto.keys.keyfile import load_private_key, load_public_key, private_key_pem, public_key_pem
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import Operation, State
from crypto.keys.ports import Approve, Audit, KeyEvent, unaudited
from crypto.keys.record import KeyRecord, Use

__all__ = [
    "Approve",
    "Audit",
    "Custody",
    "DataKeys",
    "KeyEvent",
    "KeyRecord",
    "KeyStore",
    "Operation",
    "State",
    "Use",
    "load_private_key",
    "load_public_key",
    "open_key",
    "private_key_pem",
    "public_key_pem",
    "seal_key",
    "unaudited",
]
