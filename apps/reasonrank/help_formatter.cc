#include "apps/reasonrank/help_formatter.h"

#include <fmt/core.h>

#include <string_view>

namespace rr {
namespace {

// "value in {drop->1,keep->0} OR {1,0}" -> "{drop,keep}"; empty where no choices are named.
std::string choices_in(std::string_view type) {
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return "";
  std::string choices = "{";
  for (std::string_view rest = type.substr(begin + 1, end - begin - 1); !rest.empty();) {
    const std::string_view choice = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), choice.size() + 1));
    choices +=
        fmt::format("{}{}", choices.size() == 1 ? "" : ",", choice.substr(0, choice.find("->")));
  }
  return choices + "}";
}

std::string value_name(std::string_view type) {
  if (const std::string choices = choices_in(type); !choices.empty()) return choices;
  if (type.starts_with("UINT") || type.starts_with("INT")) return "N";
  if (type.starts_with("FLOAT")) return "NUMBER";
  return std::string(type.substr(0, type.find(':')));
}

}  // namespace

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";
  std::string text = " " + value_name(option->get_type_name());
  if (!option->get_default_str().empty()) text += " = " + option->get_default_str();
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) text += " ...";
  if (option->get_required()) text += " (required)";
  return text;
}

}  // namespace rr
