#include "sync/flanks/product_fields.hpp"

namespace flanks {

namespace {

struct renamed_field {
  std::string_view key;
  std::string_view column;
};
// Where the provider's name is not the column's own.
constexpr std::array<renamed_field, 10> renamed{{{"isOwner", "is_owner"},
                                                 {"numOwners", "num_owners"},
                                                 {"limit", "credit_limit"},
                                                 {"availableBalance", "available_balance"},
                                                 {"refAccount", "ref_account"},
                                                 {"refAccounts", "ref_accounts"},
                                                 {"contactInfo", "contact_info"},
                                                 {"updated_at_timestamp", "provider_updated_at"},
                                                 {"_id", "identity_id"},
                                                 {"id", "entity_id"}}};

}  // namespace

std::optional<std::size_t> column_of(const product_list& list, std::string_view key) {
  const auto columns = list.columns();
  for (const renamed_field& field : renamed) {
    if (field.key == key) return find_column(columns, field.column);
    if (field.column == key) return std::nullopt;  // ours, not the provider's
  }
  // Made here, both of them.
  if (key == "extra" || key == "holder_id") return std::nullopt;
  return find_column(columns, key);
}

std::string_view products_endpoint(product_kind kind) {
  switch (kind) {
    case product_kind::account:
      return "/v0/bank/credentials/account";
    case product_kind::card:
      return "/v0/bank/credentials/card";
    case product_kind::investment:
      return "/v0/bank/credentials/investment";
    case product_kind::liability:
      return "/v0/bank/credentials/liability";
    case product_kind::portfolio:
      return "/v0/bank/credentials/portfolio";
    case product_kind::identity:
      return "/v0/bank/credentials/auth/";
    case product_kind::holder:
      return "/v0/bank/credentials/holder";
  }
  return {};
}

}  // namespace flanks
