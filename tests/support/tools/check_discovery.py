#!/usr/bin/env python3
"""Parses an ECDS file with Envoy's own messages, and prints its contents.

    check_discovery.py < filter.json

Needs the package `xds-protos`, which is in .published. An unknown field or enum value is an error.
"""

import json
import sys

from google.protobuf import json_format
from google.protobuf.wrappers_pb2 import StringValue

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.wasm.v3.wasm_pb2 import Wasm
from envoy.extensions.wasm.v3.wasm_pb2 import FailurePolicy
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse


def unpacked(packed, message):
    """Fails if the message has another type."""
    assert packed.Unpack(message), packed.type_url
    return message


def main():
    response = json_format.Parse(sys.stdin.buffer.read(), DiscoveryResponse(), ignore_unknown_fields=False)
    resource, = response.resources
    extension = unpacked(resource, TypedExtensionConfig())
    plugin = unpacked(extension.typed_config, Wasm()).config
    contents = {
        "version": response.version_info,
        "name": extension.name,
        "plugin": plugin.name,
        "failure_policy": FailurePolicy.Name(plugin.failure_policy),
        "runtime": plugin.vm_config.runtime,
        "filename": plugin.vm_config.code.local.filename,
        "configuration": unpacked(plugin.configuration, StringValue()).value,
    }
    print(json.dumps(contents, sort_keys=True))


if __name__ == "__main__":
    main()
