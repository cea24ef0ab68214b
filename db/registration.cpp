#include "db/registration.hpp"

#include <fmt/format.h>

#include "db/commands/migrate.hpp"
#include "db/pg/array_columns.hpp"
#include "db/pg/connection.hpp"
#include "sync/text.hpp"

namespace flanks::registration {

namespace {

constexpr statement make_table{"make_arriving", R"(
create temporary table arriving (nr bigint, user_id text, credentials_token text) on commit drop)"};
constexpr statement load{"load_arriving", "copy pg_temp.arriving from stdin (format binary)"};

constexpr statement forget_erasure{"forget_erasure", R"(
delete from flanks_internal.erased_tokens e using pg_temp.arriving a
where e.token_digest = sha256(convert_to(a.credentials_token, 'UTF8')))"};

// A lock for each token fills the server's table of locks when they are thousands: many are
// registered under one lock, which waits for all others. Before anything else of the transaction,
// so that it cannot deadlock.
constexpr std::size_t many = 100;
constexpr statement lock_every_token{"lock_every_token",
                                     "select flanks_internal.lock_every_token()"};

// In the order of their digests, which are locked one after the other unless $1 says that all are:
// two that register the same tokens wait for each other and do not deadlock.
constexpr statement register_all{"register_credentials", R"(
select j.nr, j.refusal, j.erased,
  case when j.refusal is not null or j.erased then null
    when $1::boolean then flanks_internal.register_credential(j.user_id, j.credentials_token)
    else flanks.register_credential(j.user_id, j.credentials_token) end
from (select a.*, flanks_internal.registration_refusal(a.user_id, a.credentials_token) as refusal,
    exists (select from flanks_internal.erased_tokens e where e.token_digest = d.digest)
      and not exists (select from flanks_internal.credentials_tokens t where t.token_digest = d.digest) as erased
  from pg_temp.arriving a cross join lateral (select sha256(convert_to(a.credentials_token, 'UTF8')) as digest) d
  order by d.digest, a.nr offset 0) j)"};
constexpr statement drop_table{"drop_arriving", "drop table pg_temp.arriving"};

constexpr statement look_at_rotation{"look_at_rotation", R"(
select flanks_internal.registration_refusal('-', a.credentials_token), t.credential_id, e.token_digest is not null,
  not exists (select from flanks.credentials c where c.credential_id = $1 and c.removed_at is null),
  own.credential_id is not null,
  own.sealed_token is not null,
  exists (select from flanks.credentials c where c.credential_id = $1 and c.last_error_class = 'sealed_token')
from pg_temp.arriving a cross join lateral (select sha256(convert_to(a.credentials_token, 'UTF8')) as digest) d
left join flanks_internal.credentials_tokens t on t.token_digest = d.digest and t.credential_id <> $1
left join flanks_internal.credentials_tokens own on own.token_digest = d.digest and own.credential_id = $1
left join flanks_internal.erased_tokens e on e.token_digest = d.digest)"};
constexpr statement rotate_token{"replace_credentials_token", R"(
select flanks.replace_credentials_token($1, a.credentials_token) from pg_temp.arriving a)"};

constexpr statement look_up{"look_up_tokens", R"(
select case when t.credential_id is null then case when e.token_digest is null then 'unknown' else 'erased' end
  when c.removed_at is not null then 'removed' else 'known' end
from unnest($1::text[]) with ordinality x(digest, nr)
left join flanks_internal.credentials_tokens t on t.token_digest = decode(x.digest, 'hex')
left join flanks.credentials c on c.credential_id = t.credential_id
left join flanks_internal.erased_tokens e on e.token_digest = decode(x.digest, 'hex')
order by x.nr)"};

standing standing_of(std::string_view word) {
  if (word == "known") return standing::known;
  if (word == "removed") return standing::removed;
  return word == "erased" ? standing::erased : standing::unknown;
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  for (int shift = 8 * static_cast<int>(sizeof value) - 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<unsigned char>(value >> shift));
}

void append_field(std::string& out, std::string_view bytes) {
  append_integer(out, static_cast<std::int32_t>(bytes.size()));
  out += bytes;
}

// PostgreSQL 15, sql-copy "Binary Format": the server's messages never quote its rows.
std::string binary_rows(std::span<const registration_request> wanted) {
  std::string out("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
  std::int64_t nr = 0;
  for (const registration_request& w : wanted) {
    append_integer(out, std::int16_t{3});
    append_integer(out, static_cast<std::int32_t>(sizeof nr));
    append_integer(out, nr++);
    append_field(out, w.user.value);
    append_field(out, w.token.reveal());
  }
  append_integer(out, std::int16_t{-1});
  return out;
}

// What PostgreSQL cannot hold at all.
std::string unfit(const char* name, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return fmt::format("{} holds U+0000", name);
  if (first_not_utf8(text)) return fmt::format("{} is not UTF-8", name);
  return "";
}

}  // namespace

std::vector<outcome> apply(pg_connection& db, std::span<const registration_request> wanted,
                           bool even_if_erased) {
  std::vector<outcome> all(wanted.size());
  std::vector<registration_request> fit;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::string why = unfit("user_id", wanted[i].user.value);
    if (why.empty()) why = unfit("credentials_token", wanted[i].token.reveal());
    if (why.empty()) {
      fit.push_back(wanted[i]);
      places.push_back(i);
    } else {
      all[i] = {standing::refused, {}, std::move(why)};
    }
  }
  if (fit.empty()) return all;
  const bool all_locked = fit.size() > many;
  if (all_locked) db.run(lock_every_token);
  db.run(make_table);
  db.copy_in(load, binary_rows(fit));
  if (even_if_erased) db.run(forget_erasure);
  for (const auto& r : db.run(register_all, sql_values(all_locked))) {
    outcome& to = all[places.at(r[0].as<std::size_t>())];
    if (!r[1].is_null()) {
      to = {standing::refused, {}, r[1].c_str()};
    } else if (r[2].as<bool>()) {
      to.now = standing::erased;
    } else {
      to = {standing::known, credential_id{r[3].as<std::int64_t>()}, ""};
    }
  }
  db.run(drop_table);
  return all;
}

rotation replace_token(pg_connection& db, credential_id id, const secret& token) {
  rotation done;
  done.refusal = unfit("credentials_token", token.reveal());
  if (!done.refusal.empty()) return done;
  db.run(make_table);
  const registration_request arriving{user_id{"-"}, token};
  db.copy_in(load, binary_rows(std::span(&arriving, 1)));
  const pg_rows found = db.run(look_at_rotation, sql_values(id));
  if (!found[0][0].is_null()) done.refusal = found[0][0].c_str();
  if (!found[0][1].is_null()) done.other = credential_id{found[0][1].as<std::int64_t>()};
  done.erased = found[0][2].as<bool>();
  done.unknown = found[0][3].as<bool>();
  done.same = found[0][4].as<bool>();
  done.sealed = done.same && found[0][5].as<bool>();
  done.revived = done.sealed && found[0][6].as<bool>();
  const bool fits = done.refusal.empty() && !done.other && !done.erased && !done.unknown;
  if (fits) db.run(rotate_token, sql_values(id));
  db.run(drop_table);
  return done;
}

std::vector<standing> look(pg_connection& db, std::span<const secret> tokens) {
  array_literal digests;
  for (const secret& token : tokens)
    digests.add(std::string_view(migrate::sha256_hex(token.reveal())));
  std::vector<standing> found;
  for (const auto& r : db.run(look_up, sql_values(digests.take())))
    found.push_back(standing_of(r[0].view()));
  return found;
}

}  // namespace flanks::registration
