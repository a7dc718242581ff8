#!/usr/bin/env python3
"""Parses OTLP/HTTP JSON logs with the official protobuf messages, and prints the numbers of records.

    check_otlp.py FILE...

Each file is the body of one `POST /v1/logs`. Needs the package `opentelemetry-proto`; the tests
install it into a folder of their own. An unknown field is an error.
"""

import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber


def records(request):
    for resource in request.resource_logs:
        service = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
        assert service == ["turnout"], service
        for scope in resource.scope_logs:
            assert scope.scope.name == "turnout" and scope.scope.version, scope.scope
            yield from scope.log_records


def check(record):
    """Checks rules of our records that the messages do not enforce."""
    line = json.loads(record.body.string_value)
    kind = line["turnout"]
    assert record.body.WhichOneof("value") == "string_value"
    assert record.time_unix_nano == record.observed_time_unix_nano == line["time_ms"] * 10**6, record
    number = SeverityNumber.Name(record.severity_number)
    assert number == f"SEVERITY_NUMBER_{record.severity_text}", record
    expected = {"breaking": "ERROR", "changed": "WARN"}.get(line.get("severity"), "INFO")
    assert record.severity_text == expected, record
    return kind


def main(files):
    counts = {"exports": 0}
    for name in files:
        with open(name, "rb") as file:
            request = json_format.Parse(file.read(), ExportLogsServiceRequest(), ignore_unknown_fields=False)
        counts["exports"] += 1
        for record in records(request):
            kind = check(record)
            counts[kind] = counts.get(kind, 0) + 1
    print(json.dumps(counts, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1:])
