// What goes to the database as text, and what its errors mean: no database here.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "db/commands/migrate.hpp"
#include "db/pg/errors.hpp"
#include "db/pg/own_names.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {
namespace {

using ::testing::HasSubstr;

// COPY's own rules, the other way round (PostgreSQL 15, sql-copy "Text Format").
std::optional<std::string> read_copy_field(std::string_view field) {
  if (field == "\\N") return std::nullopt;
  const std::map<char, char> letters{{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'\\', '\\'}};
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    out.push_back(field[i] == '\\' ? letters.at(field[++i]) : field[i]);
  }
  return out;
}

TEST(copy_field, reads_back_as_it_was_and_never_breaks_the_row) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    std::string out;
    append_copy_field(out, text);
    RC_ASSERT(out.find_first_of("\t\n\r") == std::string::npos);
    RC_ASSERT(out != "\\.");
    RC_ASSERT(read_copy_field(out) == text);
  }));
}

TEST(copy_field, null_empty_and_the_text_of_null_differ) {
  std::string null, empty, text;
  append_copy_field(null, {});
  append_copy_field(empty, "");
  append_copy_field(text, "\\N");
  EXPECT_EQ(null, "\\N");
  EXPECT_EQ(empty, "");
  EXPECT_EQ(text, "\\\\N");
}

TEST(array_literal, quotes_everything_and_keeps_null_apart) {
  array_literal a;
  a.add(std::string_view("NULL"));
  a.add(std::string_view());
  a.add(std::string_view(""));
  a.add(std::string_view("a\"b\\c,{}"));
  EXPECT_EQ(a.take(), R"({"NULL",NULL,"","a\"b\\c,{}"})");
  array_literal bytes;
  bytes.add_bytes(std::string_view("\0\xff", 2));
  EXPECT_EQ(bytes.take(), R"({"\\x00ff"})");
  EXPECT_EQ(array_literal().take(), "{}");
}

TEST(array_literal, cuts_no_element_short) {
  array_literal a;
  a.add(std::string_view("a\0b", 3));
  EXPECT_EQ(a.take(), std::string("{\"a\0b\"}", 7));
}

TEST(uuid, holds_all_bits_both_ways) {
  std::string text;
  append_uuid(text, {0x0123456789abcdefULL, 0xfedcba9876543210ULL});
  EXPECT_EQ(text, "01234567-89ab-cdef-fedc-ba9876543210");
  const std::string bytes("\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 16);
  EXPECT_EQ(uuid_from_bytes(bytes.data()),
            (content_hash{0x0123456789abcdefULL, 0xfedcba9876543210ULL}));
  EXPECT_THAT(random_uuid(),
              ::testing::MatchesRegex(
                  "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(random_uuid(), random_uuid());
}

TEST(storable_text, keeps_good_utf8_and_nothing_else) {
  EXPECT_EQ(storable_text("año €😀", 100), "año €😀");
  EXPECT_EQ(storable_text(std::string("a\0b\xff\xc0\xaf\xed\xa0\x80", 9), 100), "a?b??????");
  EXPECT_EQ(storable_text("€€", 4), "€");  // never half a character
}

const db_target mirror{"mirror", "db", "5432", "flanks_sync"};

TEST(connect_failure, says_what_on_what_as_whom_and_what_to_do) {
  const failure f = connect_failure(
      mirror, "28P01",
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  password "
      "authentication failed for user \"flanks_sync\"\n");
  EXPECT_STREQ(f.what(),
               "cannot open database \"mirror\" at db:5432 as flanks_sync: password authentication "
               "failed for user "
               "\"flanks_sync\"");
  EXPECT_EQ(f.hint, "check database.password_file");
  EXPECT_EQ(f.verdict, verdict::stop);
}

TEST(connect_failure, of_several_addresses_shows_the_last_and_waits) {
  const failure f = connect_failure(
      mirror, "",
      "connection to server at \"db\" (::1), port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n"
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: timeout expired\n");
  EXPECT_STREQ(f.what(),
               "cannot open database \"mirror\" at db:5432 as flanks_sync: timeout expired");
  EXPECT_EQ(f.verdict, verdict::later);
}

TEST(connect_failure, is_decided_by_the_code_in_whatever_language_the_server_speaks) {
  const std::vector<std::tuple<std::string, std::string, verdict, std::string>> table{
      {"28P01", "FATAL:  la autentificación password falló para el usuario «u»", verdict::stop,
       "database_auth"},
      {"28000", "FATAL:  no existe el rol «u»", verdict::stop, "database_auth"},
      {"3D000", "SCHWERWIEGEND:  Datenbank »m« existiert nicht", verdict::stop, "database_missing"},
      {"42501", "FATAL:  se ha denegado el permiso", verdict::stop, "database_auth"},
      {"53300", "FATAL:  lo siento, ya tenemos demasiados clientes", verdict::later,
       "database_full"},
      {"57P03", "FATAL:  el sistema de base de datos está iniciándose", verdict::later,
       "database_starting"},
      // Words that a client's failure would have, in those of a server.
      {"57P03", "FATAL:  certificate timeout expired, Connection refused", verdict::later,
       "database_starting"},
  };
  for (const auto& [state, words, then, name] : table) {
    const failure f = connect_failure(
        mirror, state, "connection to server at \"db\" (::1), port 5432 failed: " + words + "\n");
    EXPECT_EQ(f.verdict, then) << words;
    EXPECT_EQ(f.error_class, name) << words;
    EXPECT_EQ(std::string(f.what()), "cannot open database \"mirror\" at db:5432 as flanks_sync: " +
                                         words.substr(words.find(":  ") + 3));
  }
}

TEST(statement_failure, names_whose_object_refused) {
  sql_problem index("copy_transactions", "23505", "llave duplicada");
  index.table = "flanks.transactions";
  index.constraint = "transactions_operation_date_amount_idx";
  failure f = statement_failure(mirror, index, stage::write);
  EXPECT_STREQ(f.what(),
               "copy_transactions failed in database \"mirror\" at db:5432: "
               "\"transactions_operation_date_amount_idx\" of flanks.transactions refused a row: "
               "llave duplicada (23505)");
  EXPECT_EQ(f.error_class, "database_constraint");
  EXPECT_EQ(
      f.hint,
      "\"transactions_operation_date_amount_idx\" is no index or constraint of flanks-sync's: "
      "whoever made it has to drop it");
  index.constraint = "transactions_amount_check";
  EXPECT_EQ(statement_failure(mirror, index, stage::write).hint, "");

  sql_problem trigger("copy_transactions", "42P01", "no existe la relación «audit_log»");
  trigger.function = "public.aud()";
  f = statement_failure(mirror, trigger, stage::write);
  EXPECT_STREQ(f.what(),
               "copy_transactions failed in database \"mirror\" at db:5432: the function "
               "public.aud() refused it, or failed: no existe la relación «audit_log» (42P01)");
  EXPECT_EQ(f.error_class, "database_foreign_function");
  EXPECT_EQ(
      f.hint,
      "public.aud() is none of flanks-sync's: whoever made it has to mend it or drop its "
      "trigger; it runs with search_path = pg_catalog and with the rights of the daemon's role, so "
      "it must name schemas, or set its own");
  trigger.function = "";
  EXPECT_EQ(statement_failure(mirror, trigger, stage::write).error_class, "database_schema");
}

TEST(refusal_words, name_a_customers_object_after_the_words_of_the_server) {
  sql_problem check("copy_transactions", "23514", "la nueva fila viola «theirs»\nDETALLE: x");
  check.table = "flanks.transactions";
  check.constraint = "theirs";
  EXPECT_EQ(refusal_words(check),
            "la nueva fila viola «theirs»; \"theirs\" is no index or constraint of flanks-sync's: "
            "whoever made it has to drop it");
  EXPECT_EQ(foreign_object(check), "\"theirs\" of flanks.transactions");
  check.constraint = "transactions_amount_check";
  EXPECT_EQ(refusal_words(check), "la nueva fila viola «theirs»");
  EXPECT_EQ(foreign_object(check), "");
}

TEST(is_foreign_constraint, knows_ours_by_their_whole_names) {
  for (const char* ours : {"transactions_pkey", "transactions_amount_check"})
    EXPECT_FALSE(is_foreign_constraint("flanks.transactions", ours)) << ours;
  // As PostgreSQL names what a customer leaves unnamed.
  for (const char* theirs :
       {"transactions_value_date_check", "transactions_currency_fkey", "transactions_amount_check1",
        "transactions_account_id_key", "accounts_pkey", "transactions_acc"})
    EXPECT_TRUE(is_foreign_constraint("flanks.transactions", theirs)) << theirs;
  EXPECT_TRUE(is_foreign_constraint("public.notes", "notes_pkey"));
  EXPECT_TRUE(is_foreign_constraint("", "money_check")) << "a domain's";
  EXPECT_FALSE(is_foreign_constraint("flanks.transactions", ""));
}

TEST(foreign_function_in, is_the_outermost_that_is_none_of_ours) {
  EXPECT_EQ(foreign_function_in("PL/pgSQL function public.inner() line 1 at RAISE\n"
                                "SQL statement \"select inner(secret(1))\"\n"
                                "PL/pgSQL function public.aud() line 1 at SQL statement\n"
                                "COPY transactions, line 1: \"a salary(1)\""),
            "public.aud()");
  EXPECT_EQ(foreign_function_in(
                "PL/pgSQL function public.theirs() line 1 at RAISE\n"
                "SQL statement \"insert into t values (a)\"\n"
                "PL/pgSQL function flanks.register_credential(text,text) line 33 at SQL statement"),
            "public.theirs()");
  EXPECT_EQ(foreign_function_in("PL/pgSQL function flanks_internal.guard() line 3 at RAISE"), "");
  // Other languages of the server, and names that need quotes.
  EXPECT_EQ(foreign_function_in("función PL/pgSQL public.aud() en la línea 1 en sentencia SQL"),
            "public.aud()");
  EXPECT_EQ(foreign_function_in("PL/pgSQL関数public.aud()の1行目のSQL文"), "public.aud()");
  EXPECT_EQ(foreign_function_in("PL/pgSQL function public.\"My Audit\"() line 1 at RAISE"),
            "public.\"My Audit\"()");
  EXPECT_EQ(foreign_function_in("PL/pgSQL function public.ok(numeric,text) line 1 at RAISE"),
            "public.ok(numeric,text)");
}

TEST(foreign_function_in, finds_none_in_what_is_quoted) {
  EXPECT_EQ(foreign_function_in("COPY transactions, line 1, column amount: \"f(x)\""), "");
  EXPECT_EQ(foreign_function_in("COPY transactions, línea 1: «a salary(1)»"), "");
  EXPECT_EQ(foreign_function_in("COPY transactions, line 1: \"a \" PL/pgSQL salary()\""), "");
  EXPECT_EQ(foreign_function_in("SQL statement \"insert into flanks.credentials\n"
                                "  select coalesce(x) from now()\"\n"
                                "PL/pgSQL function flanks.register_credential(text,text) line 3"),
            "");
  EXPECT_EQ(foreign_function_in(""), "");
}

TEST(statement_failure, says_how_long_a_silent_database_was_waited_for) {
  sql_problem problem("commit", "", "no answer");
  problem.lost = problem.in_doubt = true;
  problem.silent_for = std::chrono::seconds{130};
  const failure f = statement_failure(mirror, problem, stage::database);
  EXPECT_STREQ(f.what(),
               "commit had no answer from database \"mirror\" at db:5432 in 130 s; the connection "
               "was given up");
  EXPECT_EQ(f.error_class, "database_silent");
  EXPECT_EQ(f.verdict, verdict::retry);
}

TEST(statement_failure, verdict_follows_the_sqlstate) {
  const std::vector<std::tuple<std::string, verdict, std::string>> table{
      {"40P01", verdict::retry, "database_deadlock"},
      {"40001", verdict::retry, "database_serialization"},
      {"57P01", verdict::retry, "database_lost"},
      {"55P03", verdict::later, "database_lock_timeout"},
      {"57014", verdict::later, "database_timeout"},
      {"53100", verdict::later, "database_disk_full"},
      {"42501", verdict::stop, "database_rights"},
      {"42P01", verdict::stop, "database_schema"},
      {"25006", verdict::later, "database_read_only"},
      {"22021", verdict::later, "database_value"},
      {"XX000", verdict::later, "database_error"},
  };
  for (const auto& [state, then, name] : table) {
    const failure f =
        statement_failure(mirror, sql_problem("load", state, "no\nof a row\n"), stage::write);
    EXPECT_EQ(f.verdict, then) << state;
    EXPECT_EQ(f.error_class, name) << state;
    EXPECT_EQ(f.stage, stage::write);
    EXPECT_EQ(std::string(f.what()),
              fmt::format("load failed in database \"mirror\" at db:5432: no ({})", state));
  }
}

TEST(sha256_hex, is_the_known_one) {
  EXPECT_EQ(migrate::sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace flanks
