#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.h"

namespace rr {

// What a model costs, in US dollars a million tokens. Both at least 0.
struct ModelPrice {
  double input = 0;
  double output = 0;
};

// input * prompt_tokens / 1e6 + output * completion_tokens / 1e6.
double cost_usd(const ModelPrice& price, std::size_t prompt_tokens, std::size_t completion_tokens);

// Prices by model name, from a small TOML file (docs/formats/prices.md):
//
//   [model."gpt-4o-mini"]
//   input = 0.15
//   output = 0.60
class PriceList {
 public:
  // Refused with file and line: no TOML, a table or key that is not known (a misspelt "ouput" would
  // otherwise cost nothing), a price that is missing, negative or no number.
  static Result<PriceList> read(const std::filesystem::path& path);
  static Result<PriceList> parse(std::string_view toml, const std::string& name);

  // By the exact name.
  std::optional<ModelPrice> find(std::string_view model) const;

 private:
  std::map<std::string, ModelPrice, std::less<>> prices_;
};

}  // namespace rr
