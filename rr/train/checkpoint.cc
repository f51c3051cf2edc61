#include "rr/train/checkpoint.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/sha256.h"
#include "rr/weights/tensor_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "reasonrank checkpoint 2";
constexpr std::array<const char*, 3> kPrefixes = {"weights/", "first/", "second/"};

fs::path checkpoints_of(const fs::path& run) { return run / "checkpoints"; }

fs::path file_of(const fs::path& run, std::size_t step) {
  return checkpoints_of(run) / fmt::format("step-{:06}.safetensors", step);
}

struct Found {
  std::size_t step;
  fs::path file;
};

// The newest first.
std::vector<Found> find_checkpoints(const fs::path& run) {
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints_of(run), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || !name.ends_with(".safetensors")) continue;
    std::size_t step = 0;
    const char* const begin = name.data() + 5;
    if (std::from_chars(begin, name.data() + name.size(), step).ec != std::errc()) continue;
    found.push_back({step, entry.path()});
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.step > b.step; });
  return found;
}

// One hash over the hashes of all tensors, in their order.
std::string hash_of_all(const std::vector<std::span<const std::byte>>& tensors) {
  std::string hashes;
  for (const auto& bytes : tensors) hashes += sha256_hex(bytes);
  return sha256_hex(hashes);
}

std::vector<TensorToWrite> tensors_of(std::span<const Parameter> parameters, AdamW& optimiser) {
  std::vector<TensorToWrite> tensors;
  for (std::size_t kind = 0; kind < kPrefixes.size(); ++kind) {
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const std::span<const float> values = kind == 0   ? parameters[p].values
                                            : kind == 1 ? optimiser.first_moment(p)
                                                        : optimiser.second_moment(p);
      tensors.push_back({kPrefixes[kind] + parameters[p].name, TensorType::kF32,
                         parameters[p].shape, std::as_bytes(values)});
    }
  }
  return tensors;
}

Result<std::string> metadata_of(const TensorFile& file, const std::string& key,
                                const fs::path& path) {
  const auto it = file.metadata().find(key);
  if (it != file.metadata().end()) return it->second;
  return Error{
      Errc::kMalformed,
      fmt::format("expected a checkpoint of this program, found no \"{}\" in its head", key),
      path.string()};
}

Result<std::size_t> count_of(const TensorFile& file, const std::string& key, const fs::path& path) {
  RR_TRY(const std::string text, metadata_of(file, key, path));
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return Error{Errc::kMalformed, fmt::format("expected a count as \"{}\", found {}", key, text),
               path.string()};
}

Result<std::unique_ptr<TensorFile>> open_whole(const fs::path& path) {
  RR_TRY(std::unique_ptr<TensorFile> file, TensorFile::open(path));
  RR_TRY(const std::string format, metadata_of(*file, "format", path));
  if (format != kFormat) {
    return Error{
        Errc::kRejected,
        fmt::format("expected \"{}\", found \"{}\": written by another version", kFormat, format),
        path.string()};
  }
  RR_TRY(const std::string expected, metadata_of(*file, "sha256", path));
  std::vector<std::span<const std::byte>> bytes;
  for (const TensorView& tensor : file->tensors()) bytes.push_back(tensor.bytes);
  if (hash_of_all(bytes) == expected) return file;
  return Error{Errc::kMalformed, "the checksum does not fit: the checkpoint is damaged",
               path.string()};
}

Status copy_tensor(const TensorFile& file, const std::string& name, const Parameter& parameter,
                   std::span<float> out, const fs::path& path) {
  const TensorView* const tensor = file.find(name);
  if (tensor == nullptr || tensor->shape != parameter.shape || tensor->type != TensorType::kF32) {
    return Error{
        Errc::kRejected,
        fmt::format("expected a tensor {} as the model has it, found {}: the checkpoint is "
                    "of another model or another kind of run",
                    name, tensor == nullptr ? "none" : "another shape"),
        path.string()};
  }
  std::memcpy(out.data(), tensor->bytes.data(), out.size_bytes());
  return ok_status();
}

Result<CheckpointState> load(const TensorFile& file, const fs::path& path,
                             std::span<const Parameter> parameters, AdamW& optimiser) {
  if (file.tensors().size() != kPrefixes.size() * parameters.size()) {
    return Error{Errc::kRejected,
                 fmt::format("expected {} tensors, found {}: the checkpoint is of another model or "
                             "another kind of run",
                             kPrefixes.size() * parameters.size(), file.tensors().size()),
                 path.string()};
  }
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::span<float> targets[] = {parameters[p].values, optimiser.first_moment(p),
                                        optimiser.second_moment(p)};
    for (std::size_t kind = 0; kind < kPrefixes.size(); ++kind) {
      RR_TRY_STATUS(copy_tensor(file, kPrefixes[kind] + parameters[p].name, parameters[p],
                                targets[kind], path));
    }
  }
  CheckpointState state;
  RR_TRY(state.step, count_of(file, "step", path));
  RR_TRY(state.best_step, count_of(file, "best_step", path));
  if (state.best_step > 0) {
    RR_TRY(const std::string loss, metadata_of(file, "best_validation_loss", path));
    state.best_validation_loss = std::strtod(loss.c_str(), nullptr);
  }
  RR_TRY(const std::size_t num_updates, count_of(file, "updates", path));
  RR_TRY(state.next_task, count_of(file, "next_task", path));
  optimiser.set_num_steps(num_updates);
  return state;
}

Error cannot(const char* what, const fs::path& path, const std::string& why) {
  return {Errc::kRejected, fmt::format("cannot be {}: {}", what, why), path.string()};
}

Result<FolderLock> lock_run(const fs::path& path) {
  return FolderLock::take(path,
                          "another process is training this run; wait for its end, or stop it");
}

}  // namespace

Result<RunFolder> RunFolder::create(const fs::path& path, const Json& run) {
  std::error_code error;
  if (fs::exists(path / "run.json", error)) {
    return Error{Errc::kRejected,
                 "there is a run in this folder already; go on with --resume, or name another "
                 "folder",
                 path.string()};
  }
  fs::create_directories(checkpoints_of(path), error);
  if (error) return cannot("made", path, error.message());
  RunFolder folder(path, run);
  RR_TRY(folder.lock_, lock_run(path));
  RR_TRY_STATUS(write_file(path / "run.json", run.dump(2) + "\n"));
  return folder;
}

Result<RunFolder> RunFolder::open(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path / "run.json", error)) {
    return Error{Errc::kNotFound, "expected the folder of a run (with run.json), found none",
                 path.string()};
  }
  RR_TRY(const std::string text, read_file(path / "run.json"));
  RR_TRY(Json run, parse_json(text, (path / "run.json").string()));
  if (!run.is_object()) {
    return Error{Errc::kMalformed, "expected a JSON object: what the run is",
                 (path / "run.json").string()};
  }
  return RunFolder(path, std::move(run));
}

Result<RunFolder> RunFolder::open_to_train(const fs::path& path) {
  RR_TRY(RunFolder folder, open(path));
  RR_TRY(folder.lock_, lock_run(path));
  return folder;
}

Status RunFolder::save(std::span<const Parameter> parameters, AdamW& optimiser,
                       const CheckpointState& state, std::size_t keep_last) const {
  const std::vector<TensorToWrite> tensors = tensors_of(parameters, optimiser);
  std::vector<std::span<const std::byte>> bytes;
  for (const TensorToWrite& tensor : tensors) bytes.push_back(tensor.bytes);
  std::map<std::string, std::string> metadata = {{"format", kFormat},
                                                 {"step", std::to_string(state.step)},
                                                 {"best_step", std::to_string(state.best_step)},
                                                 {"updates", std::to_string(optimiser.num_steps())},
                                                 {"next_task", std::to_string(state.next_task)},
                                                 {"run", run_.dump()},
                                                 {"sha256", hash_of_all(bytes)}};
  if (state.best_validation_loss) {
    metadata["best_validation_loss"] = fmt::format("{:.17g}", *state.best_validation_loss);
  }
  RR_TRY_STATUS(write_tensor_file(file_of(path_, state.step), tensors, metadata));
  std::size_t kept = 0;
  for (const Found& found : find_checkpoints(path_)) {
    if (found.step == state.best_step || ++kept <= std::max<std::size_t>(1, keep_last)) continue;
    std::error_code ignored;
    fs::remove(found.file, ignored);
  }
  return ok_status();
}

Result<CheckpointState> RunFolder::restore(std::span<const Parameter> parameters, AdamW& optimiser,
                                           std::vector<std::string>& damaged) const {
  for (const Found& found : find_checkpoints(path_)) {
    const auto file = open_whole(found.file);
    if (file.ok()) return load(*file.value(), found.file, parameters, optimiser);
    if (file.error().code == Errc::kRejected) return file.error();
    damaged.push_back(file.error().to_string());
  }
  return CheckpointState{};
}

Result<fs::path> RunFolder::newest_checkpoint() const {
  for (const Found& found : find_checkpoints(path_)) {
    if (open_whole(found.file).ok()) return found.file;
  }
  return Error{Errc::kNotFound, "expected a checkpoint of the run, found none that is whole",
               path_.string()};
}

Result<fs::path> RunFolder::best_checkpoint() const {
  RR_TRY(const fs::path newest, newest_checkpoint());
  RR_TRY(const std::unique_ptr<TensorFile> file, TensorFile::open(newest));
  RR_TRY(const std::size_t best, count_of(*file, "best_step", newest));
  if (best == 0) return newest;
  RR_TRY_STATUS(check_checkpoint(file_of(path_, best)));
  return file_of(path_, best);
}

namespace {

Status append_line(const fs::path& file, const Json& line) {
  const int descriptor = ::open(file.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) return cannot("written", file, std::strerror(errno));
  const std::string text = to_json_line(line) + "\n";
  const auto written = ::write(descriptor, text.data(), text.size());
  const int error = errno;
  ::close(descriptor);
  if (written == static_cast<ssize_t>(text.size())) return ok_status();
  return cannot("written", file, std::strerror(error));
}

Status keep_lines_before(const fs::path& file, std::size_t step) {
  std::error_code error;
  if (!fs::exists(file, error)) return ok_status();
  RR_TRY(LineReader lines, LineReader::open(file));
  std::string kept;
  for (std::string line;;) {
    RR_TRY(const bool more, lines.next(line));
    if (!more) break;
    const auto record = parse_json(line, lines.where());
    // The last line of a killed run may be cut off: its step is done again.
    if (!record.ok() || record->value("step", std::size_t{0}) >= step) break;
    kept += line + "\n";
  }
  return write_file(file, kept);
}

}  // namespace

Status RunFolder::append_metrics(const Json& line) const {
  return append_line(path_ / "metrics.jsonl", line);
}

Status RunFolder::append_sample(const Json& line) const {
  return append_line(path_ / "samples.jsonl", line);
}

Status RunFolder::keep_metrics_before(std::size_t step) const {
  RR_TRY_STATUS(keep_lines_before(path_ / "metrics.jsonl", step));
  return keep_lines_before(path_ / "samples.jsonl", step);
}

Status check_checkpoint(const fs::path& file) {
  const auto opened = open_whole(file);
  if (opened.ok()) return ok_status();
  return opened.error();
}

}  // namespace rr
