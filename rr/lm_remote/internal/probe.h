#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm_remote/internal/dialect.h"
#include "rr/lm_remote/internal/failure.h"
#include "rr/lm_remote/internal/http_call.h"

namespace rr::internal {

// What an endpoint says when it is asked which models it serves.
struct Probed {
  std::vector<std::string> models;  // none: it has no such list
  Dialect dialect;
  std::string server;  // server_name()
};

// Reads the answer to GET address/models: a body with status 200, or a status that says there is no
// such list (404 and others that would fail again, but not 401 and 403).
Result<Probed> read_probe(const std::string& body, const std::string& version,
                          const std::string& address);

// Asks and waits, connect_s to reach the server and as long again for its answer. `failure` gets
// why there is none.
std::optional<Probed> probe(const std::string& address, const HttpSettings& settings,
                            Failure& failure);

}  // namespace rr::internal
