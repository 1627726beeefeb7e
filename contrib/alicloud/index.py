"""A function for Alibaba Cloud Function Compute: forwards what CloudMonitor says to interrupt-callback.

Environment: IC_URL (https://host:port), IC_SECRET (that of [http.event] alicloud); IC_RETRIES (4) and IC_PAUSE
(1 second, doubled each time) need not be set. Only the standard library of Python 3 is used.
"""

import os
import time
import urllib.error
import urllib.parse
import urllib.request

# Seconds for one attempt.
TIMEOUT = 5


class NotForwarded(Exception):
    """Says why, and neither address nor secret."""


def attempt(request):
    """None if it was taken; else why not, and whether another attempt may help."""
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        # A wrong secret and what is no event stay wrong.
        return "HTTP %d" % error.code, error.code == 429 or error.code >= 500
    except (urllib.error.URLError, OSError) as error:
        return type(getattr(error, "reason", error)).__name__, True


def handler(event, context):
    """The entry point: index.handler. An exception has the platform try the event again."""
    secret = urllib.parse.quote(os.environ["IC_SECRET"], safe="")
    url = os.environ["IC_URL"].rstrip("/") + "/event/alicloud/" + secret
    body = event if isinstance(event, bytes) else str(event).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}, method="POST")
    pause = float(os.environ.get("IC_PAUSE", "1"))
    left = int(os.environ.get("IC_RETRIES", "4"))
    while True:
        failed = attempt(request)
        if failed is None:
            return "forwarded"
        why, passing = failed
        if left <= 0 or not passing:
            # Without "from": the address stands in the error behind it.
            raise NotForwarded(why) from None
        left -= 1
        time.sleep(pause)
        pause *= 2
