#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace rr {

// An option that takes one of a few words, each of which stands for a value; the first is the
// default.
template <typename Value>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Value& value,
                        const std::vector<std::pair<std::string, Value>>& choices,
                        const std::string& description) {
  std::vector<std::string> words;
  for (const auto& choice : choices) words.push_back(choice.first);
  return command
      .add_option_function<std::string>(
          name,
          [&value, choices](const std::string& word) {
            for (const auto& choice : choices) {
              if (choice.first == word) value = choice.second;
            }
          },
          description)
      ->check(CLI::IsMember(words))
      ->type_name("HOW")
      ->default_str(words.front());
}

}  // namespace rr
