// What a statement returned, as text (libpq, PQgetvalue). Reading is checked: a null, or a text
// that is none of the wanted type, throws failure{database_answer} with the statement's name and
// the column, never the text.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sync/product.hpp"
#include "sync/types.hpp"

namespace flanks {

// One value of a row; lives no longer than its pg_rows.
class pg_value {
 public:
  pg_value(const PGresult* from, const char* statement, int row, int column)
      : from_(from), statement_(statement), row_(row), column_(column) {}

  [[nodiscard]] bool is_null() const { return PQgetisnull(from_, row_, column_) != 0; }
  // The text, ended by a NUL; "" of a null.
  [[nodiscard]] const char* c_str() const { return PQgetvalue(from_, row_, column_); }
  [[nodiscard]] std::string_view view() const {
    return {c_str(), static_cast<std::size_t>(PQgetlength(from_, row_, column_))};
  }
  [[nodiscard]] bool empty() const { return view().empty(); }
  // std::int64_t, int, std::size_t, bool, day, product.
  template <class T>
  [[nodiscard]] T as() const;
  template <class T>
  [[nodiscard]] T as(T instead_of_null) const {
    return is_null() ? instead_of_null : as<T>();
  }

 private:
  [[noreturn]] void refuse(const char* wanted) const;

  const PGresult* from_;
  const char* statement_;
  int row_, column_;
};

template <>
std::int64_t pg_value::as<std::int64_t>() const;
template <>
int pg_value::as<int>() const;
template <>
std::size_t pg_value::as<std::size_t>() const;
template <>
bool pg_value::as<bool>() const;
template <>
day pg_value::as<day>() const;
template <>
product pg_value::as<product>() const;

class pg_row {
 public:
  pg_row(const PGresult* from, const char* statement, int row)
      : from_(from), statement_(statement), row_(row) {}
  // Throws failure{database_answer} beyond the last column.
  [[nodiscard]] pg_value operator[](int column) const;
  [[nodiscard]] int size() const { return PQnfields(from_); }

 private:
  const PGresult* from_;
  const char* statement_;
  int row_;
};

class pg_rows {
 public:
  using owned = std::unique_ptr<PGresult, decltype(&PQclear)>;
  // `statement` is the name of one of ours.
  pg_rows(owned from, const char* statement) : from_(std::move(from)), statement_(statement) {}

  class iterator {
   public:
    iterator(const pg_rows& of, int at) : of_(&of), at_(at) {}
    pg_row operator*() const { return {of_->from_.get(), of_->statement_, at_}; }
    iterator& operator++() { return ++at_, *this; }
    bool operator!=(const iterator& other) const { return at_ != other.at_; }

   private:
    const pg_rows* of_;
    int at_;
  };
  [[nodiscard]] iterator begin() const { return {*this, 0}; }
  [[nodiscard]] iterator end() const { return {*this, PQntuples(from_.get())}; }
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(PQntuples(from_.get()));
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // Throws failure{database_answer} beyond the last row.
  [[nodiscard]] pg_row operator[](int row) const;
  // Of INSERT, UPDATE, DELETE, SELECT, COPY; 0 of others.
  [[nodiscard]] std::int64_t affected_rows() const;
  // What was done: "COMMIT", "INSERT 0 1" (PostgreSQL 15, CommandComplete).
  [[nodiscard]] std::string_view command() const { return PQcmdStatus(from_.get()); }
  [[nodiscard]] const PGresult* get() const { return from_.get(); }

 private:
  owned from_;
  const char* statement_;
};

}  // namespace flanks
