"""The Hereabouts client library for Python: bots, tests and game servers. See README.md beside this file.

Needs Tornado and nothing else; the twin of the JavaScript one in static/js/client/.
"""

from client.errors import HereaboutsError
from client.hereabouts import Hereabouts
from client.outbox import OutgoingMessage

__all__ = ["Hereabouts", "HereaboutsError", "OutgoingMessage"]
