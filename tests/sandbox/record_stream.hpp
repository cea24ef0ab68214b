// The JSON array of transactions, made while it is sent.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "tests/sandbox/faults.hpp"
#include "tests/sandbox/ledger.hpp"
#include "tests/sandbox/message.hpp"
#include "tests/sandbox/query.hpp"

namespace sandbox {

class transactions_body final : public body_source {
 public:
  transactions_body(const generator& data, ledger of, query filter, array_additions more);
  bool fill(std::string& out) override;

 private:
  // Appends the next record; false when there is none.
  bool append_next(std::string& out);
  void append_current(std::string& out);
  bool append_scripted(std::string& out);
  bool append_addition(std::string& out);
  void separate(std::string& out);

  const generator& data_;
  query query_;
  array_additions more_;
  bool only_days_;
  operation seed_operation_;  // what generated extra records resemble
  std::shared_ptr<const json_texts> scripted_;
  std::size_t next_scripted_ = 0;
  cursor cursor_;
  operation operation_;
  record record_;
  bool opened_ = false;
  bool any_ = false;
  std::uint64_t records_ = 0;
  std::size_t raw_ = 0;
  std::uint64_t generated_ = 0;
};

// Whole arrays that were made before, up to a number of bytes: for benchmarks, so that they measure
// the client and not the making of records.
class remembered_arrays {
 public:
  explicit remembered_arrays(std::size_t limit) : limit_(limit) {}
  // The array of these days of the ledger, nothing added: made anew, or from memory.
  std::unique_ptr<body_source> body(const generator& data, const ledger& of, query filter);
  // Makes those of the ledger anew that something has been done to since.
  void make_anew(const generator& data, const ledger& of);

 private:
  // The ledger's number and bank, and the days.
  using key = std::tuple<std::uint32_t, std::string_view, day, day>;
  struct array {
    std::shared_ptr<const std::string> text;
    // What had been done to the ledger.
    std::shared_ptr<const changes> changed;
    std::shared_ptr<const std::set<std::uint64_t>> withheld;
  };
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::map<key, array> arrays_;
};

}  // namespace sandbox
