#include "sync/flanks/query.hpp"

#include "sync/flanks/json_text.hpp"

namespace flanks {

namespace {

// {"key":"value",...}. Room first, so that no copy of a secret is left behind by growing.
class object_text {
 public:
  explicit object_text(std::size_t room) {
    text_.reserve(room);
    text_.push_back('{');
  }
  object_text& field(std::string_view key, std::string_view value) {
    append_separator(text_);
    append_json_string(text_, key, true);
    text_.push_back(':');
    append_json_string(text_, value, false);
    return *this;
  }
  object_text& raw(std::string_view json) {
    append_separator(text_);
    text_.append(json);
    return *this;
  }
  secret finish() {
    text_.push_back('}');
    return secret{std::move(text_)};
  }

 private:
  std::string text_;
};

// A control character takes six bytes.
std::size_t room_for(std::string_view value) {
  return 6 * value.size() + 256;
}

}  // namespace

std::string_view transactions_endpoint(product what) {
  switch (what) {
    case product::account:
      return "/v0/bank/credentials/data";
    case product::card:
      return "/v0/bank/credentials/card/transaction";
    case product::investment:
      return "/v0/bank/credentials/investment/transaction";
    case product::liability:
      return "/v0/bank/credentials/liability/transaction";
  }
  return {};
}

secret token_body(const provider_options& options, const provider_keys& keys) {
  const bool by_password = options.grant_type == grant::password;
  object_text body(room_for(options.client_id) + room_for(keys.client_secret.reveal()) +
                   room_for(options.username) + room_for(keys.password.reveal()));
  body.field("client_id", options.client_id)
      .field("client_secret", keys.client_secret.reveal())
      .field("grant_type", by_password ? "password" : "client_credentials");
  if (by_password) {
    body.field("username", options.username).field("password", keys.password.reveal());
  }
  return body.finish();
}

secret status_body(const secret& credentials_token) {
  object_text body(room_for(credentials_token.reveal()));
  return body.field("credentials_token", credentials_token.reveal()).finish();
}

secret transactions_body(const secret& credentials_token, window days, std::string_view filter) {
  object_text body(room_for(credentials_token.reveal()) + filter.size());
  std::string query = "\"query\":{\"operationDate\":[{\"gte\":\"" + to_string(days.from) + "\"";
  if (!days.open) query += ",\"lte\":\"" + to_string(days.to) + "\"";
  query += "}]";
  if (!filter.empty()) query.append(",").append(filter);
  query.push_back('}');
  return body.field("credentials_token", credentials_token.reveal())
      .raw(query)
      .raw("\"ignore_data_error\":false")
      .finish();
}

secret products_body(const secret& credentials_token) {
  object_text body(room_for(credentials_token.reveal()));
  return body.field("credentials_token", credentials_token.reveal())
      .raw("\"ignore_data_error\":false")
      .finish();
}

secret listing_body(const secret& credentials_token, const std::vector<std::string>& product_ids,
                    std::optional<window> days, const std::optional<std::string>& page_token) {
  std::size_t room = room_for(credentials_token.reveal()) + room_for(page_token.value_or(""));
  for (const std::string& id : product_ids)
    room += room_for(id);
  std::string query;
  query.reserve(room);  // so that no copy of the token is left behind by growing
  query += R"("query":{"connection_id_in":[)";
  append_json_string(query, credentials_token.reveal(), false);
  query += "]";
  if (!product_ids.empty()) {
    query += R"(,"product_id_in":[)";
    for (const std::string& id : product_ids) {
      append_separator(query);
      append_json_string(query, id, false);
    }
    query += "]";
  }
  if (days) {
    query += R"(,"date_from":")" + to_string(days->from) + "\"";
    if (!days->open) query += R"(,"date_to":")" + to_string(days->to) + "\"";
  }
  query += "}";
  object_text body(room + 256);
  body.raw(query);
  const secret used{std::move(query)};  // wiped
  if (page_token) {
    body.field("page_token", *page_token);
  } else {
    body.raw("\"page_token\":null");
  }
  return body.finish();
}

}  // namespace flanks
