#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/remote_options.h"
#include "rr/lm_cache/answer_cache.h"
#include "rr/lm_cache/prices.h"
#include "rr/report/table.h"

namespace rr {
namespace {

struct CostOptions {
  std::string cache;
  std::string prices;
  Budget budget;
};

struct Total {
  std::size_t answers = 0;
  std::size_t tokens = 0;
  std::size_t estimated = 0;
  double usd = 0;
  std::vector<std::string> unpriced;
};

// The row of one model; what it took is added to the total.
Row row_of(const ModelSpending& spent, const PriceList& prices, Total& total) {
  total.answers += spent.answers;
  total.tokens += spent.prompt_tokens + spent.completion_tokens;
  total.estimated += spent.estimated;
  std::string usd = "?";
  if (const auto price = prices.find(spent.model)) {
    const double cost = cost_usd(*price, spent.prompt_tokens, spent.completion_tokens);
    total.usd += cost;
    usd = fmt::format("{:.4f}", cost);
  } else {
    total.unpriced.push_back(spent.model);
  }
  return {spent.model, std::to_string(spent.answers), std::to_string(spent.prompt_tokens),
          std::to_string(spent.completion_tokens), usd};
}

void print_left(const Budget& budget, const Total& total) {
  if (budget.usd) {
    fmt::print("left of ${:g}: ${:.4f}\n", *budget.usd, std::max(0.0, *budget.usd - total.usd));
  }
  if (budget.tokens) {
    fmt::print("left of {} tokens: {}\n", *budget.tokens,
               *budget.tokens - std::min(*budget.tokens, total.tokens));
  }
}

// Of a folder, the cache in it.
std::filesystem::path cache_file(const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path path = name;
  return std::filesystem::is_directory(path, ignored) ? path / kAnswersFile : path;
}

Status print_cost(const CostOptions& options) {
  PriceList prices;
  if (!options.prices.empty()) {
    RR_TRY(prices, PriceList::read(options.prices));
  }
  RR_TRY(AnswerCache cache, AnswerCache::open_existing(cache_file(options.cache)));
  RR_TRY(const std::vector<ModelSpending> spending, cache.spending());
  Table table;
  table.header = {"model", "answers", "tokens read", "tokens written", "US dollars"};
  Total total;
  for (const ModelSpending& spent : spending) table.rows.push_back(row_of(spent, prices, total));
  fmt::print("{}", as_text(table, false));
  if (total.estimated > 0) {
    fmt::print("{} of {} answers came without a count of tokens: a token a byte is taken\n",
               total.estimated, total.answers);
  }
  if (!options.prices.empty()) {
    fmt::print("in all: ${:.4f}\n", total.usd);
    for (const std::string& model : total.unpriced) fmt::print("no price: {}\n", model);
  }
  if (options.budget.usd && !total.unpriced.empty()) {
    return Error{Errc::kNotFound, "expected a price for every model to say what is left",
                 options.prices.empty() ? "--prices" : options.prices};
  }
  print_left(options.budget, total);
  return ok_status();
}

}  // namespace

void add_cost_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("cost", "Say what a cache of answers has cost");
  const auto options = std::make_shared<CostOptions>();
  command->add_option("cache", options->cache, "The file that --cache named, or a folder with one")
      ->required()
      ->type_name("FILE");
  command->add_option("--prices", options->prices, "What models cost (TOML)");
  command->add_option("--budget-usd", options->budget.usd, "Say what is left of this")
      ->check(CLI::Range(0.0, 1e12));
  command->add_option("--budget-tokens", options->budget.tokens, "Say what is left of this");
  command->footer(
      "Counts every answer that ever came in, by model. Prices: docs/formats/prices.md.\n\n"
      "Examples:\n"
      "  reasonrank cost answers.sqlite --prices prices.toml\n"
      "  reasonrank cost answers.sqlite --prices prices.toml --budget-usd 20");
  command->callback([options, &exit_code] {
    const Status status = print_cost(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
