"""Certificates of our own making (证书体系): the site's CA, authorities, requests, revocation.

Import from the modules; importing opens and loads nothing.
"""
