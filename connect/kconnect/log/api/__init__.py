"""Request handlers, one module for each family of APIs.

A class names in `apis` what it serves; each handler takes a request and its call, as `routing.Api` says.
"""
