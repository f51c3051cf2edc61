#include "rr/report/comparison_tables.h"

#include <fmt/core.h>

#include <vector>

namespace rr {
namespace {

std::string format_interval(const Interval& interval, const char* number) {
  return fmt::format("[{}, {}]", fmt::format(fmt::runtime(number), interval.low),
                     fmt::format(fmt::runtime(number), interval.high));
}

std::string letters_of(const std::vector<std::size_t>& runs) {
  std::string letters;
  for (const std::size_t run : runs) letters += letter_of(run);
  return letters;
}

void add_pair_with_base(const ComparedPair& pair, Row& row) {
  row.emplace_back(fmt::format("{:+.4f}", pair.difference));
  row.emplace_back(format_interval(pair.interval, "{:+.4f}"));
  row.emplace_back(fmt::format("{}/{}/{}", pair.wins, pair.ties, pair.losses));
  row.emplace_back(format_p(pair.adjusted_p));
  row.emplace_back(fmt::format("{:.2f}", pair.effect_size));
  row.emplace_back(pair.detectable ? fmt::format("{:.4f}", *pair.detectable) : "-");
}

// `sign`: 1 where the row is pair.other, -1 where it is pair.base.
Cell significance_cell(const ComparedPair& pair, double sign, double alpha) {
  const double difference = sign * pair.difference;
  const bool is_significant = pair.adjusted_p <= alpha && difference != 0;
  const char* mark = !is_significant ? "" : difference > 0 ? "▲ " : "▼ ";
  Cell cell(fmt::format("{}{:+.4f}, p {}{}", mark, difference, pair.adjusted_p < 0.0001 ? "" : "= ",
                        format_p(pair.adjusted_p)));
  if (is_significant) cell.tone = difference > 0 ? Tone::kGood : Tone::kBad;
  return cell;
}

}  // namespace

std::string letter_of(std::size_t run) { return std::string(1, static_cast<char>('a' + run)); }

std::string format_p(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p); }

const char* name_of(TestKind test) {
  if (test == TestKind::kPairedT) return "paired t-test";
  return test == TestKind::kWilcoxon ? "Wilcoxon's signed-rank test"
                                     : "Fisher's randomisation test";
}

const char* name_of(Correction correction) {
  if (correction == Correction::kNone) return "no correction";
  return correction == Correction::kHolm ? "Holm's correction" : "Bonferroni's correction";
}

Table comparison_table(std::span<const std::string> names, const MeasureComparison& measure,
                       const CompareOptions& options) {
  const std::string percent = fmt::format("{:g}%", 100 * options.confidence);
  Table table;
  table.text_columns = 2;
  table.header = {"",      "run",          "mean",         "beats",  percent,     "vs a",
                  percent, "win/tie/loss", "p (adjusted)", "effect", "detectable"};
  std::vector<double> means;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ComparedRun& run = measure.runs[i];
    Row row = {letter_of(i), names[i], fmt::format("{:.4f}", run.mean), letters_of(run.beaten),
               format_interval(run.interval, "{:.4f}")};
    if (i > 0) add_pair_with_base(measure.pairs[i - 1], row);  // (0, 1), (0, 2), ... come first
    while (row.size() < table.header.size()) row.emplace_back("");
    table.rows.push_back(std::move(row));
    means.push_back(run.mean);
  }
  mark_best(table, 2, means);
  return table;
}

Table significance_table(std::span<const std::string> names, const MeasureComparison& measure,
                         const CompareOptions& options) {
  Table table;
  table.text_columns = 2;
  table.header = {"", "run"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    table.header.emplace_back("against " + letter_of(i));
    table.rows.push_back({letter_of(i), names[i]});
    table.rows.back().resize(names.size() + 2, Cell("–"));
  }
  for (const ComparedPair& pair : measure.pairs) {
    table.rows[pair.other][pair.base + 2] = significance_cell(pair, 1, options.alpha);
    table.rows[pair.base][pair.other + 2] = significance_cell(pair, -1, options.alpha);
  }
  return table;
}

std::string explain_comparison(std::size_t num_runs, const CompareOptions& options) {
  const std::size_t num_pairs = num_runs * (num_runs - 1) / 2;
  const bool is_corrected = options.correction != Correction::kNone && num_pairs > 1;
  std::string text = fmt::format(
      "p: two-sided {}, {}, level {:g}; \"beats\" names the runs that "
      "are significantly worse.\n",
      name_of(options.test),
      num_pairs == 1 ? "one pair, so no correction"
                     : fmt::format("{} over the {} pairs of each measure",
                                   name_of(options.correction), num_pairs),
      options.alpha);
  if (options.test == TestKind::kRandomisation) {
    text += fmt::format(
        "Sign patterns: all of them up to {} topics that differ, above {} sampled, seed {}.\n",
        kExactRandomisation, options.samples, options.seed);
  }
  text += fmt::format(
      "{:g}%: interval by bias-corrected and accelerated bootstrap over topics, {} resamples, seed "
      "{}.\n",
      100 * options.confidence, options.resamples, options.seed);
  text += fmt::format(
      "effect: mean difference / its standard deviation. detectable: the smallest true difference "
      "that a t-test at level {:g}{} finds on so many topics with probability {:g}.\n",
      options.alpha, is_corrected ? fmt::format("/{}", num_pairs) : "", options.power);
  return text;
}

}  // namespace rr
