;; A filter that sends every request to v2, and traps at one with the header x-trap. It simulates a
;; defect that our filter does not have.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-trap")
  (data (i32.const 32) "x-turnout-cluster")
  (data (i32.const 64) "channels-v2")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  ;; The header map 0 is that of the request; the length of an existing value is written at 4.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (i32.eqz (call $get (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 4)))
      (then
        (if (i32.ne (i32.load (i32.const 4)) (i32.const 0)) (then (unreachable)))))
    (drop (call $add (i32.const 0) (i32.const 32) (i32.const 17) (i32.const 64) (i32.const 11)))
    (i32.const 0))
)
