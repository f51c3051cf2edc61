#include "rr/weights/internal/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// The three standard streams and the working directory of the new process.
class FileActions {
 public:
  explicit FileActions(const ProcessOptions& options) {
    RR_CHECK(posix_spawn_file_actions_init(&actions_) == 0, "no memory for file actions");
    constexpr mode_t kMode = 0644;
    add(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
    add(posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, options.output.c_str(),
                                         O_WRONLY | O_CREAT | O_TRUNC, kMode));
    add(posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO));
    add(posix_spawn_file_actions_addchdir_np(&actions_, options.working_directory.c_str()));
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void add(int error) { RR_CHECK(error == 0, "no memory for file actions"); }

  posix_spawn_file_actions_t actions_{};
};

// No signal is held back from the new process, and a closed pipe ends it, whatever this program
// does about signals: Ctrl-C must reach it.
class SignalAttributes {
 public:
  SignalAttributes() {
    RR_CHECK(posix_spawnattr_init(&attributes_) == 0, "no memory for attributes");
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SignalAttributes() { posix_spawnattr_destroy(&attributes_); }
  SignalAttributes(const SignalAttributes&) = delete;
  SignalAttributes& operator=(const SignalAttributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool is_replaced = false;
    for (const auto& [name, value] : variables) {
      is_replaced = is_replaced || text.starts_with(name + "=");
    }
    if (!is_replaced) result.emplace_back(text);
  }
  for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
  return result;
}

// What the calls of C take: pointers into the texts, and a null.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<ProcessEnd> wait_for(pid_t process, const std::string& name) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno == EINTR) continue;
    return Error{Errc::kUnavailable, fmt::format("cannot be waited for: {}", std::strerror(errno)),
                 name};
  }
  if (WIFSIGNALED(status)) return ProcessEnd{0, WTERMSIG(status)};
  return ProcessEnd{WEXITSTATUS(status), 0};
}

}  // namespace

Result<ProcessEnd> run_process(const std::vector<std::string>& arguments,
                               const ProcessOptions& options) {
  RR_CHECK(!arguments.empty(), "a process needs a program");
  const FileActions actions(options);
  const SignalAttributes attributes;
  std::vector<std::string> words = arguments;
  std::vector<std::string> variables = environment_with(options.variables);
  pid_t process = 0;
  const int error = ::posix_spawnp(&process, words[0].c_str(), actions.get(), attributes.get(),
                                   pointers_to(words).data(), pointers_to(variables).data());
  if (error == ENOENT) return Error{Errc::kNotFound, "no such program", arguments[0]};
  if (error != 0) {
    return Error{Errc::kUnavailable, fmt::format("cannot be started: {}", std::strerror(error)),
                 arguments[0]};
  }
  return wait_for(process, arguments[0]);
}

}  // namespace rr::internal
