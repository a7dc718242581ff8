#!/bin/sh
# Ships a step of `turnout roll` to Envoy Gateway. The policy is on standard input. A step changes only the EnvoyExtensionPolicy,
# which is the first object; the routes stay as they are.
set -eu

objects=$(mktemp)
trap 'rm -f "$objects"' EXIT
turnout render - --for envoy-gateway --image "$TURNOUT_IMAGE" \
    --namespace default --gateway edge > "$objects"

# A step fails if someone else has changed the object since. A halt does not.
force=
if [ "$TURNOUT_ACTION" = halt ]; then
    force=--force-conflicts
fi
sed '/^---$/,$d' "$objects" |
    kubectl apply --server-side --field-manager turnout-roll $force --request-timeout 30s --filename -
