# An image of the filter for Istio and Envoy Gateway: one layer with the file plugin.wasm. Both require exactly one
# COPY. `make image` builds it in a context that holds only the filter.
FROM scratch
COPY turnout_filter.wasm plugin.wasm
