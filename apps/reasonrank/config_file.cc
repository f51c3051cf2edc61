#include "apps/reasonrank/config_file.h"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <sstream>
#include <string>

#include "rr/base/file.h"

namespace rr {
namespace {

Error at(const std::filesystem::path& path, const toml::source_position& position,
         std::string message) {
  return {Errc::kMalformed, std::move(message),
          fmt::format("{}:{}", path.string(), static_cast<unsigned>(position.line))};
}

// A value as the command line would have it.
std::string word_of(const toml::node& value) {
  if (const auto text = value.value_exact<std::string>()) return *text;
  std::ostringstream out;
  if (const auto* number = value.as_integer()) {
    out << number->get();
  } else if (const auto* real = value.as_floating_point()) {
    out << fmt::format("{}", real->get());
  } else if (const auto* truth = value.as_boolean()) {
    out << (truth->get() ? "true" : "false");
  }
  return out.str();
}

Status set_option(CLI::App& command, const std::filesystem::path& path, const std::string& key,
                  const toml::node& value) {
  CLI::Option* const option = command.get_option_no_throw("--" + key);
  if (option == nullptr || key == "help" || key == "config" || key == "resume") {
    return at(path, value.source().begin, fmt::format("\"{}\" is no setting", key));
  }
  if (option->count() > 0) return ok_status();  // the command line goes first
  const std::string word = word_of(value);
  if (word.empty()) {
    return at(path, value.source().begin,
              fmt::format("expected a text, a number or true or false for \"{}\"", key));
  }
  try {
    option->add_result(word);
    option->run_callback();
  } catch (const CLI::Error& error) {
    return at(path, value.source().begin, error.what());
  }
  return ok_status();
}

}  // namespace

Status read_config_file(CLI::App& command, const std::filesystem::path& path) {
  RR_TRY(const std::string text, read_file(path));
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return at(path, error.source().begin,
              fmt::format("expected TOML: {}", std::string(error.description())));
  }
  for (const auto& [key, value] : table) {
    RR_TRY_STATUS(set_option(command, path, std::string(key.str()), value));
  }
  return ok_status();
}

}  // namespace rr
