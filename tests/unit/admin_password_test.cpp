// Who knows the password of the admin listener, and how fast others may guess.
#include "daemon/admin_password.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using std::chrono::seconds;
const admin_password::clock::time_point begin{seconds{1000}};

// "any:s3cret", ":s3cret", "any:s3:cret", "any:wrong" in base64.
constexpr const char *right = "Basic YW55OnMzY3JldA==", *no_user = "basic OnMzY3JldA==",
                     *with_colon = "Basic YW55OnMzOmNyZXQ=", *wrong = "Basic YW55Ondyb25n";

int status_of(admin_password& p, const std::optional<std::string>& field,
              admin_password::clock::time_point now = begin) {
  const auto answer = p.objection(field, now);
  return answer ? answer->status : 200;
}

TEST(admin_password, without_one_nobody_is_asked) {
  admin_password p{secret{}};
  EXPECT_EQ(status_of(p, std::nullopt), 200);
  EXPECT_EQ(status_of(p, wrong), 200);
}

TEST(admin_password, the_right_one_with_any_user_is_let_in) {
  admin_password p{secret{"s3cret"}};
  EXPECT_EQ(status_of(p, std::nullopt), 401);
  EXPECT_EQ(status_of(p, right), 200);
  EXPECT_EQ(status_of(p, no_user), 200);
  for (const char* field : {wrong, with_colon, "", "Basic", "Basic ", "Basic !!!!", "Basic YW55",
                            "Bearer s3cret", "Basic YW55OnMzY3JldA"})
    EXPECT_EQ(status_of(p, field), 401) << field;
  admin_password colon{secret{"s3:cret"}};
  EXPECT_EQ(status_of(colon, with_colon), 200);
}

TEST(admin_password, after_ten_wrong_ones_none_is_looked_at_for_two_seconds) {
  admin_password p{secret{"s3cret"}};
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(status_of(p, wrong), 401);
  EXPECT_EQ(status_of(p, wrong), 429);
  EXPECT_EQ(p.objection(wrong, begin)->retry_after, 2);
  EXPECT_EQ(status_of(p, right), 429) << "an answer must not tell which one is right";
  EXPECT_EQ(status_of(p, std::nullopt), 401) << "who brings none guesses nothing";
  EXPECT_EQ(status_of(p, right, begin + seconds{2}), 200);
  EXPECT_EQ(status_of(p, wrong, begin + seconds{2}), 401);
  EXPECT_EQ(status_of(p, right, begin + seconds{3}), 429);
}

}  // namespace
}  // namespace flanks
