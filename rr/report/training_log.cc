#include "rr/report/training_log.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <set>

#include "rr/base/file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStep = "step";

// The step of a line, which is an object.
Result<std::size_t> step_of(const Json& record, const std::string& where) {
  const auto step = record.find(kStep);
  if (step != record.end() && step->is_number_unsigned()) return step->get<std::size_t>();
  return Error{Errc::kMalformed, "expected a \"step\" from 0, found none", where};
}

using LookAtRecord = std::function<Status(const Json& record, const std::string& where)>;

Status read_line(const std::string& line, const std::string& where, const LookAtRecord& look) {
  RR_TRY(const Json record, parse_json(line, where));
  if (record.is_object()) return look(record, where);
  return Error{Errc::kMalformed, "expected a JSON object", where};
}

// Every line of a file that need not be there. Whether the last one is broken off is returned: a
// line that fails is only that if another one follows.
Result<bool> read_records(const fs::path& file, const LookAtRecord& look) {
  std::error_code error;
  if (!fs::exists(file, error)) return false;
  RR_TRY(LineReader lines, LineReader::open(file));
  std::optional<Error> failed;
  for (std::string line;;) {
    RR_TRY(const bool more, lines.next(line));
    if (!more) return failed.has_value();
    if (line.empty()) continue;
    if (failed) return *failed;
    if (const Status status = read_line(line, lines.where(), look); !status.ok()) {
      failed = status.error();
    }
  }
}

LineSeries& series_of(const std::string& key, TrainingLog& log) {
  for (LineSeries& series : log.metrics) {
    if (series.name == key) return series;
  }
  return log.metrics.emplace_back(LineSeries{key, {}});
}

Status add_numbers(const Json& record, std::size_t step, const std::string& where,
                   TrainingLog& log) {
  for (const auto& [key, value] : record.items()) {
    // JSON has no number that is not finite: such a one is written as null.
    if (key == kStep || !(value.is_number() || value.is_null())) continue;
    if (key.empty()) {
      return Error{Errc::kMalformed, "expected a name for each number, found \"\"", where};
    }
    const double number =
        value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    series_of(key, log).points.push_back({static_cast<double>(step), number});
  }
  return ok_status();
}

Result<bool> read_metrics(const fs::path& file, TrainingLog& log) {
  std::size_t last_step = 0;
  return read_records(file, [&](const Json& record, const std::string& where) -> Status {
    RR_TRY(const std::size_t step, step_of(record, where));
    if (step < last_step) {
      return Error{
          Errc::kMalformed,
          fmt::format("expected steps in ascending order, found {} after {}", step, last_step),
          where};
    }
    last_step = step;
    return add_numbers(record, step, where, log);
  });
}

std::string text_of(const Json& record, const char* key) {
  const auto value = record.find(key);
  return value != record.end() && value->is_string() ? value->get<std::string>() : "";
}

SampleReply sample_of(const Json& record, std::size_t step) {
  SampleReply sample = {
      step, text_of(record, "qid"), text_of(record, "query"), text_of(record, "reply"), {}};
  for (const auto& [key, value] : record.items()) {
    if (key != kStep && value.is_number()) sample.scores.emplace_back(key, value.get<double>());
  }
  return sample;
}

// At most kSampleSteps of them, evenly, the first and the last among them.
std::set<std::size_t> spread(const std::set<std::size_t>& steps) {
  if (steps.size() <= kSampleSteps) return steps;
  const std::vector<std::size_t> all(steps.begin(), steps.end());
  std::set<std::size_t> chosen;
  for (std::size_t i = 0; i < kSampleSteps; ++i) {
    chosen.insert(all[i * (all.size() - 1) / (kSampleSteps - 1)]);
  }
  return chosen;
}

// Twice through the file, which may be large.
Result<bool> read_samples(const fs::path& file, TrainingLog& log) {
  std::set<std::size_t> steps;
  RR_TRY_STATUS(
      read_records(file, [&steps](const Json& record, const std::string& where) -> Status {
        RR_TRY(const std::size_t step, step_of(record, where));
        steps.insert(step);
        return ok_status();
      }));
  const std::set<std::size_t> chosen = spread(steps);
  std::size_t num_of_step = 0;
  return read_records(file, [&](const Json& record, const std::string& where) -> Status {
    RR_TRY(const std::size_t step, step_of(record, where));
    if (!chosen.contains(step)) return ok_status();
    const bool is_new_step = log.samples.empty() || log.samples.back().step != step;
    num_of_step = is_new_step ? 1 : num_of_step + 1;
    if (num_of_step <= kSamplesOfStep) log.samples.push_back(sample_of(record, step));
    return ok_status();
  });
}

}  // namespace

const LineSeries* TrainingLog::find(std::string_view key) const {
  const auto it = std::find_if(metrics.begin(), metrics.end(),
                               [key](const LineSeries& series) { return series.name == key; });
  return it == metrics.end() ? nullptr : &*it;
}

Result<TrainingLog> read_training_log(const fs::path& folder, Json run) {
  TrainingLog log;
  log.name = folder.string();
  log.run = std::move(run);
  RR_TRY(const bool metrics_cut, read_metrics(folder / "metrics.jsonl", log));
  RR_TRY(const bool samples_cut, read_samples(folder / "samples.jsonl", log));
  log.is_cut = metrics_cut || samples_cut;
  return log;
}

}  // namespace rr
