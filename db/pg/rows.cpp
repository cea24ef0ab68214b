#include "db/pg/rows.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "sync/failure.hpp"

namespace flanks {

namespace {

[[noreturn]] void unexpected(const char* statement, const std::string& what) {
  throw failure(stage::database, verdict::later, "database_answer",
                fmt::format("{} returned {}", statement, what));
}

template <class T>
std::optional<T> number_from(std::string_view text) {
  T value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void pg_value::refuse(const char* wanted) const {
  unexpected(statement_, fmt::format("{} where {} belongs, in column {}",
                                     is_null() ? "null" : "another value", wanted, column_ + 1));
}

template <>
std::int64_t pg_value::as<std::int64_t>() const {
  const auto value = number_from<std::int64_t>(view());
  if (!value) refuse("an integer");
  return *value;
}

template <>
int pg_value::as<int>() const {
  const auto value = number_from<int>(view());
  if (!value) refuse("an integer");
  return *value;
}

template <>
std::size_t pg_value::as<std::size_t>() const {
  const auto value = number_from<std::size_t>(view());
  if (!value) refuse("an integer that is not negative");
  return *value;
}

template <>
bool pg_value::as<bool>() const {
  if (view() != "t" && view() != "f") refuse("a boolean");
  return view() == "t";
}

template <>
day pg_value::as<day>() const {
  const auto value = day_from(view());
  if (!value) refuse("a date");
  return *value;
}

template <>
product pg_value::as<product>() const {
  const auto value = product_from(view());
  if (!value) refuse("a product");
  return *value;
}

pg_value pg_row::operator[](int column) const {
  if (column >= PQnfields(from_)) unexpected(statement_, fmt::format("no column {}", column + 1));
  return {from_, statement_, row_, column};
}

pg_row pg_rows::operator[](int row) const {
  if (row >= PQntuples(from_.get()))
    unexpected(statement_, empty() ? "no row" : fmt::format("no row {}", row + 1));
  return {from_.get(), statement_, row};
}

std::int64_t pg_rows::affected_rows() const {
  return std::strtoll(PQcmdTuples(from_.get()), nullptr, 10);
}

}  // namespace flanks
