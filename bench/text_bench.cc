// fix_text() in megabytes of text a second on one core: clean text by script, text that needs work,
// and real passages.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/text/fix_text.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

constexpr std::size_t kTextBytes = std::size_t{1} << 20;

std::string repeated(std::string_view line) {
  std::string text;
  while (text.size() < kTextBytes) text.append(line);
  return text;
}

// Titles and abstracts of SciFact, one a line; empty where they are not there.
std::string real_passages() {
  std::string text;
  const auto path = shared_data("beir-scifact/corpus.jsonl");
  if (!std::filesystem::exists(path)) return text;
  LineReader reader = LineReader::open(path).value();
  for (std::string line; reader.next(line).value();) {
    const Json passage = parse_json(line, reader.where()).value();
    text += passage["title"].get<std::string>() + "\n" + passage["text"].get<std::string>() + "\n";
  }
  return text;
}

void fix_text_bench(benchmark::State& state, const std::string& text) {
  if (text.empty()) {
    state.SkipWithError("the collection is not there");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(fix_text(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

BENCHMARK_CAPTURE(fix_text_bench, clean_english,
                  repeated("A ranking of passages, best first, with its scores (0.9 > 0.4).\n"));
BENCHMARK_CAPTURE(fix_text_bench, clean_french,
                  repeated("L'élève a été reçu à l'école où son frère préparait déjà un repas.\n"));
BENCHMARK_CAPTURE(fix_text_bench, clean_russian,
                  repeated("Все счастливые семьи похожи друг на друга, каждая несчастлива.\n"));
BENCHMARK_CAPTURE(fix_text_bench, clean_chinese,
                  repeated("学而时习之不亦说乎 有朋自远方来不亦乐乎 人不知而不愠不亦君子乎\n"));
BENCHMARK_CAPTURE(fix_text_bench, clean_hindi,
                  repeated("सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है\n"));
BENCHMARK_CAPTURE(fix_text_bench, curly_quotes_and_entities,
                  repeated("“It’s ﬁne,” she said &amp; left; nobody else had anything to say.\n"));
BENCHMARK_CAPTURE(fix_text_bench, mojibake,
                  repeated("Il a Ã©tÃ© reÃ§u Ã  lâ€™Ã©cole oÃ¹ son frÃ¨re prÃ©parait un repas.\n"));
BENCHMARK_CAPTURE(fix_text_bench, scifact, real_passages());

}  // namespace
}  // namespace rr
