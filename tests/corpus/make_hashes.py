#!/usr/bin/env python3
"""Writes hashes/*.csv: how other tools bucket accounts, from independent implementations.

Needs the packages `mmh3` and `numpy`; `make vectors` installs them into a folder of its own and
compares. The code follows each tool, with its own arithmetic and comparison, so the vectors show that
the bounds of Turnout are the same.

The column `source` is `made` for rows computed here, or names a public test of the tool, whose result is
asserted here before it is written. The public tests:

    Split         splitio/ruby-client, spec/test_data/hash/murmur3-sample-data-v2.csv
    Unleash       Unleash/unleash-client-node, the test of strategy/util;
                  Unleash/client-specification, specifications/10-flexible-rollout-strategy.json
    LaunchDarkly  launchdarkly/go-server-sdk-evaluation, evaluator_bucketing_test.go
    GrowthBook    growthbook/growthbook, packages/sdk-js/test/cases.json
    flagd         open-feature/flagd-testbed, evaluator/gherkin/fractional.feature
                  with flags/custom-ops.json
"""

import csv
import hashlib
import json
import pathlib
import random
import sys
from fractions import Fraction

import mmh3
import numpy

HUNDRED_PERCENT = 10**8
RANDOM = random.Random(7342)
SIDS = ["AC7342e9713fa896e4af00c654c444aada"] + [
    "AC" + "".join(RANDOM.choice("0123456789abcdef") for _ in range(32)) for _ in range(9)
]
OPAQUE = ["a", "ab", "abc", "alice@example.com", "käthe", "顧客-42", "🚋", "x" * 128, "a,b\"c", "12345"]
KEYS = SIDS + OPAQUE
LONG = "0123456789abcdef" * 16


def murmur3(text, seed=0):
    return mmh3.hash(text.encode(), seed & 0xFFFFFFFF, signed=False)


def fnv1a(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


class Hundred:
    """Split and Unleash: 1 to 100, in when not above."""

    parts = 100

    def native(self, key):
        return str(self.bucket(key))

    def has(self, key, parts):
        return self.bucket(key) <= parts


class Split(Hundred):
    def __init__(self, seed, traffic_allocation=100, traffic_allocation_seed=None, algo=2):
        assert algo == 2
        self.seed, self.traffic, self.traffic_seed = seed, traffic_allocation, traffic_allocation_seed

    def bucket(self, key):
        return murmur3(key, self.seed) % 100 + 1

    def draws(self, key):
        return self.traffic >= 100 or murmur3(key, self.traffic_seed) % 100 + 1 <= self.traffic


class Unleash(Hundred):
    def __init__(self, group_id):
        self.group_id = group_id

    def bucket(self, key):
        return murmur3(f"{self.group_id}:{key}") % 100 + 1


class LaunchDarkly:
    parts = 100_000

    def __init__(self, flag_key=None, salt=None, seed=None):
        self.prefix = f"{flag_key}.{salt}" if seed is None else str(seed)

    def number(self, key):
        return int(hashlib.sha1(f"{self.prefix}.{key}".encode()).hexdigest()[:15], 16)

    def bucket(self, key):
        return numpy.float32(self.number(key)) / numpy.float32(0xFFFFFFFFFFFFFFF)

    def native(self, key):
        return numpy.format_float_positional(self.bucket(key), unique=True, trim="-")

    def has(self, key, parts):
        return bool(self.bucket(key) < numpy.float32(parts) / numpy.float32(100_000))

    def has_exactly(self, key, parts):
        return self.number(key) * 100_000 < parts * 0xFFFFFFFFFFFFFFF


class GrowthBook:
    def __init__(self, seed, version, rule, start=0, namespace=None):
        self.seed, self.version, self.rule, self.start = seed, version, rule, start
        self.namespace = namespace
        self.parts = {1: 1_000, 2: 10_000}[version]

    def n(self, key):
        return growthbook_hash(self.seed, key, self.version)

    def native(self, key):
        return repr(self.n(key)).removesuffix(".0")

    def has(self, key, parts):
        share = parts / self.parts
        if self.rule == "rollout":
            return parts > 0 and self.n(key) <= share
        if not self.start:
            return self.n(key) < share
        # A range that begins later is [w, w + share), and goes on from 0 where it would go past 1.
        # Its ends are floats in GrowthBook, sums that it makes of others: here they are decimals.
        n, begin = Fraction(repr(self.n(key))), Fraction(str(self.start)) / 100
        end = begin + Fraction(parts, self.parts)
        return begin <= n < end or n + 1 < end

    def draws(self, key):
        if self.namespace is None:
            return True
        n = growthbook_hash("__" + self.namespace["id"], key, 1)
        return self.namespace["from"] / 100 <= n < self.namespace["to"] / 100


def growthbook_hash(seed, key, version):
    if version == 2:
        return fnv1a(str(fnv1a((seed + key).encode())).encode()) % 10_000 / 10_000
    return fnv1a((key + seed).encode()) % 1_000 / 1_000


class Flagd:
    def __init__(self, flag_key, version, total_weight):
        self.flag_key, self.version, self.parts = flag_key, version, total_weight

    def bucket(self, key):
        if self.version == 2:
            return murmur3(self.flag_key + key) * self.parts >> 32
        signed = mmh3.hash((self.flag_key + key).encode(), 0)
        return abs(float(signed)) / (2**31 - 1) * 100

    def native(self, key):
        bucket = self.bucket(key)
        return str(bucket) if self.version == 2 else numpy.format_float_positional(bucket, trim="-")

    def has(self, key, parts):
        end = parts if self.version == 2 else 100 * float(parts) / float(self.parts)
        return self.bucket(key) < end

    def draws(self, key):
        """Of version 1 the largest hashes are in no variant."""
        return self.version == 2 or self.bucket(key) < 100


TOOLS = {
    "split": Split,
    "unleash": Unleash,
    "launchdarkly": LaunchDarkly,
    "growthbook": GrowthBook,
    "flagd": Flagd,
}


def percentage(millionths):
    text = f"{millionths // 10**6}.{millionths % 10**6:06}"
    return text.rstrip("0").rstrip(".")


class Drawn:
    """A tool, with what makes of it Turnout's answer: v2's end, and that 0 is nobody, 100 everyone."""

    def __init__(self, name, fields):
        self.text = json.dumps({name: fields}, ensure_ascii=False)
        fields = dict(fields)
        self.last = fields.pop("v2", "first") == "last"
        self.tool = TOOLS[name](**fields)
        self.parts = self.tool.parts

    def draws(self, key):
        return getattr(self.tool, "draws", lambda _: True)(key)

    def native(self, key):
        return self.tool.native(key) if self.draws(key) else "never"

    def included(self, key, parts):
        if parts in (0, self.parts):
            return parts > 0
        if not self.draws(key):
            return False
        # Last, v2 has what v1's parts leave.
        return not self.tool.has(key, self.parts - parts) if self.last else self.tool.has(key, parts)

    def entry(self, key):
        low, high = 0, self.parts
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.included(key, middle) else (middle, high)
        return high

    def percentage(self, parts):
        return percentage((parts * HUNDRED_PERCENT + self.parts // 2) // self.parts)

    def row(self, key, parts, source="made"):
        included = str(self.included(key, parts)).lower()
        return self.text, key, self.native(key), self.percentage(parts), included, source

    def rows(self, keys):
        for key in keys:
            entry = self.entry(key)
            for parts in sorted({0, 1, entry - 1, entry, self.parts // 2, self.parts - 1, self.parts}):
                yield self.row(key, parts)


def made(name, *variants, keys=KEYS):
    for fields in variants:
        yield from Drawn(name, fields).rows(keys)


def fact(drawn, key, percent, expected, source):
    """A row that a public test gives."""
    parts = percent * drawn.parts // 100
    row = drawn.row(key, parts, source)
    assert row[4] == str(expected).lower(), (row, expected)
    return row


def split():
    seed = 467569525
    for key, bucket in [
        ("aUfEsdPN1twuEjff9Sl", 52), ("EPxM1cYQnL4AuqD", 79), ("cMQGLKXz", 48), ("o7pbnAbe9sne8m", 95),
        ("uydol0hogbEU8fW5J", 9), ("4I7VfKAiVNJmeVlcI", 99), ("aG2wQQSox6", 1), ("r2aBPo6EbsP3Z4QRuHu", 1),
        ("Iyz2Ad5", 2), ("Oumu83FcmIy2NJy", 99), ("g6eCk7K5", 68), ("xZbqZ5Mrq", 4),
    ]:
        drawn = Drawn("split", {"seed": seed})
        assert drawn.native(key) == str(bucket), key
        yield fact(drawn, key, bucket - 1, False, "splitio/ruby-client") if bucket > 1 else drawn.row(key, 1)
        yield fact(drawn, key, bucket, True, "splitio/ruby-client")
    yield from made(
        "split",
        {"seed": 0}, {"seed": 123}, {"seed": -1222652054}, {"seed": 4294967295, "algo": 2},
        {"seed": -2147483648, "v2": "last"}, {"seed": 123, "v2": "last"},
        {"seed": 123, "traffic_allocation": 50, "traffic_allocation_seed": -7},
        {"seed": 123, "traffic_allocation": 100, "traffic_allocation_seed": -7},
        {"seed": 123, "traffic_allocation": 0, "traffic_allocation_seed": 1},
        {"seed": 99, "traffic_allocation": 99, "traffic_allocation_seed": 1, "v2": "last"},
    )


def unleash():
    for group_id, key, bucket in [("gr1", "123", 73), ("groupX", "999", 25)]:
        drawn = Drawn("unleash", {"group_id": group_id})
        assert drawn.native(key) == str(bucket), key
        yield fact(drawn, key, bucket - 1, False, "Unleash/unleash-client-node")
        yield fact(drawn, key, bucket, True, "Unleash/unleash-client-node")
    for group_id, key, percent, expected in [
        ("Feature.flexibleRollout.10", "174", 10, True),
        ("Feature.flexibleRollout.10", "499", 10, False),
        ("Feature.flexibleRollout.userId.55", "25", 55, True),
        ("Feature.flexibleRollout.sessionId.42", "147", 42, True),
    ]:
        drawn = Drawn("unleash", {"group_id": group_id})
        yield fact(drawn, key, percent, expected, "Unleash/client-specification")
    yield from made(
        "unleash", {"group_id": "c"}, {"group_id": "chat"}, {"group_id": "ünïcödé"}, {"group_id": LONG},
        {"group_id": "chat", "v2": "last"},
    )


def launchdarkly():
    by_flag = {"flag_key": "hashKey", "salt": "saltyA"}
    for fields, key, bucket in [
        (by_flag, "userKeyA", 0.42157587), (by_flag, "userKeyB", 0.6708485), (by_flag, "userKeyC", 0.10343106),
        (by_flag, "33333", 0.54771423), (by_flag, "99999", 0.7309658),
        ({"seed": 61}, "userKeyA", 0.09801207), ({"seed": 61}, "userKeyB", 0.14483777),
        ({"seed": 61}, "userKeyC", 0.9242641),
    ]:
        drawn = Drawn("launchdarkly", fields)
        assert abs(float(drawn.native(key)) - bucket) < 1e-7, key
        percent = int(bucket * 100)
        yield fact(drawn, key, percent, False, "launchdarkly/go-server-sdk-evaluation")
        yield fact(drawn, key, percent + 1, True, "launchdarkly/go-server-sdk-evaluation")
    fields = [
        {"flag_key": "chat", "salt": "abc"}, {"flag_key": "ünïcödé", "salt": LONG}, {"seed": -1}, {"seed": 0},
        {"flag_key": "chat", "salt": "abc", "v2": "last"}, {"seed": 9007199254740993, "v2": "last"},
    ]
    yield from made("launchdarkly", *fields)
    # Where 32 bits decide otherwise than exact numbers do.
    for fields in fields[0], fields[4]:
        drawn = Drawn("launchdarkly", fields)
        found = 0
        for number in range(100_000):
            key = f"account-{number}"
            # The weight next to the account: of v2 first, or of v1 where v2 is last.
            parts = round(drawn.tool.number(key) * 100_000 / 0xFFFFFFFFFFFFFFF)
            if not 0 < parts < 100_000 or drawn.tool.has(key, parts) == drawn.tool.has_exactly(key, parts):
                continue
            parts = 100_000 - parts if drawn.last else parts
            for near in parts - 1, parts, parts + 1:
                yield drawn.row(key, near, "made: 32 bits and exact numbers differ")
            found += 1
            if found == 15:
                break
        assert found == 15


def growthbook():
    for seed, key, version, n in [
        ("b", "a", 1, 0.946), ("ef", "d", 1, 0.652), ("asdf", "8952klfjas09ujk", 1, 0.549),
        ("seed", "a", 2, 0.0505), ("seed", "b", 2, 0.2696), ("foo", "ab", 2, 0.2575), ("foo", "def", 2, 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 2, 0.124), ("90850943850283058242805", "123", 2, 0.7516),
        ("()**(%$##$%#$#", "___)((*\":&", 2, 0.0128),
    ]:
        for rule in "rollout", "experiment":
            drawn = Drawn("growthbook", {"seed": seed, "version": version, "rule": rule})
            assert drawn.native(key) == repr(n), key
            parts = round(n * drawn.parts)
            for near in parts - 1, parts, parts + 1:
                yield drawn.row(key, near, "growthbook/growthbook")
    for key, namespace, begin, end, expected in [
        ("1", "namespace1", 0, 40, False), ("1", "namespace1", 40, 100, True),
        ("3", "namespace2", 0, 40, True), ("3", "namespace1", 0, 40, False),
    ]:
        namespace = {"id": namespace, "from": begin, "to": end}
        fields = {"seed": "chat", "version": 2, "rule": "experiment", "namespace": namespace}
        drawn = Drawn("growthbook", fields)
        assert drawn.draws(key) == expected, (key, namespace)
        yield fact(drawn, key, 0, False, "growthbook/growthbook")
        if not expected:
            yield fact(drawn, key, 99, False, "growthbook/growthbook")
    base = {"seed": "chat", "version": 2, "rule": "rollout"}
    in_half = {"id": "checkout", "from": 25.05, "to": 75.123456}
    yield from made(
        "growthbook",
        base, base | {"version": 1}, base | {"rule": "experiment"}, base | {"rule": "experiment", "version": 1},
        base | {"v2": "last"}, base | {"rule": "experiment", "v2": "last"},
        base | {"seed": "ünïcödé", "rule": "experiment", "version": 1, "v2": "last"},
        base | {"rule": "experiment", "start": 50}, base | {"rule": "experiment", "start": 33.34},
        base | {"rule": "experiment", "version": 1, "start": 99.9},
        base | {"namespace": in_half}, base | {"namespace": in_half, "v2": "last"},
    )
    # At the ends of a namespace, which lie between places of its own line.
    places = {}
    for number in range(20_000):
        key = f"account-{number}"
        places[round(growthbook_hash("__checkout", key, 1) * 1_000)] = key
    for place in 250, 251, 751, 752:
        yield from Drawn("growthbook", base | {"namespace": in_half}).rows([places[place]])
    # The first place, and the second: a rollout of the least part takes both, a range only one.
    for version, number in (1, 2000), (2, 40_000):
        for rule in "rollout", "experiment":
            drawn = Drawn("growthbook", base | {"version": version, "rule": rule})
            keys = [f"account-{n}" for n in range(number)]
            places = {round(drawn.tool.n(key) * drawn.parts): key for key in keys}
            for place in 0, 1, 2, drawn.parts - 2, drawn.parts - 1:
                yield from drawn.rows([places[place]])


def flagd():
    suits = ["clubs", "diamonds", "hearts", "spades"]
    names = {
        ("fractional-flag", 1): "jack spades queen clubs ten diamonds nine hearts 3 diamonds",
        ("fractional-flag", 2): "jack hearts queen spades ten clubs nine diamonds 3 clubs",
        ("shared-seed", 1): "jack hearts queen spades ten hearts nine diamonds",
        ("shared-seed", 2): "seven hearts eight diamonds nine clubs two spades",
    }
    for (flag_key, version), words in names.items():
        words = words.split()
        for key, suit in zip(words[::2], words[1::2]):
            quarter = suits.index(suit)
            for end, total in ("first", 100), ("last", 100), ("first", 4):
                fields = {"flag_key": flag_key, "version": version, "total_weight": total, "v2": end}
                drawn = Drawn("flagd", fields)
                for percent in 25, 50, 75:
                    is_in = quarter * 25 < percent if end == "first" else (3 - quarter) * 25 < percent
                    yield fact(drawn, key, percent, is_in, "open-feature/flagd-testbed")
    for version in 1, 2:
        for key, expected in ("jon@company.com", True), ("jane@company.com", False):
            fields = {"flag_key": "fractional-flag-shorthand", "version": version, "total_weight": 2}
            yield fact(Drawn("flagd", fields), key, 50, expected, "open-feature/flagd-testbed")
    edges = {"flag_key": "", "version": 2, "total_weight": 100}
    for key, number in ("ejOoVL", 0), ("bY9fO-", 1), ("SI7p-", 2**31 - 1), ("6LvT0", 2**31), ("ceQdGm", 2**32 - 1):
        assert murmur3(key) == number, key
        yield fact(Drawn("flagd", edges), key, 50, number < 2**31, "open-feature/flagd-testbed")
        # Of version 1 two of them are in no variant, and two are at the beginning.
        for end in "first", "last":
            yield from Drawn("flagd", edges | {"version": 1, "v2": end}).rows([key])
    base = {"flag_key": "chat", "version": 2, "total_weight": 100}
    yield from made(
        "flagd",
        base, base | {"version": 1}, base | {"v2": "last"}, base | {"version": 1, "v2": "last"},
        base | {"total_weight": 3}, base | {"total_weight": 3, "version": 1}, base | {"total_weight": 100_000_000},
        base | {"total_weight": 99_999_989, "version": 1}, base | {"flag_key": LONG, "total_weight": 1000},
        base | {"total_weight": 1}, base | {"flag_key": "", "total_weight": 7, "version": 1, "v2": "last"},
    )


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, rows in dict(
        split=split, unleash=unleash, launchdarkly=launchdarkly, growthbook=growthbook, flagd=flagd
    ).items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["hash", "key", "native", "percentage", "included", "source"])
            writer.writerows(dict.fromkeys(rows()))


if __name__ == "__main__":
    main()
