#!/bin/sh
# Ships a step of `turnout roll` to Istio. The policy is on standard input. A step changes only the WasmPlugin,
# which is the first object; the routes stay as they are.
set -eu

objects=$(mktemp)
trap 'rm -f "$objects"' EXIT
turnout render - --for istio --image "$TURNOUT_IMAGE" \
    --namespace istio-ingress --selector istio=ingressgateway --gateway istio-ingress/edge > "$objects"

# A step fails if someone else has changed the object since. A halt does not.
force=
if [ "$TURNOUT_ACTION" = halt ]; then
    force=--force-conflicts
fi
sed '/^---$/,$d' "$objects" |
    kubectl apply --server-side --field-manager turnout-roll $force --request-timeout 30s --filename -
