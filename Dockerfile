# The filter as an image, which Istio and Envoy Gateway load: nothing but the file plugin.wasm, in one layer.
# Both want exactly one COPY. `make image` builds it; the context is a folder with the filter alone.
FROM scratch
COPY turnout_filter.wasm plugin.wasm
