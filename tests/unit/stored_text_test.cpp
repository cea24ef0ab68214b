// JSON as a jsonb is written out. What PostgreSQL itself says is asked in the pg tests.
#include "sync/stored_text.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

std::string text(std::string_view json) {
  return jsonb_text(json).value_or("no JSON");
}

TEST(stored_text, keys_are_sorted_by_length_and_the_last_of_equal_ones_counts) {
  EXPECT_EQ(text(R"({"bb":1,"a":2,"c":3,"bb":4})"), R"({"a": 2, "c": 3, "bb": 4})");
  EXPECT_EQ(text(R"({"x":{"z":[1,2,{"b":null,"a":true}],"y":{}}})"),
            R"({"x": {"y": {}, "z": [1, 2, {"a": true, "b": null}]}})");
  EXPECT_EQ(text(" [ ] "), "[]");
}

TEST(stored_text, numbers_are_written_out_with_their_scale) {
  EXPECT_EQ(text("[1.50,-0.0,-0,1e3,1.5E2,1.234e1,5e-3,-12.5e-1,100]"),
            "[1.50, 0.0, 0, 1000, 150, 12.34, 0.005, -1.25, 100]");
}

TEST(stored_text, strings_are_escaped_only_where_they_must_be) {
  EXPECT_EQ(text(R"(["\u00e9\/\"\\\u000a\u001f\ud83d\ude00"])"),
            "[\"\xC3\xA9/\\\"\\\\\\n\\u001f\xF0\x9F\x98\x80\"]");
}

TEST(stored_text, what_is_no_json_has_no_text) {
  for (const char* bad :
       {"", "{", "[1,]", "{\"a\"}", "{\"a\":}", "\"open", "[1]x", "nul", "[\"\\x\"]"})
    EXPECT_FALSE(jsonb_text(bad)) << bad;
}

}  // namespace
}  // namespace flanks
