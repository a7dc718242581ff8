"""Writes the tables of treatments with the SDKs of Split, Unleash and LaunchDarkly, and of flagd's first
formula. make_vectors.mjs writes the others. README.md has the commands.

    python make_vectors.py split unleash launchdarkly      (splitio_client, UnleashClient, launchdarkly-server-sdk)
    python make_vectors.py flagd-one                       (openfeature-provider-flagd 0.2.7)
"""

import csv
import hashlib
import itertools
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent

KEYS = [f"account-{n}" for n in range(1500)] + ["AC" + hashlib.md5(str(n).encode()).hexdigest() for n in range(500)]

# Further attributes of an account, in every combination.
ATTRIBUTES = {
    "country": ["de", "us"],
    "plan": ["free", "pro"],
    "email": ["a@example.com", "b@example.org"],
    "age": [30, 20],
}


def contexts():
    for values in itertools.product(*ATTRIBUTES.values()):
        yield dict(zip(ATTRIBUTES, values))


COLUMNS = {}


def write(tool, name, is_v2, bound=False):
    """`is_v2(key, attributes)`; a bound holds for all attributes."""
    asked = list(contexts()) if bound else [next(contexts())]
    column = ["v2" if all(is_v2(key, attributes) for attributes in asked) else "v1" for key in KEYS]
    file = "bounds" if bound else "treatments-one" if name == "fractional-one" else "treatments"
    COLUMNS.setdefault((tool, file), {})[name] = column


def save():
    for (tool, name), columns in COLUMNS.items():
        with open(HERE / tool / f"{name}.csv", "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["key", *columns])
            rows.writerows(zip(KEYS, *columns.values()))


def split():
    from splitio.engine.evaluator import EvaluationContext, Evaluator
    from splitio.engine.splitters import Splitter
    from splitio.models import splits

    export = json.loads((HERE / "split/export.json").read_text())
    flags = {raw["name"]: splits.from_raw(raw) for raw in export["ff"]["d"]}
    evaluator = Evaluator(Splitter())

    def asked(name, v2="on"):
        def is_v2(key, attributes):
            # Everyone who is 30 is an employee.
            members = {"employees": attributes["age"] == 30}
            context = EvaluationContext(flags, members, {})
            return evaluator.eval_with_context(key, key, name, attributes, context)["treatment"] == v2

        return is_v2

    for name in ["percentage", "at_the_end", "traffic", "all_of_the_traffic", "killed_on", "everyone"]:
        write("split", name, asked(name))
    write("split", "three", asked("three", "red"), bound=True)
    write("split", "unknown", asked("unknown"), bound=True)


def unleash():
    from yggdrasil_engine.engine import UnleashEngine

    engine = UnleashEngine()
    engine.take_state((HERE / "unleash/export.json").read_text())

    def asked(name, key_name=None):
        def is_v2(key, attributes):
            context = {"properties": attributes}
            if key_name:
                context["properties"] = {**attributes, key_name: key}
            else:
                context["userId"] = key
            return engine.is_enabled(name, context).is_enabled

        return is_v2

    for name in ["gradual", "several", "segments", "old", "default", "no-strategies"]:
        write("unleash", name, asked(name))
    write("unleash", "company", asked("company", "companyId"))
    write("unleash", "unknown", asked("unknown"), bound=True)


def launchdarkly():
    import ldclient
    from ldclient.config import Config
    from ldclient.integrations import Files

    def client(path):
        source = Files.new_data_source(paths=[str(path)])
        return ldclient.LDClient(Config("none", update_processor_class=source, send_events=False))

    export = client(HERE / "launchdarkly/export.json")

    def asked(name, of=export, kind="user", v2=True):
        def is_v2(key, attributes):
            context = ldclient.Context.from_dict({"kind": kind, "key": key, **attributes})
            return of.variation(name, context, None) == v2

        return is_v2

    for name in ["percentage", "at-the-end", "seeded", "orders", "leftover", "everyone", "off-is-v2"]:
        write("launchdarkly", name, asked(name))
    write("launchdarkly", "account-kind", asked("account-kind", kind="account"))
    write("launchdarkly", "three", asked("three", v2="blue"), bound=True)
    write("launchdarkly", "unknown", asked("unknown"), bound=True)

    # The part of a flag of the REST API about one environment, as an SDK gets it.
    rest = json.loads((HERE / "launchdarkly/rest.json").read_text())
    flag = rest["environments"]["production"]
    flag = {**flag, "key": rest["key"], "variations": [variation["value"] for variation in rest["variations"]]}
    path = pathlib.Path("/tmp/rest-as-sdk.json")
    path.write_text(json.dumps({"flags": {"chat": flag}}))
    write("launchdarkly", "rest", asked("chat", of=client(path)))


def flagd_one():
    from openfeature.contrib.provider.flagd.resolvers.process.targeting import targeting
    from openfeature.evaluation_context import EvaluationContext

    export = json.loads((HERE / "flagd/export.json").read_text())
    rule = export["flags"]["fractional"]["targeting"]
    is_v2 = lambda key, _: targeting("fractional", rule, EvaluationContext(targeting_key=key)) == "on"
    write("flagd", "fractional-one", is_v2)


for tool in sys.argv[1:]:
    {"split": split, "unleash": unleash, "launchdarkly": launchdarkly, "flagd-one": flagd_one}[tool]()
save()
