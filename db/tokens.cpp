#include "db/tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "db/commands/run_explained.hpp"
#include "db/pg/array_columns.hpp"
#include "db/token_seal.hpp"
#include "sync/text.hpp"

namespace flanks::tokens {

namespace {

// Locks before it reads, and waits for nobody: who replaces a token or erases it holds the row.
constexpr statement lock_tokens{"lock_tokens_to_seal", R"(
select credential_id, credentials_token, encode(sealed_token, 'hex') from flanks_internal.credentials_tokens
where credential_id = any($1::bigint[]) and num_nonnulls(credentials_token, sealed_token) = 1
order by credential_id for update skip locked)"};
constexpr statement write_sealed{"write_sealed_tokens", R"(
update flanks_internal.credentials_tokens t set sealed_token = decode(x.sealed, 'hex'), credentials_token = null
from unnest($1::bigint[], $2::text[]) x(credential_id, sealed) where t.credential_id = x.credential_id)"};

// By another key than ours, by its fingerprint (db/token_seal.hpp has the format).
constexpr statement find_unsealed{"find_tokens_to_seal", R"(
select credential_id from flanks_internal.credentials_tokens
where credential_id > $1 and (credentials_token is not null
  or encode(substring(sealed_token from 2 for 8), 'hex') <> $2)
order by credential_id limit 1000)"};
constexpr statement count_tokens{"count_tokens_by_key", R"(
select encode(substring(sealed_token from 2 for 8), 'hex'), count(*) from flanks_internal.credentials_tokens
where num_nonnulls(credentials_token, sealed_token) = 1 group by 1 order by 2 desc, 1)"};

// Of the connection's, unless the caller has one open.
template <class Work>
void in_transaction(pg_connection& db, Work work) {
  if (db.in_transaction()) return work();
  db.begin();
  try {
    work();
    db.commit();
  } catch (...) {
    db.rollback();
    throw;
  }
}

std::vector<credential_id> next_unsealed(pg_connection& db, const token_seal& by,
                                         credential_id after) {
  std::vector<credential_id> ids;
  for (const auto& r : db.run(find_unsealed, sql_values(after, by.fingerprint())))
    ids.push_back(credential_id{r[0].as<std::int64_t>()});
  return ids;
}

void check_key(const db_options& options, const census& found) {
  const bool opens_some = std::any_of(found.sealed.begin(), found.sealed.end(), [&](const auto& s) {
    return options.seal && options.seal->knows(s.fingerprint);
  });
  if (found.sealed.empty() || opens_some) return;
  const std::string& needed = found.sealed.front().fingerprint;
  const std::string ours = options.seal ? options.seal->fingerprint() : "";
  const std::int64_t count = found.all_sealed();
  failure f(stage::configuration, verdict::stop, "sealed_token",
            fmt::format("{} sealed with key {}, and {}",
                        counted(count, "credentials_token is", "credentials_tokens are"), needed,
                        ours.empty() ? "encryption.key_file is not set"
                                     : "encryption.key_file holds key " + ours));
  f.hint = missing_key_hint(needed, !ours.empty());
  throw f;
}

}  // namespace

secret opened(const db_options& options, credential_id id, const pg_value& plain,
              const pg_value& sealed) {
  if (sealed.is_null()) return secret{plain.c_str()};
  return options.seal ? options.seal->open(sealed.view(), id)
                      : token_seal{}.open(sealed.view(), id);
}

bool wants_seal(const db_options& options, const pg_value& plain, const pg_value& sealed) {
  if (!options.seal || !options.seal->has_key()) return false;
  return !plain.is_null() || !options.seal->is_current(sealed.view());
}

std::int64_t seal(pg_connection& db, const db_options& options,
                  std::span<const credential_id> ids) {
  std::int64_t count = 0;
  if (ids.empty()) return count;
  array_literal wanted;
  for (const credential_id id : ids)
    wanted.add(id.value);
  in_transaction(db, [&] {
    array_columns sealed;
    for (const auto& r : db.run(lock_tokens, sql_values(wanted.take()))) {
      if (!wants_seal(options, r[1], r[2])) continue;
      const credential_id id{r[0].as<std::int64_t>()};
      try {
        const secret token = opened(options, id, r[1], r[2]);
        sealed.add(sql_values(id, options.seal->seal(token, id)));
        ++count;
      } catch (const failure&) {
        // The claim of this credential tells.
      }
    }
    if (count > 0) db.run(write_sealed, sealed.take());
  });
  return count;
}

std::int64_t census::all_sealed() const {
  return std::accumulate(sealed.begin(), sealed.end(), std::int64_t{0},
                         [](std::int64_t sum, const sealed_by& s) { return sum + s.count; });
}

census take_census(pg_connection& db) {
  census found;
  for (const auto& r : db.run(count_tokens)) {
    const auto count = r[1].as<std::int64_t>();
    if (r[0].is_null()) {
      found.unsealed = count;
    } else {
      found.sealed.push_back({r[0].c_str(), count});
    }
  }
  return found;
}

void require_key(const db_options& options) {
  on_own_connection(options, [&](pg_connection& db) { check_key(options, take_census(db)); });
}

std::int64_t seal_all(const db_options& options, const std::atomic<bool>& ending) {
  return on_own_connection(options, [&](pg_connection& db) {
    check_key(options, take_census(db));
    std::int64_t count = 0;
    if (!options.seal || !options.seal->has_key()) return count;
    auto ids = next_unsealed(db, *options.seal, credential_id{0});
    while (!ids.empty()) {
      count += seal(db, options, ids);
      if (ending) break;
      ids = next_unsealed(db, *options.seal, ids.back());
    }
    return count;
  });
}

}  // namespace flanks::tokens
