#include "rr/weights/lora_adapter.h"

#include <fmt/core.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/weights/tensor_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "base_model.model.";

Error unfit(std::string message, const fs::path& where) {
  return {Errc::kRejected, std::move(message), where.string()};
}

// Rank and scale, as the configuration says.
struct AdapterConfig {
  std::size_t rank;
  double alpha;
  bool divides_by_root;  // rank-stabilised LoRA: alpha / sqrt(rank)
};

bool is_set(const Json& config, const char* key) {
  const auto it = config.find(key);
  if (it == config.end() || it->is_null()) return false;
  if (it->is_boolean()) return it->get<bool>();
  return it->is_string() || !it->empty();
}

Result<AdapterConfig> read_config(const fs::path& path) {
  RR_TRY(const std::string text, read_file(path));
  RR_TRY(const Json config, parse_json(text, path.string()));
  if (!config.is_object() || config.value("peft_type", Json()) != "LORA") {
    return unfit("expected an adapter with \"peft_type\": \"LORA\"", path);
  }
  for (const char* const key : {"use_dora", "fan_in_fan_out", "modules_to_save", "lora_bias",
                                "alpha_pattern", "target_parameters"}) {
    if (is_set(config, key)) {
      return unfit(fmt::format("adapters with \"{}\" are not supported", key), path);
    }
  }
  if (config.value("bias", Json("none")) != "none") {
    return unfit("adapters that change biases are not supported", path);
  }
  const Json rank = config.value("r", Json());
  const Json alpha = config.value("lora_alpha", Json());
  if (!rank.is_number_unsigned() || rank.get<std::size_t>() == 0 || !alpha.is_number()) {
    return unfit("expected a rank \"r\" of 1 or more and a number \"lora_alpha\"", path);
  }
  return AdapterConfig{rank.get<std::size_t>(), alpha.get<double>(), is_set(config, "use_rslora")};
}

struct TensorRole {
  std::string module;
  bool is_a;
};

// "base_model.model.<module>.lora_A.weight", in older files ".lora_A.default.weight".
std::optional<TensorRole> role_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  for (const bool is_a : {true, false}) {
    for (const char* const ending : {".weight", ".default.weight"}) {
      const std::string tail = std::string(is_a ? ".lora_A" : ".lora_B") + ending;
      if (name.ends_with(tail)) {
        return TensorRole{std::string(name.substr(0, name.size() - tail.size())), is_a};
      }
    }
  }
  return std::nullopt;
}

class PeftAdapter final : public LoraAdapter {
 public:
  PeftAdapter(fs::path path, std::unique_ptr<TensorFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  Status read(const AdapterConfig& config) {
    std::map<std::string, std::pair<const TensorView*, const TensorView*>> pairs;
    for (const TensorView& tensor : file_->tensors()) {
      const auto role = role_of(tensor.name);
      if (!role || tensor.shape.size() != 2) {
        return unfit(fmt::format("tensor {} is none of a LoRA adapter's", tensor.name), path_);
      }
      auto& pair = pairs[role->module];
      (role->is_a ? pair.first : pair.second) = &tensor;
    }
    if (pairs.empty()) return unfit("the adapter holds no tensors", path_);
    for (const auto& [name, pair] : pairs) RR_TRY_STATUS(add(name, pair, config));
    return ok_status();
  }

  const fs::path& path() const override { return path_; }
  std::span<const LoraModule> modules() const override { return modules_; }

 private:
  Status add(const std::string& name, std::pair<const TensorView*, const TensorView*> pair,
             const AdapterConfig& config) {
    const auto& [a, b] = pair;
    if (a == nullptr || b == nullptr) {
      return unfit(fmt::format("expected A and B of {}, found one of them", name), path_);
    }
    const std::size_t rank = a->shape[0];
    if (b->shape[1] != rank) {
      return unfit(fmt::format("A of {} has rank {} and B rank {}", name, rank, b->shape[1]),
                   path_);
    }
    const double root =
        config.divides_by_root ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
    modules_.push_back({name, *a, *b, static_cast<float>(config.alpha / root)});
    return ok_status();
  }

  fs::path path_;
  std::unique_ptr<TensorFile> file_;
  std::vector<LoraModule> modules_;
};

}  // namespace

Result<std::unique_ptr<LoraAdapter>> LoraAdapter::open(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / "adapter_config.json", error)) {
    return Error{Errc::kNotFound,
                 "expected a folder with adapter_config.json and adapter_model.safetensors, found "
                 "none",
                 folder.string()};
  }
  RR_TRY(const AdapterConfig config, read_config(folder / "adapter_config.json"));
  RR_TRY(std::unique_ptr<TensorFile> file, TensorFile::open(folder / "adapter_model.safetensors"));
  auto adapter = std::make_unique<PeftAdapter>(folder, std::move(file));
  RR_TRY_STATUS(adapter->read(config));
  return std::unique_ptr<LoraAdapter>(std::move(adapter));
}

Status write_lora_adapter(const fs::path& folder, std::span<const LoraTensorToWrite> tensors,
                          std::size_t rank, double alpha, const std::string& base_model) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return unfit("cannot be made: " + error.message(), folder);
  std::vector<TensorToWrite> prefixed;
  std::set<std::string> targets;
  for (const LoraTensorToWrite& tensor : tensors) {
    prefixed.push_back({std::string(kPrefix) + tensor.name, TensorType::kF32, tensor.shape,
                        std::as_bytes(tensor.values)});
    const std::string module = tensor.name.substr(0, tensor.name.find(".lora_"));
    targets.insert(module.substr(module.rfind('.') + 1));
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base_model},
                       {"r", rank},
                       {"lora_alpha", alpha},
                       {"lora_dropout", 0.0},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"target_modules", targets}};
  RR_TRY_STATUS(
      write_tensor_file(folder / "adapter_model.safetensors", prefixed, {{"format", "pt"}}));
  return write_file(folder / "adapter_config.json", config.dump(2) + "\n");
}

}  // namespace rr
