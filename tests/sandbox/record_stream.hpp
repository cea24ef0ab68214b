// The JSON array of transactions, made while it is sent.
#pragma once

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
  bool append_addition(std::string& out);
  void separate(std::string& out);

  const generator& data_;
  query query_;
  array_additions more_;
  bool only_days_;
  operation seed_operation_;  // what generated extra records resemble
  cursor cursor_;
  operation operation_;
  record record_;
  bool opened_ = false;
  bool any_ = false;
  std::uint64_t records_ = 0;
  std::size_t raw_ = 0;
  std::uint64_t generated_ = 0;
};

}  // namespace sandbox
