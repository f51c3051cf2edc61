// Any bytes as a run's folder: run.json up to the first NUL, a checkpoint after it. An error, or
// weights whose settings can be written.

#include <algorithm>

#include "rr/base/utf8.h"
#include "rr/train/sft_settings.h"
#include "rr/train/trained_model.h"
#include "tests/test_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\0'), size);
  const rr::TestFolder folder;
  folder.write("run.json", text.substr(0, end));
  folder.write("checkpoints/step-000001.safetensors", text.substr(std::min(end + 1, size)));
  const auto run = rr::RunFolder::open(folder);
  if (!run.ok()) {
    RR_CHECK(rr::is_valid_utf8(run.error().message), "messages are text");
    return 0;
  }
  (void)run->best_checkpoint();
  const auto settings =
      rr::sft_settings_from_json(run->run().value("settings", rr::Json()), "run.json");
  if (settings.ok()) {
    const auto again = rr::sft_settings_from_json(rr::to_json(settings.value()), "run.json");
    RR_CHECK(again.ok(), "what was read can be written and read");
  }
  (void)rr::TrainedWeights::open(run.value());
  return 0;
}
