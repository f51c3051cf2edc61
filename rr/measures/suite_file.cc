#include "rr/measures/suite_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlaceholder = "{dataset}";

// What stands for one data set in place of the suite's general words.
struct Exception {
  std::optional<std::string> qrels;
  std::optional<bool> exclude_own;
  std::vector<std::pair<std::string, std::string>> runs;  // system, path
};

// A system as the file has it.
struct SystemEntry {
  std::string name;
  std::string run;                                   // with the placeholder
  std::optional<std::vector<std::string>> datasets;  // none: all
};

class SuiteReader {
 public:
  SuiteReader(const fs::path& path, const toml::table& root)
      : name_(display_name(path)), folder_(path.parent_path()), root_(root) {}

  Result<Suite> read() {
    RR_TRY_STATUS(check_keys(root_, {"datasets", "qrels", "systems", "dataset", "measures",
                                     "all_topics", "exclude_own"}));
    RR_TRY_STATUS(read_settings());
    RR_TRY_STATUS(read_datasets());
    RR_TRY_STATUS(read_systems());
    RR_TRY_STATUS(read_exceptions());
    return assemble();
  }

 private:
  std::string where(const toml::node& node) const {
    return fmt::format("{}:{}", name_, node.source().begin.line);
  }
  Error malformed(std::string message, const toml::node& node) const {
    return Error{Errc::kMalformed, std::move(message), where(node)};
  }
  Error missing(std::string message) const {
    return Error{Errc::kMalformed, std::move(message), name_};
  }

  Status check_keys(const toml::table& table, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : table) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      return malformed(
          fmt::format("expected one of {}, found \"{}\"", fmt::join(known, ", "), key.str()),
          value);
    }
    return ok_status();
  }

  // The value of a key as T, where the key is there.
  template <typename T>
  Result<std::optional<T>> value(const toml::table& table, std::string_view key,
                                 const char* what) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::optional<T>();
    const std::optional<T> exact = node->value_exact<T>();
    if (!exact) return malformed(fmt::format("expected \"{}\" to be {}", key, what), *node);
    return exact;
  }

  Result<std::vector<std::string>> strings(const toml::node& node, std::string_view key) const {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      return malformed(fmt::format("expected \"{}\" to be a list of strings", key), node);
    }
    std::vector<std::string> list;
    for (const toml::node& element : *array) {
      const auto text = element.value_exact<std::string>();
      if (!text || text->empty()) {
        return malformed(fmt::format("expected strings in \"{}\", found something else", key),
                         element);
      }
      list.push_back(*text);
    }
    return list;
  }

  // A table's entries in the order of the file, which TOML's tables do not keep.
  static std::vector<std::pair<std::string, const toml::node*>> in_order(const toml::table& table) {
    std::vector<std::pair<std::string, const toml::node*>> entries;
    for (const auto& [key, node] : table) entries.emplace_back(key.str(), &node);
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return a.second->source().begin < b.second->source().begin;
    });
    return entries;
  }

  Status read_settings() {
    RR_TRY(const auto all_topics, value<bool>(root_, "all_topics", "true or false"));
    suite_.all_topics = all_topics.value_or(false);
    RR_TRY(const auto exclude_own, value<bool>(root_, "exclude_own", "true or false"));
    exclude_own_ = exclude_own.value_or(false);
    RR_TRY(qrels_, value<std::string>(root_, "qrels", "a path"));
    const toml::node* measures = root_.get("measures");
    if (measures == nullptr) return ok_status();
    RR_TRY(const std::vector<std::string> names, strings(*measures, "measures"));
    for (const std::string& measure_name : names) {
      const Result<Measure> measure = parse_measure(measure_name);
      if (!measure.ok()) return malformed(measure.error().message, *measures);
      suite_.measures.push_back(measure.value());
    }
    return ok_status();
  }

  Status read_datasets() {
    const toml::node* node = root_.get("datasets");
    if (node == nullptr) return missing("expected a list \"datasets\", found none");
    RR_TRY(names_, strings(*node, "datasets"));
    if (names_.empty()) return malformed("expected at least one data set, found none", *node);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == "mean") {
        return malformed("expected another name than \"mean\", which the mean over data sets has",
                         *node);
      }
      if (index_of(names_[i]) == i) continue;
      return malformed(fmt::format("expected each data set once, found \"{}\" again", names_[i]),
                       *node);
    }
    exceptions_.resize(names_.size());
    return ok_status();
  }

  // names_.size() where there is none.
  std::size_t index_of(const std::string& dataset) const {
    return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), dataset) -
                                    names_.begin());
  }

  Error unknown_dataset(const std::string& dataset, const toml::node& node) const {
    return malformed(
        fmt::format("expected a data set of the list \"datasets\", found \"{}\"", dataset), node);
  }

  Status read_systems() {
    const toml::table* table = root_["systems"].as_table();
    if (table == nullptr || table->empty()) {
      return missing(
          "expected a table [systems] with NAME = \"run of each {dataset}\", found none");
    }
    for (const auto& [system, node] : in_order(*table)) {
      RR_TRY(SystemEntry entry, read_system(system, *node));
      systems_.push_back(std::move(entry));
    }
    return ok_status();
  }

  Result<SystemEntry> read_system(const std::string& system, const toml::node& node) const {
    if (const auto run = node.value_exact<std::string>()) return SystemEntry{system, *run, {}};
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return malformed(
          fmt::format("expected the system \"{}\" to be a path or {{run, datasets}}", system),
          node);
    }
    RR_TRY_STATUS(check_keys(*table, {"run", "datasets"}));
    RR_TRY(const auto run, value<std::string>(*table, "run", "a path"));
    if (!run) return malformed(fmt::format("expected \"run\" of system \"{}\"", system), node);
    SystemEntry entry{system, *run, {}};
    const toml::node* datasets = table->get("datasets");
    if (datasets == nullptr) return entry;
    RR_TRY(entry.datasets, strings(*datasets, "datasets"));
    for (const std::string& dataset : *entry.datasets) {
      if (index_of(dataset) == names_.size()) return unknown_dataset(dataset, *datasets);
    }
    return entry;
  }

  Status read_exceptions() {
    const toml::node* node = root_.get("dataset");
    if (node == nullptr) return ok_status();
    const toml::table* tables = node->as_table();
    if (tables == nullptr) return malformed("expected tables [dataset.NAME]", *node);
    for (const auto& [key, value_node] : *tables) {
      const std::size_t index = index_of(std::string(key.str()));
      if (index == names_.size()) return unknown_dataset(std::string(key.str()), value_node);
      const toml::table* table = value_node.as_table();
      if (table == nullptr) return malformed("expected a table [dataset.NAME]", value_node);
      RR_TRY(exceptions_[index], read_exception(*table));
    }
    return ok_status();
  }

  Result<Exception> read_exception(const toml::table& table) const {
    RR_TRY_STATUS(check_keys(table, {"qrels", "exclude_own", "systems"}));
    Exception exception;
    RR_TRY(exception.qrels, value<std::string>(table, "qrels", "a path"));
    RR_TRY(exception.exclude_own, value<bool>(table, "exclude_own", "true or false"));
    const toml::node* systems = table.get("systems");
    if (systems == nullptr) return exception;
    if (!systems->is_table()) return malformed("expected a table of systems", *systems);
    for (const auto& [key, node] : *systems->as_table()) {
      const std::string system(key.str());
      const auto run = node.value_exact<std::string>();
      if (!run) return malformed("expected a path of a run", node);
      if (std::none_of(systems_.begin(), systems_.end(),
                       [&](const SystemEntry& entry) { return entry.name == system; })) {
        return malformed(fmt::format("expected a system of [systems], found \"{}\"", system), node);
      }
      exception.runs.emplace_back(system, *run);
    }
    return exception;
  }

  // A path of the file for one data set.
  fs::path resolved(std::string path, const std::string& dataset) const {
    for (std::size_t at = path.find(kPlaceholder); at != std::string::npos;
         at = path.find(kPlaceholder, at + dataset.size())) {
      path.replace(at, kPlaceholder.size(), dataset);
    }
    return folder_ / path;
  }

  std::optional<fs::path> run_of(const SystemEntry& system, std::size_t dataset) const {
    const std::string& name = names_[dataset];
    for (const auto& [other, run] : exceptions_[dataset].runs) {
      if (other == system.name) return resolved(run, name);
    }
    const bool has_list = system.datasets.has_value();
    if (has_list && std::find(system.datasets->begin(), system.datasets->end(), name) ==
                        system.datasets->end()) {
      return std::nullopt;
    }
    return resolved(system.run, name);
  }

  Result<Suite> assemble() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::optional<std::string>& own = exceptions_[i].qrels;
      if (!own && !qrels_) {
        return missing(fmt::format("expected \"qrels\" for the data set \"{}\"", names_[i]));
      }
      suite_.datasets.push_back({names_[i], resolved(own ? *own : *qrels_, names_[i]),
                                 exceptions_[i].exclude_own.value_or(exclude_own_)});
    }
    for (const SystemEntry& system : systems_) {
      SuiteSystem resolved_system{system.name, {}};
      for (std::size_t i = 0; i < names_.size(); ++i) {
        resolved_system.runs.push_back(run_of(system, i));
      }
      suite_.systems.push_back(std::move(resolved_system));
    }
    return std::move(suite_);
  }

  std::string name_;
  fs::path folder_;
  const toml::table& root_;
  Suite suite_;
  bool exclude_own_ = false;
  std::optional<std::string> qrels_;
  std::vector<std::string> names_;
  std::vector<SystemEntry> systems_;
  std::vector<Exception> exceptions_;  // one for each data set
};

}  // namespace

Result<Suite> read_suite(const fs::path& path) {
  RR_TRY(const std::string text, read_file(path));
  try {
    const toml::table root = toml::parse(text, display_name(path));
    return SuiteReader(path, root).read();
  } catch (const toml::parse_error& error) {
    return Error{Errc::kMalformed, fmt::format("expected TOML: {}", error.description()),
                 fmt::format("{}:{}", display_name(path), error.source().begin.line)};
  }
}

std::optional<double> mean_over_datasets(std::span<const std::optional<double>> means) {
  RR_CHECK(!means.empty(), "a mean needs at least one data set");
  double sum = 0;
  for (const std::optional<double>& mean : means) {
    if (!mean) return std::nullopt;
    sum += *mean;
  }
  return sum / static_cast<double>(means.size());
}

}  // namespace rr
