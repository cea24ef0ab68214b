// A million decimal numbers in every notation that JSON and the provider's strings allow, through
// the parser into PostgreSQL's numeric and back: the same value in the same scale, or refused.
#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "db/pg/text_format.hpp"
#include "sync/flanks/parse.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

constexpr int most_digits = 38;

// What is sent, and by long hand what it is: digits, of which `scale` stand behind the point.
struct number {
  std::string sent;
  bool negative = false;
  std::string digits;  // without leading zeros
  int scale = 0;

  // Of the plain notation; a leading zero before the point is none.
  [[nodiscard]] bool fits() const {
    return std::max(static_cast<int>(digits.size()), scale) <= most_digits;
  }
  [[nodiscard]] std::string plain() const {
    std::string text = digits;
    const auto behind = static_cast<std::size_t>(scale);
    if (text.size() <= behind) text.insert(0, behind + 1 - text.size(), '0');
    if (behind > 0) text.insert(text.size() - behind, ".");
    if (text.empty()) text = "0";
    return negative && !digits.empty() ? "-" + text : text;
  }
};

class numbers {
 public:
  explicit numbers(std::uint64_t seed) : random_(seed) {}

  int pick(int from, int to) { return std::uniform_int_distribution<>(from, to)(random_); }

  // As JSON text: a number by the grammar, or a string, which may also have a plus and more zeros.
  number any() {
    const bool quoted = pick(0, 3) == 0;
    const int length = pick(0, 1) == 0 ? pick(1, 9) : pick(1, most_digits);
    const int behind = pick(0, 2) == 0 ? 0 : pick(0, length);
    std::string whole = digits_of(length - behind);
    const std::string fraction = digits_of(behind);
    if (whole.empty() || !quoted)
      whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
    if (whole.empty()) whole = "0";

    number n;
    n.negative = pick(0, 1) == 0;
    n.sent = n.negative ? "-" : quoted && pick(0, 3) == 0 ? "+" : "";
    n.sent += whole + (fraction.empty() ? "" : "." + fraction);
    const int exponent = pick(0, 2) == 0 ? pick(-42, 42) : pick(0, 2) == 0 ? pick(-3, 3) : 0;
    if (exponent != 0 || pick(0, 9) == 0) n.sent += exponent_text(exponent);
    if (quoted) n.sent = '"' + n.sent + '"';

    n.digits = whole + fraction;
    n.digits.erase(0, std::min(n.digits.find_first_not_of('0'), n.digits.size()));
    n.scale = static_cast<int>(fraction.size()) - exponent;
    if (n.scale < 0) {
      // Zero has no digits that could move.
      if (!n.digits.empty()) n.digits.append(static_cast<std::size_t>(-n.scale), '0');
      n.scale = 0;
    }
    return n;
  }

 private:
  std::string digits_of(int count) {
    std::string text;
    // Zeros at either end and in rows are where mistakes are made.
    const int zero = pick(0, 4);
    for (int i = 0; i < count; ++i)
      text.push_back(pick(0, 4) < zero ? '0' : static_cast<char>('0' + pick(0, 9)));
    return text;
  }
  std::string exponent_text(int exponent) {
    std::string text = pick(0, 1) == 0 ? "e" : "E";
    if (exponent < 0) {
      text += "-";
    } else if (pick(0, 1) == 0) {
      text += "+";
    }
    if (pick(0, 9) == 0) text += "00";
    return text + std::to_string(std::abs(exponent));
  }
  std::mt19937_64 random_;
};

class decimals : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    const char* const given = std::getenv("FLANKS_TEST_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    fmt::print("seed {} (FLANKS_TEST_SEED=... repeats it)\n", seed_);
  }

  // What the parser makes of so many records, handed on as they become ready.
  template <class Take>
  static void parse(std::string_view body, Take take) {
    transaction_parser parser({"POST /data at flanks", {}}, {});
    for (std::size_t at = 0; at < body.size(); at += 65536) {
      parser.feed(body.substr(at, 65536));
      while (parser.ready())
        take(parser.next());
    }
    parser.finish();
    while (parser.ready())
      take(parser.next());
  }
  static std::string record(int id, std::string_view amount, std::string_view balance) {
    return fmt::format(R"({{"_id":"{}","operationDate":"2026-05-10","amount":{},"balance":{}}})",
                       id, amount, balance);
  }

  std::uint64_t seed_ = 0;
};

// Two numbers a record, ten thousand records at a time; the columns are those of the table, the
// format is that of the COPY that fills it.
TEST_F(decimals, a_million_come_back_with_their_value_and_scale) {
  numbers generate(seed_);
  pg_connection db(options_);
  db.begin();
  db.run(statement{"landing",
                   "create temp table landing as select _id, amount, balance, "
                   "'' as amount_sent, '' as balance_sent from flanks.transactions"});
  std::int64_t numbers_back = 0, refused = 0;
  while (numbers_back < 1'000'000) {
    std::vector<std::pair<number, number>> sent;
    std::string body = "[";
    for (int i = 0; i < 10'000; ++i) {
      auto& [amount, balance] = sent.emplace_back(generate.any(), generate.any());
      body += (i > 0 ? "," : "") + record(i, amount.sent, balance.sent);
    }
    body += "]";
    const auto bare = [](const number& n) {
      return n.sent[0] == '"' ? std::string_view(n.sent).substr(1, n.sent.size() - 2) : n.sent;
    };
    std::string rows;
    std::size_t next = 0;
    parse(body, [&](const transaction_batch& batch) {
      // In the order of arrival: what is missing between two ids was refused.
      for (const rejected_record& r : batch.rejected) {
        const auto& [amount, balance] = sent.at(std::stoul(r.id));
        ASSERT_FALSE(amount.fits() && balance.fits()) << r.detail << r.raw;
        ASSERT_EQ(r.reason, amount.fits() ? "bad_value" : "bad_amount") << r.raw;
        ASSERT_EQ(r.stored_anyway, amount.fits()) << "without a balance";
        ++refused;
      }
      for (const transaction& t : batch.transactions) {
        next = std::stoul(std::string(t.id()));
        const auto& [amount, balance] = sent.at(next);
        ASSERT_TRUE(amount.fits()) << amount.sent;
        ASSERT_EQ(balance.fits(), !t.is_null(column::balance)) << balance.sent;
        if (!balance.fits()) continue;
        for (const std::string_view field :
             {t.id(), t[column::amount], t[column::balance], bare(amount), bare(balance)}) {
          append_copy_field(rows, field);
          rows.push_back('\t');
        }
        rows.back() = '\n';
      }
    });
    if (HasFatalFailure()) return;
    db.run(statement{"empty", "truncate landing"});
    numbers_back += 2 * db.copy_in(statement{"land", "copy landing from stdin"}, rows);
    // PostgreSQL itself reads what was sent, exponents and all.
    const auto differing = db.run(
        statement{"judge",
                  "select amount_sent || ' is ' || amount, balance_sent || ' is ' || balance from "
                  "landing where amount::text <> amount_sent::numeric::text or balance::text <> "
                  "balance_sent::numeric::text limit 3"});
    for (const auto& r : differing)
      ADD_FAILURE() << r[0].c_str() << ", " << r[1].c_str();
    db.copy_out(statement{"back", "copy (select _id, amount, balance from landing) to stdout"},
                [&](std::string_view line) {
                  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
                  const auto& [amount, balance] = sent.at(std::stoul(std::string(line)));
                  const std::string expected = amount.plain() + "\t" + balance.plain();
                  if (line.substr(line.find('\t') + 1) != expected)
                    ADD_FAILURE() << amount.sent << " " << balance.sent << " came back as " << line;
                });
    if (HasFailure()) return;
  }
  fmt::print("{} numbers came back, {} records were refused\n", numbers_back, refused);
  EXPECT_GT(refused, 10'000) << "the limit was met often enough";
}

TEST_F(decimals, what_is_no_finite_number_of_at_most_38_digits_goes_to_quarantine) {
  const std::string nines(39, '9');
  const std::vector<std::string> bad{
      R"("NaN")",   R"("Infinity")", R"("-Infinity")",  R"("inf")",   R"("0x10")",
      R"("1_000")", nines,           '"' + nines + '"', "0." + nines, "-1e38",
      "1e-39",      "1e400",         "1e-99999999999",  "true",       "{}"};
  std::string body = "[" + record(1000, nines.substr(1), "-0." + nines.substr(1));
  for (std::size_t i = 0; i < bad.size(); ++i)
    body += "," + record(static_cast<int>(i), bad[i], "1") + "," +
            record(static_cast<int>(100 + i), "1", bad[i]);
  body += "]";
  const claimed_credential c = claim(add("ana", "token-a"));
  std::vector<transaction_batch> batches;
  parse(body, [&](transaction_batch batch) { batches.push_back(std::move(batch)); });
  store_batches(c, std::move(batches));
  EXPECT_EQ(rows("select _id, amount, balance from flanks.transactions where balance is not null"),
            std::vector<std::string>{fmt::format("1000|{0}|-0.{0}", nines.substr(1))});
  EXPECT_EQ(value("select count(*) filter (where extra ? 'balance' and amount = 1) || ' ' || "
                  "count(*) from flanks.transactions"),
            fmt::format("{} {}", bad.size(), bad.size() + 1))
      << "one without a balance is stored, what came is in extra";
  EXPECT_EQ(value("select count(*) filter (where reason = 'bad_amount' and _id::int < 100 and not "
                  "stored_anyway) || ' ' || count(*) filter (where reason in ('bad_value', "
                  "'bad_number') and _id::int >= 100 and stored_anyway) from flanks.quarantine"),
            fmt::format("{0} {0}", bad.size()));
}

}  // namespace
}  // namespace flanks::testing
