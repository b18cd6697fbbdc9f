"""国密 SM2, SM3, SM4: keys, certificates, signatures, bundles.

Import from the modules; importing opens and loads nothing.
"""
