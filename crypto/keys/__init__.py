"""Keys (密钥) at rest: key files, the keystore, private files.

Import from the modules; importing opens and loads nothing.
"""
