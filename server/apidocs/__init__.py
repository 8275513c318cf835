"""The API described by its own types: JSON Schema of the wire, and the AsyncAPI document of the sockets.

Pure: types in, plain dicts out. The OpenAPI document needs the route table, so `handlers.openapi`
makes it, with the schemas and the words from here. `handlers.docs` serves both.
"""
