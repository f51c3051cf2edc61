#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// The subcommands of `model`, each in its own file. As in commands.h.
void add_model_info_command(CLI::App& model, int& exit_code);
void add_model_tokenize_command(CLI::App& model, int& exit_code);
void add_model_score_command(CLI::App& model, int& exit_code);
void add_model_generate_command(CLI::App& model, int& exit_code);

// "ids" of an input line. Refuses what is no list of whole numbers inside the vocabulary.
Result<TokenIds> read_ids(const Json& line, const Tokenizer& tokenizer, const std::string& where);

// The ids of a text as a model reads it: its begin token in front, where it wants one. Special
// tokens in it are recognised where asked.
TokenIds ids_of_text(const Tokenizer& tokenizer, const std::string& text, bool with_special);

// Says on stderr how much ill-formed UTF-8 was replaced, if any.
void report_repaired(std::size_t repaired);

}  // namespace rr
