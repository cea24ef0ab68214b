// W3C Trace Context (https://www.w3.org/TR/trace-context/): the ids under which the provider finds
// our requests in its own traces. All of them are random; none is derived from what a request says.
#pragma once

#include <string>

namespace flanks {

// What the requests of one run have in common: 32 digits in hexadecimal, not all of them 0.
struct trace_id {
  std::string value;
  bool operator==(const trace_id&) const = default;
};

// From the system's source of randomness. Throws std::system_error when that fails.
[[nodiscard]] trace_id new_trace();

// The header of one request: "00-<trace>-<id of this request>-01". Each call makes another id.
[[nodiscard]] std::string traceparent(const trace_id& trace);

}  // namespace flanks
