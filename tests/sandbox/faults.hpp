// The misbehaviour that a test orders: which call goes wrong next, and how.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sandbox/json_text.hpp"
#include "tests/sandbox/ledger.hpp"
#include "tests/sandbox/message.hpp"

namespace sandbox {

// Records that a fault adds to an array of transactions.
struct array_additions {
  std::vector<std::string> raw;          // JSON text as it is, good or bad
  std::uint64_t raw_after = UINT64_MAX;  // so many records before it; or at the end
  std::uint64_t generated = 0;           // well-formed extra records
  enum class repeat { none, equal, changed } duplicate = repeat::none;  // of the first record
};

class fault {
 public:
  // Throws std::invalid_argument with what is wrong: an unknown kind or parameter would make a test
  // pass for the wrong reason.
  explicit fault(const boost::json::object& order);

  [[nodiscard]] bool concerns(std::string_view credentials_token, std::string_view endpoint) const;
  // One use; false when it is used up, not yet due, or chance (`percent`) is against it.
  bool use();

  // The answer that stands in for the true one, if this fault has such.
  [[nodiscard]] std::optional<reply> instead() const;
  [[nodiscard]] array_additions additions() const;
  // A bank that keeps less history, or serves less of it at once, than these days ask for.
  [[nodiscard]] bool refuses(day_range asked, day today) const;
  [[nodiscard]] std::string refused_field() const;
  // Bends an answer: where it stops, how slow it is, what it lacks.
  void bend(reply& answer) const;

  [[nodiscard]] const boost::json::object& order() const { return order_; }

 private:
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t otherwise) const;
  [[nodiscard]] std::string string(std::string_view name, std::string_view otherwise) const;

  boost::json::object order_;
  std::string token_;
  std::string endpoint_;
  std::string kind_;
  void bend_rest(conduct& wire) const;

  std::int64_t times_ = 1;
  std::int64_t skip_ = 0;
  std::mt19937_64 chance_;
  std::uint64_t drawn_ = 0;  // of the present use
};

class faults {
 public:
  void add(fault one) { all_.push_back(std::move(one)); }
  void clear() { all_.clear(); }
  // The first that concerns this call and is due.
  std::optional<fault> take(std::string_view credentials_token, std::string_view endpoint);
  [[nodiscard]] const std::vector<fault>& all() const { return all_; }

 private:
  std::vector<fault> all_;
};

}  // namespace sandbox
