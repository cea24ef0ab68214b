// The quick way through a record and the one that knows every rule must never disagree: whatever
// the quick one takes, the other takes too, and makes the same row of it.
#include <gtest/gtest.h>

#include <random>

#include "sync/flanks/record.hpp"

namespace flanks {
namespace {

const std::vector<std::string>& usual_records() {
  static const std::vector<std::string> all{
      R"({"_id":"65f0a1b2c3d4e5f601234567","account_id":"65f0a1b2c3d4e5f6000000aa","amount":-12.34,"balance":913.33,"currency":"EUR","operationDate":"2026-10-11","valueDate":"2026-10-12","description":"TRANSFERENCIA A FAVOR DE LUISA","productDescription":"Cuenta nómina","category":"Transfers","entity":"testbank","cardNumber":null,"shop":"Café \"Ñ\" 🍰"})",
      R"({"_id":"b","operationDate":"2026-02-28T10:00:00Z","amount":"1500.10","transfer":{"payer":"Ana","x":[1,2.50,{}]},"labels":{},"mcc":null,"ok":true,"n":-0.5e-3,"s":"\u00e9\ud83c\udf70\n"})",
      R"({ "_id" : "c", "operationDate" : "2024-02-29", "amount" : -0.00, "balance": 1E+2, "transfer" : { "a" : "x\/y", "b" : [ ] }, "cardNumber" : 4548, "other" : [ { "k" : "\t" }, false ] })",
      R"({"amount":1,"investment_id":"i","portfolio_id":"p","card_id":"c","liability_id":"l","operationDate":"1999-12-31 00:00","_id":"日本語ا","exchangeRate":1.100,"clave con espacios y ñ":"\\N"})"};
  return all;
}

// What the batch holds, as text.
std::string shown(const transaction_batch& batch, std::vector<unknown_record_field> unknown) {
  std::string out;
  for (const transaction& t : batch.transactions) {
    for (const std::string_view value : t.values) {
      out += value.data() == nullptr ? "-" : "=" + std::string(value);
      out += '\n';
    }
  }
  for (const rejected_record& r : batch.rejected)
    out += "rejected: " + r.reason + "\n";
  for (const unknown_record_field& f : unknown)
    out += f.path + " " + std::string(f.json_type) + " " + std::to_string(f.count) + "\n";
  return out;
}

// "" when the quick way leaves `record` to the other.
std::string quickly(record_reader& reader, const std::string& record) {
  // Its own buffer, gone afterwards, with something behind it.
  std::string bytes = record + " , ";
  transaction_batch batch;
  if (reader.find_plain(bytes, batch) != record.size()) return {};
  reader.take_plain(batch);
  bytes.assign(bytes.size(), '?');
  return shown(batch, reader.take_unknown());
}

std::string thoroughly(record_reader& reader, const std::string& record) {
  transaction_batch batch;
  if (!reader.read_unusual(record, batch)) return "not JSON";
  return shown(batch, reader.take_unknown());
}

TEST(plain_record, usual_records_are_read_quickly_and_alike) {
  record_reader quick, thorough;
  for (const std::string& record : usual_records()) {
    const std::string found = quickly(quick, record);
    ASSERT_NE(found, "") << record;
    EXPECT_EQ(found, thoroughly(thorough, record)) << record;
  }
}

// Bytes that mean something, among any others.
char some_byte(std::mt19937& random) {
  static constexpr std::string_view telling =
      "\"\\{}[],:-+.eE0123456789 \ntfnu/\x01\x80\xC3\xED\xF4";
  return random() % 4 == 0 ? static_cast<char>(random()) : telling[random() % telling.size()];
}

std::string spoiled(std::string record, std::mt19937& random) {
  for (std::size_t changes = 1 + random() % 3; changes > 0; --changes) {
    const std::size_t at = random() % record.size();
    switch (random() % 4) {
      case 0:
        record[at] = some_byte(random);
        break;
      case 1:
        record.insert(at, 1, some_byte(random));
        break;
      case 2:
        record.erase(at, 1 + random() % 3);
        break;
      default:  // a piece of another one, so that keys come twice and values change places
        const std::string& other = usual_records()[random() % usual_records().size()];
        record.insert(at, other.substr(random() % other.size(), random() % 40));
    }
    if (record.empty()) record = "{";
  }
  return record;
}

TEST(plain_record, what_is_taken_quickly_is_what_the_rules_make_of_it) {
  std::mt19937 random(20'261'124);
  record_reader quick, thorough;
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string record = spoiled(usual_records()[random() % usual_records().size()], random);
    const std::string found = quickly(quick, record);
    (void)quick.take_unknown();
    if (found.empty()) continue;
    ++taken;
    ASSERT_EQ(found, thoroughly(thorough, record)) << record;
  }
  EXPECT_GT(taken, 10'000) << "else little was compared";
}

// Also those of Aggregation v2, whose fields have other names.
TEST(plain_record, listed_records_are_read_alike) {
  const std::string record =
      R"({"transaction_id":"t","product_id":"p","date":"2026-01-02","amount":1.5,"_id":"x","card_id":"y"})";
  record_reader quick({}, product::card), thorough({}, product::card);
  for (int i = 0; i < 2; ++i) {
    const std::string found = quickly(quick, record);
    ASSERT_NE(found, "");
    EXPECT_EQ(found, thoroughly(thorough, record));
  }
}

}  // namespace
}  // namespace flanks
