;; The smallest filter: Envoy calls it for the headers of each request, and it continues. Envoy never allocates
;; in its memory, because it requests no data.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32)
    unreachable)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    i32.const 0))
