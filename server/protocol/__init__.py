"""The wire, as types: what clients send (validated structs) and what they get (plain dicts with a shape).

`limits` holds the lengths and ranges, `requests` what comes over the sockets, `rest` what comes over
HTTP, `shapes` the objects that answers are made of, `events` what the sockets send. The API pages
are generated from these, so what is documented is what is checked.
"""
