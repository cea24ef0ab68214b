#include "db/pg/clock.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr statement read_clock{
    "read_clock", "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint"};

}  // namespace

chr::seconds pg_clock_ahead(pg_connection& db) {
  const auto before = chr::system_clock::now();
  const chr::milliseconds theirs{db.run(read_clock)[0][0].as<std::int64_t>()};
  const auto half_way = before + (chr::system_clock::now() - before) / 2;
  return chr::round<chr::seconds>(theirs - half_way.time_since_epoch());
}

}  // namespace flanks
