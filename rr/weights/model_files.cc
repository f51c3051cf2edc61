#include "rr/weights/model_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/mapped_file.h"
#include "rr/weights/internal/gguf.h"
#include "rr/weights/internal/quoted.h"
#include "rr/weights/internal/safetensors.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSideFileBytes = std::size_t{256} << 20;
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Opening a FIFO would wait for somebody to write into it.
Result<MappedFile> map_file(const fs::path& path) {
  std::error_code ignored;
  if (is_there(path) && !fs::is_regular_file(path, ignored)) {
    return Error{Errc::kMalformed, "expected a regular file", path.string()};
  }
  return MappedFile::open(path);
}

class GgufModel : public ModelFiles {
 public:
  static Result<std::unique_ptr<ModelFiles>> open(const fs::path& path) {
    RR_TRY(MappedFile file, map_file(path));
    RR_TRY(internal::GgufContents contents, internal::parse_gguf(file.bytes(), path.string()));
    return std::unique_ptr<ModelFiles>(new GgufModel(path, std::move(file), std::move(contents)));
  }

  Format format() const override { return Format::kGguf; }
  const fs::path& path() const override { return path_; }
  std::span<const TensorView> tensors() const override { return contents_.tensors; }
  std::span<const LeftOutTensor> left_out() const override { return {}; }
  const Json& metadata() const override { return contents_.metadata; }
  std::optional<GgufEntries> gguf_entries() const override { return contents_.entries; }
  Result<std::optional<std::string>> read_side_file(std::string_view) const override {
    return std::optional<std::string>();
  }

 private:
  GgufModel(fs::path path, MappedFile file, internal::GgufContents contents)
      : path_(std::move(path)), file_(std::move(file)), contents_(std::move(contents)) {
    index_tensors();
  }

  fs::path path_;
  MappedFile file_;
  internal::GgufContents contents_;
};

// The text of a small file of a folder, not unpacked; nullopt where there is none.
Result<std::optional<std::string>> read_small_file(const fs::path& path) {
  if (!is_there(path)) return std::optional<std::string>();
  RR_TRY(const MappedFile file, map_file(path));
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() > kMaxSideFileBytes) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a file of at most {} MiB, found {} bytes",
                             kMaxSideFileBytes >> 20, bytes.size()),
                 path.string()};
  }
  return std::optional(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Result<Json> read_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  RR_TRY(const std::optional<std::string> text, read_small_file(path));
  if (!text) {
    return Error{Errc::kNotFound, "expected a config.json in the model's folder, found none",
                 folder.string()};
  }
  RR_TRY(Json config, parse_json(*text, path.string()));
  if (!config.is_object()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a JSON object, found {}", config.type_name()),
                 path.string()};
  }
  return config;
}

// The first file of the folder (by name) whose name ends in one of `endings`; empty for none.
std::string file_ending_in(const fs::path& folder, std::initializer_list<const char*> endings) {
  std::set<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool fits = std::any_of(endings.begin(), endings.end(),
                                  [&](const char* ending) { return name.ends_with(ending); });
    if (fits) found.insert(name);
  }
  return found.empty() ? "" : *found.begin();
}

// Why there are no weights to read in a folder: as helpful as what lies in it allows.
Error no_weights(const fs::path& folder) {
  const auto error = [&](Errc code, std::string message) {
    return Error{code, std::move(message), folder.string()};
  };
  if (is_there(folder / "adapter_config.json")) {
    return error(Errc::kRejected,
                 "a LoRA adapter without its base model; merge it into the model first (peft's "
                 "merge_and_unload) and give that folder");
  }
  if (const std::string gguf = file_ending_in(folder, {".gguf"}); !gguf.empty()) {
    return error(Errc::kRejected,
                 fmt::format("expected a Hugging Face folder, found GGUF; give the file itself: {}",
                             (folder / gguf).string()));
  }
  if (const std::string pickle = file_ending_in(folder, {".bin", ".pt", ".pth"}); !pickle.empty()) {
    return error(Errc::kRejected,
                 fmt::format("expected {}, found pickled weights alone ({}), which are not read; "
                             "fetch or convert them as safetensors",
                             kSingleFile, pickle));
  }
  return error(Errc::kNotFound, fmt::format("expected {} or {} in the model's folder, found none",
                                            kSingleFile, kIndexFile));
}

class HuggingFaceModel : public ModelFiles {
 public:
  static Result<std::unique_ptr<ModelFiles>> open(const fs::path& folder) {
    std::unique_ptr<HuggingFaceModel> model(new HuggingFaceModel(folder));
    RR_TRY_STATUS(model->load());
    return std::unique_ptr<ModelFiles>(std::move(model));
  }

  Format format() const override { return Format::kHuggingFace; }
  const fs::path& path() const override { return folder_; }
  std::span<const TensorView> tensors() const override { return contents_.tensors; }
  std::span<const LeftOutTensor> left_out() const override { return contents_.left_out; }
  const Json& metadata() const override { return config_; }

  Result<std::optional<std::string>> read_side_file(std::string_view name) const override {
    if (!internal::is_plain_file_name(name)) {
      return Error{Errc::kRejected,
                   fmt::format("expected the name of a file in the folder, found {}",
                               internal::in_quotes(name)),
                   folder_.string()};
    }
    return read_small_file(folder_ / name);
  }

 private:
  explicit HuggingFaceModel(fs::path folder) : folder_(std::move(folder)) {}

  Status load() {
    const bool is_single = is_there(folder_ / kSingleFile);
    if (!is_single && !is_there(folder_ / kIndexFile)) return no_weights(folder_);
    RR_TRY(config_, read_config(folder_));
    if (is_single) {
      RR_TRY_STATUS(add_file(kSingleFile));
    } else {
      RR_TRY_STATUS(add_shards());
    }
    index_tensors();
    return ok_status();
  }

  Status add_file(const std::string& name) {
    const fs::path path = folder_ / name;
    RR_TRY(MappedFile file, map_file(path));
    RR_TRY(internal::SafetensorsContents contents,
           internal::parse_safetensors(file.bytes(), path.string()));
    files_.push_back(std::move(file));
    std::move(contents.tensors.begin(), contents.tensors.end(),
              std::back_inserter(contents_.tensors));
    std::move(contents.left_out.begin(), contents.left_out.end(),
              std::back_inserter(contents_.left_out));
    return ok_status();
  }

  Status add_shards() {
    const fs::path index = folder_ / kIndexFile;
    RR_TRY(const std::optional<std::string> text, read_small_file(index));
    RR_TRY(const internal::ShardOfTensor shard_of,
           internal::parse_safetensors_index(text.value_or(""), index.string()));
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
    std::map<std::string, std::string> found_in;
    for (const std::string& shard : shards) {
      if (!is_there(folder_ / shard)) {
        return Error{Errc::kNotFound,
                     fmt::format("expected the shard {}, found none in the folder; is the download "
                                 "complete?",
                                 internal::in_quotes(shard)),
                     index.string()};
      }
      const std::size_t tensors_before = contents_.tensors.size();
      const std::size_t left_out_before = contents_.left_out.size();
      RR_TRY_STATUS(add_file(shard));
      RR_TRY_STATUS(note_names(contents_.tensors, tensors_before, shard, found_in));
      RR_TRY_STATUS(note_names(contents_.left_out, left_out_before, shard, found_in));
    }
    return hold_against_index(shard_of, found_in, index);
  }

  // Notes the names from `first` on as those of a shard; no two shards may have one name.
  template <typename Named>
  Status note_names(const std::vector<Named>& tensors, std::size_t first, const std::string& shard,
                    std::map<std::string, std::string>& found_in) const {
    for (std::size_t i = first; i < tensors.size(); ++i) {
      const auto [it, is_new] = found_in.emplace(tensors[i].name, shard);
      if (!is_new) {
        return Error{
            Errc::kMalformed,
            fmt::format("tensor {} stands in two shards, {} and {}", internal::in_quotes(it->first),
                        internal::in_quotes(it->second), internal::in_quotes(shard)),
            folder_.string()};
      }
    }
    return ok_status();
  }

  static Status hold_against_index(const internal::ShardOfTensor& shard_of,
                                   const std::map<std::string, std::string>& found_in,
                                   const fs::path& index) {
    for (const auto& [tensor, shard] : shard_of) {
      const auto it = found_in.find(tensor);
      if (it != found_in.end() && it->second == shard) continue;
      return Error{Errc::kMalformed,
                   fmt::format("expected tensor {} in the shard {}, found none there",
                               internal::in_quotes(tensor), internal::in_quotes(shard)),
                   index.string()};
    }
    return ok_status();
  }

  fs::path folder_;
  Json config_;
  std::vector<MappedFile> files_;
  internal::SafetensorsContents contents_;
};

}  // namespace

Result<std::unique_ptr<ModelFiles>> ModelFiles::open(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (!fs::exists(status)) {
    return Error{Errc::kNotFound,
                 "no such file or folder; give a GGUF file or a Hugging Face folder",
                 path.string()};
  }
  if (fs::is_directory(status)) return HuggingFaceModel::open(path);
  if (path.extension() == ".safetensors") {
    return Error{Errc::kRejected,
                 "expected a GGUF file or a folder, found a safetensors file; give the folder that "
                 "holds it with its config.json",
                 path.string()};
  }
  return GgufModel::open(path);
}

const TensorView* ModelFiles::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Result<const TensorView*> ModelFiles::get(std::string_view name) const {
  if (const TensorView* tensor = find(name); tensor != nullptr) return tensor;
  for (const LeftOutTensor& tensor : left_out()) {
    if (tensor.name != name) continue;
    return Error{Errc::kRejected,
                 fmt::format("tensor {} {}", internal::in_quotes(name), tensor.reason),
                 path().string()};
  }
  return Error{Errc::kMalformed,
               fmt::format("expected a tensor {}, found none", internal::in_quotes(name)),
               path().string()};
}

std::size_t ModelFiles::total_bytes() const {
  std::size_t total = 0;
  for (const TensorView& tensor : tensors()) total += tensor.bytes.size();
  return total;
}

void ModelFiles::index_tensors() {
  by_name_.clear();
  for (const TensorView& tensor : tensors()) {
    const bool is_new = by_name_.emplace(tensor.name, &tensor).second;
    RR_CHECK(is_new, "the names of tensors must be distinct");
  }
}

}  // namespace rr
