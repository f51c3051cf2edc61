#include "rr/lm_cache/prices.h"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <cmath>

#include "rr/base/file.h"

namespace rr {
namespace {

std::string place(const std::string& name, const toml::source_region& source) {
  return fmt::format("{}:{}", name, source.begin.line);
}

Result<double> read_price(const toml::table& table, std::string_view key, const std::string& model,
                          const std::string& name) {
  const toml::node* node = table.get(key);
  if (node == nullptr) {
    return Error{Errc::kMalformed,
                 fmt::format("expected \"{}\" in the prices of \"{}\", found none", key, model),
                 place(name, table.source())};
  }
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (value && std::isfinite(*value) && *value >= 0) return *value;
  return Error{
      Errc::kMalformed,
      fmt::format("expected US dollars a million tokens for \"{}\", at least 0, found something "
                  "else",
                  key),
      place(name, node->source())};
}

Result<ModelPrice> read_model(const std::string& model, const toml::node& node,
                              const std::string& name) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    return Error{Errc::kMalformed, fmt::format("expected a table of prices for \"{}\"", model),
                 place(name, node.source())};
  }
  for (const auto& [key, value] : *table) {
    if (key == "input" || key == "output") continue;
    return Error{Errc::kMalformed,
                 fmt::format("expected \"input\" and \"output\" in the prices of \"{}\", found "
                             "\"{}\"",
                             model, key.str()),
                 place(name, value.source())};
  }
  ModelPrice price;
  RR_TRY(price.input, read_price(*table, "input", model, name));
  RR_TRY(price.output, read_price(*table, "output", model, name));
  return price;
}

}  // namespace

double cost_usd(const ModelPrice& price, std::size_t prompt_tokens, std::size_t completion_tokens) {
  constexpr double kMillion = 1e6;
  return (price.input * static_cast<double>(prompt_tokens) +
          price.output * static_cast<double>(completion_tokens)) /
         kMillion;
}

Result<PriceList> PriceList::parse(std::string_view text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return Error{Errc::kMalformed, fmt::format("expected TOML: {}", error.description()),
                 place(name, error.source())};
  }
  PriceList list;
  for (const auto& [key, node] : root) {
    const toml::table* models = node.as_table();
    if (key != "model" || models == nullptr) {
      return Error{Errc::kMalformed,
                   fmt::format("expected tables [model.\"NAME\"], found \"{}\"", key.str()),
                   place(name, node.source())};
    }
    for (const auto& [model, prices] : *models) {
      const std::string model_name(model.str());
      RR_TRY(const ModelPrice price, read_model(model_name, prices, name));
      list.prices_.emplace(model_name, price);
    }
  }
  return list;
}

Result<PriceList> PriceList::read(const std::filesystem::path& path) {
  RR_TRY(const std::string text, read_file(path));
  return parse(text, display_name(path));
}

std::optional<ModelPrice> PriceList::find(std::string_view model) const {
  const auto it = prices_.find(model);
  if (it == prices_.end()) return std::nullopt;
  return it->second;
}

}  // namespace rr
