"""A steady load on a proxy, whose every answer is written down.

Each user keeps one connection and sends RATE requests a second, of its own few accounts in turn. A line
of JSON for each request goes to the file OUTPUT when the load ends: its account, when it began and
ended (seconds since 1970), the status, what went wrong if anything did, the version that answered, and the revision of
the policy that decided.
"""

import itertools
import json
import os
import time

from locust import FastHttpUser, constant_throughput, events, task

RATE = float(os.environ["RATE"])
OUTPUT = os.environ["OUTPUT"]

numbers = itertools.count()
answers = []


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
        answer = self.client.get("/v1/Channels", headers={"x-account-sid": account})
        ended = time.time()
        headers = answer.headers or {}
        logged = dict(pair.split("=", 1) for pair in headers.get("x-turnout-logged", "").split())
        answers.append(
            {
                "account": account,
                "began": began,
                "ended": ended,
                "status": answer.status_code,
                "error": repr(answer.error) if getattr(answer, "error", None) else None,
                "version": headers.get("x-version"),
                "revision": logged.get("revision"),
            }
        )


@events.quitting.add_listener
def write(**_):
    with open(OUTPUT, "w") as output:
        output.writelines(json.dumps(answer) + "\n" for answer in answers)
