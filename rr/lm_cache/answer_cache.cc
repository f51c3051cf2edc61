#include "rr/lm_cache/answer_cache.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/folder_lock.h"
#include "rr/base/sha256.h"
#include "rr/lm_cache/internal/completion_json.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr int kApplicationId = 0x52524143;  // "RRAC"
constexpr int kVersion = 1;
constexpr int kBusyTimeoutMs = 30000;

// `answer` stands last: what comes before it can be read without its pages.
constexpr const char* kSchema = R"(
CREATE TABLE answers (
  key TEXT PRIMARY KEY NOT NULL,
  model TEXT NOT NULL,
  label TEXT NOT NULL,
  stored_at INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  answer TEXT NOT NULL
);
CREATE TABLE spending (
  model TEXT PRIMARY KEY NOT NULL,
  answers INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  estimated INTEGER NOT NULL
);
)";

constexpr const char* kAddSpending =
    "INSERT INTO spending VALUES (?, ?, ?, ?, ?) ON CONFLICT (model) DO UPDATE SET "
    "answers = answers + excluded.answers, "
    "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
    "completion_tokens = completion_tokens + excluded.completion_tokens, "
    "estimated = estimated + excluded.estimated";

bool is_damage(int code) {
  const int primary = code & 0xFF;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

std::string checksum_of(std::string_view key, std::string_view answer) {
  return sha256_hex(fmt::format("{}\n{}", key, answer));
}

// One connection; statements of it fail with a sentence that names the file.
class Connection {
 public:
  static Result<Connection> open(const fs::path& path, int flags) {
    Connection connection;
    connection.path_ = path;
    const int code = sqlite3_open_v2(path.c_str(), &connection.handle_, flags, nullptr);
    if (code != SQLITE_OK) return connection.failure("cannot be opened");
    sqlite3_busy_timeout(connection.handle_, kBusyTimeoutMs);
    sqlite3_extended_result_codes(connection.handle_, 1);
    return connection;
  }

  Connection(Connection&& other) noexcept
      : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Connection() { sqlite3_close_v2(handle_); }

  Status run(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return ok_status();
    return failure("cannot be used");
  }

  Error failure(const std::string& what) const {
    const int code = sqlite3_extended_errcode(handle_);
    const Errc kind = is_damage(code) ? Errc::kMalformed : Errc::kUnavailable;
    return {kind, fmt::format("the cache of answers {}: {}", what, sqlite3_errmsg(handle_)),
            path_.string()};
  }

  bool is_damaged() const { return is_damage(sqlite3_extended_errcode(handle_)); }
  sqlite3* handle() const { return handle_; }
  const fs::path& path() const { return path_; }

 private:
  Connection() = default;

  fs::path path_;
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  static Result<Statement> prepare(const Connection& connection, const char* sql) {
    Statement statement(connection);
    if (sqlite3_prepare_v2(connection.handle(), sql, -1, &statement.handle_, nullptr) !=
        SQLITE_OK) {
      return connection.failure("cannot be used");
    }
    return statement;
  }

  Statement(Statement&& other) noexcept
      : connection_(other.connection_),
        handle_(std::exchange(other.handle_, nullptr)),
        next_(other.next_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement() { sqlite3_finalize(handle_); }

  Statement& bind(std::string_view text) {
    sqlite3_bind_text64(handle_, next_++, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
  }
  Statement& bind(std::int64_t number) {
    sqlite3_bind_int64(handle_, next_++, number);
    return *this;
  }
  Statement& bind(std::size_t number) { return bind(static_cast<std::int64_t>(number)); }

  // True: there is a row.
  Result<bool> step() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return connection_->failure("cannot be used");
  }

  Status finish() {
    RR_TRY(const bool has_row, step());
    RR_CHECK(!has_row, "a statement without rows");
    return ok_status();
  }

  std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
    const int size = sqlite3_column_bytes(handle_, column);
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(handle_, column); }
  std::size_t count(int column) const {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, number(column)));
  }

 private:
  explicit Statement(const Connection& connection) : connection_(&connection) {}

  const Connection* connection_;
  sqlite3_stmt* handle_ = nullptr;
  int next_ = 1;
};

Result<std::int64_t> read_number(const Connection& connection, const char* sql) {
  RR_TRY(Statement statement, Statement::prepare(connection, sql));
  RR_TRY(const bool has_row, statement.step());
  return has_row ? statement.number(0) : 0;
}

// All or nothing of what runs between begin() and commit().
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection) {
    RR_TRY_STATUS(connection.run("BEGIN IMMEDIATE"));
    return Transaction(connection);
  }
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() {
    if (connection_ != nullptr) {
      sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }
  Status commit() {
    RR_TRY_STATUS(connection_->run("COMMIT"));
    connection_ = nullptr;
    return ok_status();
  }

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

Error not_ours(const fs::path& path) {
  return {Errc::kRejected,
          "expected a cache of answers, found another SQLite file; name another file",
          path.string()};
}

// Refuses a file that is something else; true where it holds nothing yet.
Result<bool> is_new(const Connection& connection) {
  RR_TRY(const std::int64_t id, read_number(connection, "PRAGMA application_id"));
  RR_TRY(const std::int64_t tables, read_number(connection, "SELECT count(*) FROM sqlite_master"));
  if (id == 0 && tables == 0) return true;
  if (id != kApplicationId) return not_ours(connection.path());
  RR_TRY(const std::int64_t version, read_number(connection, "PRAGMA user_version"));
  if (version == kVersion) return false;
  return Error{Errc::kRejected,
               fmt::format("expected a cache of answers of version {}, found version {}; use the "
                           "program that made it",
                           kVersion, version),
               connection.path().string()};
}

Status make_tables(Connection& connection) {
  RR_TRY(Transaction transaction, Transaction::begin(connection));
  RR_TRY(const bool is_empty, is_new(connection));  // another process may have been faster
  if (!is_empty) return ok_status();
  RR_TRY_STATUS(connection.run(kSchema));
  RR_TRY_STATUS(connection.run(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str()));
  RR_TRY_STATUS(connection.run(fmt::format("PRAGMA user_version = {}", kVersion).c_str()));
  return transaction.commit();
}

// Changing to the write-ahead log does not wait for other connections by itself.
Status use_write_ahead_log(Connection& connection) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    if (connection.run("PRAGMA journal_mode = WAL").ok()) return ok_status();
    if (connection.is_damaged()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(kBusyTimeoutMs / kTries));
  }
  return connection.failure("cannot be used");
}

Result<bool> passes_quick_check(const Connection& connection) {
  RR_TRY(Statement check, Statement::prepare(connection, "PRAGMA quick_check(1)"));
  RR_TRY(const bool has_row, check.step());
  return has_row && check.text(0) == "ok";
}

// Opens and sets up; a damaged file fails with kMalformed.
Result<Connection> open_whole(const fs::path& path, int flags) {
  RR_TRY(Connection connection, Connection::open(path, flags));
  RR_TRY(const bool is_whole, passes_quick_check(connection));
  if (!is_whole) {
    return Error{Errc::kMalformed, "the cache of answers is damaged", path.string()};
  }
  return connection;
}

Result<Connection> open_writable(const fs::path& path) {
  RR_TRY(Connection connection, open_whole(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  RR_TRY(const bool is_empty, is_new(connection));
  RR_TRY_STATUS(use_write_ahead_log(connection));
  RR_TRY_STATUS(connection.run("PRAGMA synchronous = NORMAL"));
  if (is_empty) RR_TRY_STATUS(make_tables(connection));
  return connection;
}

Result<fs::path> set_aside(const fs::path& path) {
  fs::path aside;
  for (int number = 1; aside.empty() || fs::exists(aside); ++number) {
    aside = fmt::format("{}.damaged-{}", path.string(), number);
  }
  std::error_code error;
  fs::rename(path, aside, error);
  if (error) {
    return Error{Errc::kUnavailable,
                 "the cache of answers is damaged and cannot be set aside: " + error.message(),
                 path.string()};
  }
  for (const char* suffix : {"-wal", "-shm"}) {
    fs::rename(path.string() + suffix, aside.string() + suffix, error);  // need not be there
  }
  return aside;
}

// A row of `answers` as it stands in the file.
struct Row {
  std::string key, model, label, checksum, answer;
  std::int64_t stored_at = 0, prompt_tokens = 0, completion_tokens = 0, estimated = 0;
};

constexpr const char* kInsertRow =
    "INSERT OR IGNORE INTO answers (key, model, label, stored_at, prompt_tokens, "
    "completion_tokens, estimated, checksum, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

Status insert_row(Connection& connection, const Row& row) {
  RR_TRY(Statement insert, Statement::prepare(connection, kInsertRow));
  insert.bind(row.key).bind(row.model).bind(row.label).bind(row.stored_at);
  insert.bind(row.prompt_tokens).bind(row.completion_tokens).bind(row.estimated);
  return insert.bind(row.checksum).bind(row.answer).finish();
}

Status add_spending(Connection& connection, const ModelSpending& spent) {
  RR_TRY(Statement add, Statement::prepare(connection, kAddSpending));
  add.bind(spent.model).bind(spent.answers).bind(spent.prompt_tokens);
  return add.bind(spent.completion_tokens).bind(spent.estimated).finish();
}

// A row whose checksum does not hold makes way for the answer that was asked again.
Status drop_damaged_row(Connection& connection, std::string_view key) {
  RR_TRY(Statement select,
         Statement::prepare(connection, "SELECT checksum, answer FROM answers WHERE key = ?"));
  select.bind(key);
  RR_TRY(const bool has_row, select.step());
  if (!has_row || checksum_of(key, select.text(1)) == select.text(0)) return ok_status();
  RR_TRY(Statement drop, Statement::prepare(connection, "DELETE FROM answers WHERE key = ?"));
  return drop.bind(key).finish();
}

Status save_row(Connection& to, const Row& row, std::size_t& saved) {
  if (checksum_of(row.key, row.answer) != row.checksum) return ok_status();
  RR_TRY_STATUS(insert_row(to, row));
  if (sqlite3_changes(to.handle()) == 0) return ok_status();  // the scan back found it again
  ++saved;
  return add_spending(to, {row.model, 1, static_cast<std::size_t>(row.prompt_tokens),
                           static_cast<std::size_t>(row.completion_tokens),
                           static_cast<std::size_t>(row.estimated)});
}

// Copies rows until the first that cannot be read; in either direction, for damage in the middle.
Status save_rows(const Connection& from, Connection& to, const char* sql, std::size_t& saved) {
  auto rows = Statement::prepare(from, sql);
  if (!rows.ok()) return ok_status();
  Statement& statement = rows.value();
  while (true) {
    const auto has_row = statement.step();
    if (!has_row.ok() || !has_row.value()) return ok_status();
    Row row;
    row.key = statement.text(0);
    row.model = statement.text(1);
    row.label = statement.text(2);
    row.stored_at = statement.number(3);
    row.prompt_tokens = statement.number(4);
    row.completion_tokens = statement.number(5);
    row.estimated = statement.number(6);
    row.checksum = statement.text(7);
    row.answer = statement.text(8);
    RR_TRY_STATUS(save_row(to, row, saved));
  }
}

Result<std::size_t> save_answers(const fs::path& damaged, Connection& to) {
  std::size_t saved = 0;
  const auto from = Connection::open(damaged, SQLITE_OPEN_READWRITE);
  if (!from.ok()) return saved;
  RR_TRY(Transaction transaction, Transaction::begin(to));
  for (const char* order : {"ASC", "DESC"}) {
    const std::string sql = fmt::format(
        "SELECT key, model, label, stored_at, prompt_tokens, completion_tokens, estimated, "
        "checksum, answer FROM answers ORDER BY rowid {}",
        order);
    RR_TRY_STATUS(save_rows(from.value(), to, sql.c_str(), saved));
  }
  RR_TRY_STATUS(transaction.commit());
  return saved;
}

}  // namespace

struct AnswerCache::Database {
  Database(Connection opened, std::string said)
      : connection(std::move(opened)), note(std::move(said)) {}

  std::mutex mutex;  // guards the connection
  Connection connection;
  std::string note;
};

AnswerCache::AnswerCache(std::unique_ptr<Database> database) : database_(std::move(database)) {}
AnswerCache::AnswerCache(AnswerCache&&) noexcept = default;
AnswerCache& AnswerCache::operator=(AnswerCache&&) noexcept = default;
AnswerCache::~AnswerCache() = default;

const fs::path& AnswerCache::path() const { return database_->connection.path(); }
const std::string& AnswerCache::note() const { return database_->note; }

Result<AnswerCache> AnswerCache::open(const fs::path& path) {
  // One process at a time, so that two do not both set a damaged file aside.
  const FolderLock lock =
      FolderLock::wait_for(path.has_parent_path() ? path.parent_path() : fs::path("."));
  auto connection = open_writable(path);
  std::string note;
  if (!connection.ok() && connection.error().code == Errc::kMalformed) {
    RR_TRY(const fs::path aside, set_aside(path));
    connection = open_writable(path);
    if (connection.ok()) {
      RR_TRY(const std::size_t saved, save_answers(aside, connection.value()));
      note = fmt::format(
          "the cache of answers {} was damaged; it is now {}, and {} of its answers "
          "were taken over",
          path.string(), aside.string(), saved);
    }
  }
  if (!connection.ok()) return connection.error();
  return AnswerCache(std::make_unique<Database>(std::move(connection).value(), std::move(note)));
}

Result<AnswerCache> AnswerCache::open_existing(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return Error{Errc::kNotFound, "expected a cache of answers, found no such file", path.string()};
  }
  RR_TRY(Connection connection, open_whole(path, SQLITE_OPEN_READWRITE));
  RR_TRY(const bool is_empty, is_new(connection));
  if (is_empty) return not_ours(path);
  return AnswerCache(std::make_unique<Database>(std::move(connection), std::string()));
}

Result<std::optional<Completion>> AnswerCache::find(std::string_view key) {
  const std::lock_guard lock(database_->mutex);
  RR_TRY(Statement select,
         Statement::prepare(database_->connection,
                            "SELECT checksum, answer FROM answers WHERE key = ?"));
  select.bind(key);
  RR_TRY(const bool has_row, select.step());
  if (!has_row) return std::optional<Completion>();
  const std::string answer = select.text(1);
  if (checksum_of(key, answer) != select.text(0)) return std::optional<Completion>();
  RR_TRY(Completion completion, internal::completion_from_json(answer));
  return std::optional<Completion>(std::move(completion));
}

Status AnswerCache::store(std::string_view key, const std::string& model, const std::string& label,
                          const Completion& completion, const AnswerUsage& usage) {
  Row row{std::string(key), model, label, "", internal::completion_to_json(completion)};
  row.checksum = checksum_of(row.key, row.answer);
  row.stored_at = std::time(nullptr);
  row.prompt_tokens = static_cast<std::int64_t>(usage.prompt_tokens);
  row.completion_tokens = static_cast<std::int64_t>(usage.completion_tokens);
  row.estimated = usage.is_estimated ? 1 : 0;
  const std::lock_guard lock(database_->mutex);
  Connection& connection = database_->connection;
  RR_TRY(Transaction transaction, Transaction::begin(connection));
  RR_TRY_STATUS(drop_damaged_row(connection, key));
  RR_TRY_STATUS(insert_row(connection, row));
  RR_TRY_STATUS(add_spending(connection, {model, 1, usage.prompt_tokens, usage.completion_tokens,
                                          usage.is_estimated ? 1U : 0U}));
  return transaction.commit();
}

Result<std::vector<ModelSpending>> AnswerCache::spending() {
  const std::lock_guard lock(database_->mutex);
  RR_TRY(Statement select,
         Statement::prepare(database_->connection,
                            "SELECT model, answers, prompt_tokens, completion_tokens, estimated "
                            "FROM spending ORDER BY model"));
  std::vector<ModelSpending> all;
  while (true) {
    RR_TRY(const bool has_row, select.step());
    if (!has_row) return all;
    all.push_back(
        {select.text(0), select.count(1), select.count(2), select.count(3), select.count(4)});
  }
}

}  // namespace rr
