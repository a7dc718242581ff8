"""A steady load on a proxy, with a record of every response.

Each user keeps one connection and sends RATE requests per second, for a few accounts of its own in turn. When the load
ends, the file OUTPUT gets a line of JSON for each request: its account, its start and end (seconds since 1970), the
status, the error if there was one, the version that responded, and the revision of the policy that decided.
"""

import itertools
import json
import os
import time

from locust import FastHttpUser, constant_throughput, events, task

RATE = float(os.environ["RATE"])
OUTPUT = os.environ["OUTPUT"]

numbers = itertools.count()
responses = []


class User(FastHttpUser):
    wait_time = constant_throughput(RATE)
    connection_timeout = 10
    network_timeout = 10

    def on_start(self):
        first = next(numbers) * 8
        self.accounts = itertools.cycle(f"AC{number:032x}" for number in range(first, first + 8))

    @task
    def ask(self):
        account = next(self.accounts)
        began = time.time()
        response = self.client.get("/v1/Channels", headers={"x-account-sid": account})
        ended = time.time()
        headers = response.headers or {}
        logged = dict(pair.split("=", 1) for pair in headers.get("x-turnout-logged", "").split())
        responses.append(
            {
                "account": account,
                "began": began,
                "ended": ended,
                "status": response.status_code,
                "error": repr(response.error) if getattr(response, "error", None) else None,
                "version": headers.get("x-version"),
                "revision": logged.get("revision"),
            }
        )


@events.quitting.add_listener
def write(**_):
    with open(OUTPUT, "w") as output:
        output.writelines(json.dumps(response) + "\n" for response in responses)
