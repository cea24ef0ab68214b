#include "db/pg/dsn.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <memory>

namespace flanks {

std::string dsn_objection(const std::string& dsn) {
  // Its message quotes the piece that it did not understand: it may be a piece of a password.
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(dsn.c_str(), nullptr), &PQconninfoFree);
  if (parsed) return "";
  const int version = PQlibVersion();
  return fmt::format("cannot be read by the libpq of this machine ({}.{})", version / 10'000,
                     version % 10'000);
}

}  // namespace flanks
