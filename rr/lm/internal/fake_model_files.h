#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "rr/weights/model_files.h"

namespace rr::internal {

// A model without tensors whose texts a test sets: the edge of this room.
class FakeModelFiles : public ModelFiles {
 public:
  using Texts = std::map<std::string, std::string, std::less<>>;

  // A GGUF file with this metadata.
  static FakeModelFiles gguf(Json metadata) {
    return FakeModelFiles(Format::kGguf, "model.gguf", std::move(metadata), {});
  }

  // A Hugging Face folder with this config.json and these other files.
  static FakeModelFiles folder(Json config, Texts side_files) {
    return FakeModelFiles(Format::kHuggingFace, "folder", std::move(config), std::move(side_files));
  }

  Format format() const override { return format_; }
  const std::filesystem::path& path() const override { return path_; }
  std::span<const TensorView> tensors() const override { return {}; }
  std::span<const LeftOutTensor> left_out() const override { return {}; }
  const Json& metadata() const override { return metadata_; }
  Result<std::optional<std::string>> read_side_file(std::string_view name) const override {
    const auto it = side_files_.find(name);
    if (it == side_files_.end()) return std::optional<std::string>();
    return std::optional<std::string>(it->second);
  }

 private:
  FakeModelFiles(Format format, std::filesystem::path path, Json metadata, Texts side_files)
      : format_(format),
        path_(std::move(path)),
        metadata_(std::move(metadata)),
        side_files_(std::move(side_files)) {}

  Format format_;
  std::filesystem::path path_;
  Json metadata_;
  Texts side_files_;
};

}  // namespace rr::internal
