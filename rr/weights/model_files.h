#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/weights/tensor.h"

namespace rr {

// A tensor that the files have and that cannot be read.
struct LeftOutTensor {
  std::string name;
  std::string reason;  // "is of type I64, which is not read (F32, F16 and BF16 are)"
};

// The metadata of a GGUF file as it stands there: to be written again.
struct GgufEntries {
  std::size_t count;
  std::span<const std::byte> bytes;
  std::size_t alignment;  // of the tensors' data
};

// A model as its files say it: a GGUF file, or a Hugging Face folder (config.json with
// model.safetensors, or model.safetensors.index.json and its shards). Mapped, not read: opening is
// quick and tensors cost no memory until they are touched. Nothing the files say is trusted:
// lengths, offsets, counts and shapes are checked against the file before anything is allocated or
// read.
class ModelFiles {
 public:
  enum class Format { kGguf, kHuggingFace };

  // A path to a .gguf file or to a folder (told by what it is, not by its name). Fails with one
  // sentence: what was expected, what was seen. A folder is read as Hugging Face lays it out;
  // one with a LoRA adapter alone, or with pickled weights alone, is refused as such.
  static Result<std::unique_ptr<ModelFiles>> open(const std::filesystem::path& path);

  virtual ~ModelFiles() = default;

  virtual Format format() const = 0;
  virtual const std::filesystem::path& path() const = 0;

  // All tensors, in the order of the files; names as the files have them ("blk.0.attn_q.weight",
  // "model.layers.0.self_attn.q_proj.weight").
  virtual std::span<const TensorView> tensors() const = 0;

  // The tensor of that name, nullptr where there is none. get() fails with a sentence that names
  // the tensor, and for a left-out one the reason. Either looks through a table: cheap.
  const TensorView* find(std::string_view name) const;
  Result<const TensorView*> get(std::string_view name) const;

  // Hugging Face: tensors of other types, and empty ones. They do no harm until they are asked for:
  // some models carry integer buffers that nobody needs. A GGUF file leaves none out: another type
  // there is a quantisation of the weights, and open() refuses it.
  virtual std::span<const LeftOutTensor> left_out() const = 0;

  // GGUF: the metadata as one JSON object, keys as in the file ("llama.block_count"), integers,
  // numbers, booleans, strings (repaired to UTF-8) and arrays; large arrays (tokenizer.ggml.tokens,
  // ...merges) too. Hugging Face: config.json.
  virtual const Json& metadata() const = 0;

  // Hugging Face: the text of a small file of the folder ("tokenizer.json"); nullopt where there is
  // none, and always for GGUF. A file over 256 MiB is refused, and so is a name that leads out of
  // the folder.
  virtual Result<std::optional<std::string>> read_side_file(std::string_view name) const = 0;

  // GGUF: the metadata's bytes; nullopt for Hugging Face and for models that come from no file.
  virtual std::optional<GgufEntries> gguf_entries() const { return std::nullopt; }

  std::size_t total_bytes() const;  // of all tensors

 protected:
  // For the makers: fills the table that find() looks through. Requires that names are distinct and
  // that tensors() changes no more.
  void index_tensors();

 private:
  std::unordered_map<std::string_view, const TensorView*> by_name_;  // into tensors()
};

}  // namespace rr
