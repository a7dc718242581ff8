;; A filter that changes nothing, and logs the properties of each stream when the stream is deleted: one line, with the
;; values in hexadecimal, and `-` for a property that Envoy does not have. The last value is the status of gRPC that the
;; filter saw in the headers or trailers of the response. There must be one stream at a time.
(module
  (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; The paths of the properties.
  (data (i32.const 16) "response\00code")
  (data (i32.const 32) "response\00flags")
  (data (i32.const 48) "response\00code_details")
  (data (i32.const 80) "response\00grpc_status")
  (data (i32.const 112) "request\00duration")
  (data (i32.const 144) "upstream\00address")
  (data (i32.const 176) "0123456789abcdef")
  (data (i32.const 200) "grpc-status")
  (data (i32.const 256) "stream end: ")

  ;; The context of the last request whose headers came.
  (global $seen (mut i32) (i32.const 0))
  ;; The end of the line, which begins at 256.
  (global $end (mut i32) (i32.const 0))
  ;; The memory that the host asks for.
  (global $free (mut i32) (i32.const 32768))
  ;; The address and the length of the status.
  (global $status (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (global.set $seen (local.get $context))
    (i32.const 0))

  ;; The header maps 2 and 3 are those of the response and of its trailers.
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $read_status (i32.const 2))
    (i32.const 0))
  (func (export "proxy_on_response_trailers") (param i32 i32) (result i32)
    (call $read_status (i32.const 3))
    (i32.const 0))

  (func $read_status (param $map i32)
    (if (call $header (local.get $map) (i32.const 200) (i32.const 11) (i32.const 0) (i32.const 4))
      (then (return)))
    (if (i32.load (i32.const 4))
      (then
        (global.set $status (i32.load (i32.const 0)))
        (global.set $length (i32.load (i32.const 4))))))

  (func (export "proxy_on_delete") (param $context i32)
    (global.set $end (i32.const 268))
    ;; `+` if the filter saw the headers of the request.
    (call $put (select (i32.const 43) (i32.const 45) (i32.eq (local.get $context) (global.get $seen))))
    (call $property (i32.const 16) (i32.const 13))
    (call $property (i32.const 32) (i32.const 14))
    (call $property (i32.const 48) (i32.const 21))
    (call $property (i32.const 80) (i32.const 20))
    (call $property (i32.const 112) (i32.const 16))
    (call $property (i32.const 144) (i32.const 16))
    (call $put (i32.const 32))
    (if (global.get $length)
      (then (call $hex (global.get $status) (global.get $length)))
      (else (call $put (i32.const 45))))
    (drop (call $log (i32.const 2) (i32.const 256) (i32.sub (global.get $end) (i32.const 256))))
    (global.set $free (i32.const 32768))
    (global.set $length (i32.const 0)))

  ;; Appends a space and the value of a property.
  (func $property (param $path i32) (param $size i32)
    (call $put (i32.const 32))
    (if (call $get (local.get $path) (local.get $size) (i32.const 0) (i32.const 4))
      (then (call $put (i32.const 45)))
      (else (call $hex (i32.load (i32.const 0)) (i32.load (i32.const 4))))))

  (func $hex (param $at i32) (param $left i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (call $put (i32.load8_u offset=176 (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4))))
        (call $put (i32.load8_u offset=176 (i32.and (i32.load8_u (local.get $at)) (i32.const 15))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next))))

  (func $put (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1)))))
