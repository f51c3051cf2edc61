#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr {

struct RemoteOptions {
  // "http://host:8000/v1", several of the same model: requests go where they are answered fastest.
  std::vector<std::string> endpoints;

  // The model's name at the servers. Empty: the one that they serve, where it is the only one.
  std::string model;

  // Sent as "Authorization: Bearer". Never written to anything else: where a server's message
  // repeats it, the message says "(key)". Empty: none is sent.
  std::string key;

  bool stream = true;    // answers come as they are written, and a dead server is noticed sooner
  bool guided = true;    // constrain orders of identifiers where the server can
  bool logprobs = true;  // ask for probabilities of choices where the server has them

  // Requests that an endpoint has at once. It starts at the first number, grows while answers begin
  // as soon as before, halves where the server says that it has too many, and stays in [1, most].
  std::size_t first_concurrency = 32;
  std::size_t most_concurrency = 256;

  double connect_s = 10;      // to reach a server
  double first_byte_s = 600;  // from the request to the first byte of the answer

  // A body that brings less than min_bytes_per_s over slow_s seconds is given up.
  double slow_s = 60;
  double min_bytes_per_s = 10;

  // Of one request, from the first time that it is sent to its answer, all attempts and waits
  // together. With no endpoint up, requests wait as long as this for one to come back.
  double deadline_s = 1800;

  // Attempts of one request that a server broke off or failed (5xx). Not counted: connections that
  // were refused, and 429 and 503, which only mean later; those end with the deadline.
  std::size_t max_attempts = 5;

  // Before the second attempt about the first number, doubled for each further one, at most the
  // second; each drawn between half and all of that, so that many do not come back at once.
  double first_retry_s = 0.5;
  double most_retry_s = 30;

  std::size_t max_response_bytes = std::size_t{32} << 20;  // of one answer; beyond: refused

  // As curl takes them. proxy empty: what the environment says (http_proxy, https_proxy, no_proxy);
  // "none": none. ca_file empty: the system's certificates.
  std::string proxy;
  std::string ca_file;

  std::uint64_t seed = 0;  // of the waits
};

// What became of one endpoint, for reports.
struct EndpointReport {
  std::string url;
  std::string server;           // "vLLM 0.11.0", "llama-server", ...; "" where it does not say
  std::size_t answers = 0;      // whole ones
  std::size_t failures = 0;     // attempts that ended in a failure of server or network
  std::size_t busy = 0;         // 429 and 503
  std::size_t outages = 0;      // times that it was left alone after several failures in a row
  std::size_t concurrency = 0;  // where it stands
  double answer_s = 0;          // mean time of an answer, weighted towards the last ones
};

struct RemoteReport {
  std::vector<EndpointReport> endpoints;
  std::size_t retries = 0;         // attempts beyond a request's first
  std::size_t repaired_bytes = 0;  // ill-formed UTF-8 sequences in answers, now U+FFFD
  std::size_t unknown_usage = 0;   // answers whose tokens the server did not say
  std::size_t continued = 0;       // answers that took a second call, see below
  std::vector<std::string> notes;  // what a server cannot do and is done without, a sentence each
};

// A Generator over HTTP: any server with OpenAI's chat completions, such as vLLM, SGLang,
// llama-server, and hosted models. One thread does all the waiting (libcurl's multi interface:
// kept connections, HTTP/2 where the server has it, TLS checked).
//
// A request becomes one chat call with its messages; one with token ids becomes one call of
// /completions. Its stages become:
//
//   free text     max_tokens, and its stop strings where it is the only stage. A server leaves the
//                 stop string out; it is put back where the server names it (vLLM, SGLang)
//   forced text   part of the guide; without a guide the prompt alone asks for it
//   permutation   part of the guide: identifiers of 1..size, each in brackets, " > " between them,
//                 as many as there are. No server's guide can say "each once": the caller's parser
//                 mends repeated ones
//
// The guide is a regular expression (vLLM, SGLang) or a GBNF grammar (llama-server,
// llama-cpp-python); which server it is, is asked when the generator starts. Where there is none,
// the reply is what the model wrote, and the caller's parser reads it and counts the repairs.
//
// Thoughts that come apart from the answer ("reasoning_content" or "reasoning") stand in the text
// as "<think>\n...</think>\n" before it, so one parser reads all. A request without a free stage
// asks vLLM, SGLang and llama-server not to let the model think.
//
// Where the tokens run out inside the thoughts of a request that wants a permutation, a server that
// can continue a message (vLLM, SGLang, llama-server) is called again with the thoughts closed, so
// the answer still comes; elsewhere the reply ends there (StopReason::kLength).
//
// The completion: text and stop as the server says; stages, with all tokens under the first stage
// that the model writes; choices of a permutation where the server gave probabilities, read from
// the 20 likeliest tokens at each place; no ids. Seeds: what a server draws depends on Sampling's
// seed and the label, but is the same again only as far as the server keeps its word.
//
// Failures: what may succeed later is tried again, on another endpoint where there is one, until
// deadline or attempts are spent (kUnavailable): refused and broken connections, timeouts, bodies
// that end early or crawl, 408, 429, 5xx. A server's Retry-After is kept to. What would fail again
// fails at once (kRejected, kMalformed): other 4xx (wrong key, wrong model), a certificate that
// does not match, a redirect, an answer that is too large, no JSON, or of another shape. After
// three failures in a row an endpoint is left alone for a second, doubled up to half a minute,
// then tried with one request. An answer that arrived is never asked for again.
//
// Text is told as it comes. After a failed attempt nothing more is told until the end, when the
// last event brings what the listener does not have yet, as far as the new answer goes on from it.
//
// Memory: a waiting request is its prompt, a running one also its body and what it was answered.
class RemoteGenerator : public Generator {
 public:
  // Asks each endpoint which models it serves. Refused: an address that is none, a key that cannot
  // stand in a header, no endpoint that answers, a key that one refuses, a model name that is not
  // among those served (with their names), no name where there are several. Endpoints that cannot
  // be reached now are tried again later. A server without a list of models is taken as it is.
  static Result<std::unique_ptr<RemoteGenerator>> connect(RemoteOptions options);

  // Cancels what still runs; every listener has had its last event when this returns.
  ~RemoteGenerator() override;

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId id) override;
  const TextModel* text_model() const override { return nullptr; }

  // The name that requests carry.
  const std::string& model() const;

  RemoteReport report() const;

 private:
  class Scheduler;
  explicit RemoteGenerator(std::unique_ptr<Scheduler> scheduler);

  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace rr
