"""Walkers that move and chat like people: `python -m client.bots`, or `run.py --bots`, which starts that.

They are ordinary clients and know the wire alone. `walking` and `talking` decide, without I/O and with time
and chance passed in; `bot` is one of them at a server, `crowd` all of them, `accounts` who they are.
"""
