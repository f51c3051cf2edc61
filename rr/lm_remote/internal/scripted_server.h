#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"

namespace rr::internal {

// A server for tests and benchmarks, on a port of 127.0.0.1, that does with each connection what it
// is told: byte by byte, with pauses, and breaking off where a real one would break down. One
// thread a connection.

// A certificate signed with its own key, for a name or address; and the key.
class SelfSigned {
 public:
  // subject: "IP:127.0.0.1" or "DNS:other.example".
  explicit SelfSigned(const std::string& subject)
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate_(X509_new(), &X509_free) {
    X509* x = certificate_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key_.get());
    X509_NAME* name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("scripted"), -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, subject.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    RR_CHECK(X509_sign(x, key_.get(), EVP_sha256()) > 0, "a certificate can be signed");
  }

  EVP_PKEY* key() const { return key_.get(); }
  X509* certificate() const { return certificate_.get(); }

  // For a client that is to trust it.
  void write(const std::string& path) const {
    std::FILE* file = std::fopen(path.c_str(), "w");
    RR_CHECK(file != nullptr && PEM_write_X509(file, certificate_.get()) == 1, "it is written");
    std::fclose(file);
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

struct SeenRequest {
  std::string method;
  std::string path;
  std::string head;  // with all headers
  std::string body;
};

class ScriptedServer {
 public:
  // One connection, as a handler uses it.
  class Connection {
   public:
    Connection(int socket, SSL* ssl, std::atomic<bool>& is_up)
        : socket_(socket), ssl_(ssl), is_up_(is_up) {}

    // False: the client or the server is gone.
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        const auto size = ssl_ != nullptr
                              ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                              : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
      }
      return true;
    }
    bool pause(double seconds) const {
      const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
      while (is_up_ && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_until(
            std::min(end, std::chrono::steady_clock::now() + std::chrono::duration<double>(0.02)));
      }
      return is_up_;
    }
    void close() { is_open_ = false; }
    // With a reset instead of an end.
    void reset() {
      const linger at_once{1, 0};
      ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      close();
    }
    bool is_open() const { return is_open_; }

    void send_json(int status, const std::string& body, const std::string& headers = "") {
      send("HTTP/1.1 " + std::to_string(status) +
           " Scripted\r\nContent-Type: application/json\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    // Each event is one chunk.
    void begin_stream() {
      send(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
          "chunked\r\n\r\n");
    }
    void send_chunk(const std::string& bytes) {
      char size[32];
      std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
      send(size + bytes + "\r\n");
    }
    void send_event(const std::string& data) { send_chunk("data: " + data + "\n\n"); }
    void end_stream() { send("0\r\n\r\n"); }

   private:
    int socket_;
    SSL* ssl_;
    std::atomic<bool>& is_up_;
    bool is_open_ = true;
  };

  using Handler = std::function<void(Connection&, const SeenRequest&)>;

  explicit ScriptedServer(Handler handler, const SelfSigned* certificate = nullptr)
      : handler_(std::move(handler)), tls_(nullptr, &SSL_CTX_free) {
    if (certificate != nullptr) {
      tls_.reset(SSL_CTX_new(TLS_server_method()));
      SSL_CTX_use_certificate(tls_.get(), certificate->certificate());
      SSL_CTX_use_PrivateKey(tls_.get(), certificate->key());
    }
    start();
  }
  ~ScriptedServer() { stop(); }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string address() const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + "/v1";
  }

  // Goes down: connections are refused, those that stand are broken off.
  void stop() {
    if (!is_up_.exchange(false)) return;
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (Served& served : served_) ::shutdown(served.socket, SHUT_RDWR);
    }
    for (Served& served : served_) served.thread.join();
    served_.clear();
  }

  // Up (again), on the same port.
  void start() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    RR_CHECK(::bind(listener_, generic, sizeof address) == 0, "a port on 127.0.0.1");
    RR_CHECK(::listen(listener_, 1024) == 0, "a socket that listens");
    socklen_t size = sizeof address;
    ::getsockname(listener_, generic, &size);
    port_ = ntohs(address.sin_port);
    is_up_ = true;
    accepting_ = std::thread([this] { accept_all(); });
  }

 private:
  struct Served {
    int socket;
    std::thread thread;
  };

  void accept_all() {
    while (is_up_) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) continue;
      const int yes = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      const std::lock_guard lock(mutex_);
      drop_ended();
      served_.push_back({socket, {}});
      served_.back().thread = std::thread([this, socket] { serve(socket); });
    }
  }

  // Threads of connections that are closed; requires the lock.
  void drop_ended() {
    served_.remove_if([](Served& served) {
      if (served.socket != -1) return false;
      served.thread.join();
      return true;
    });
  }

  void serve(int socket) {
    // A client that goes while OpenSSL writes to it is no end of the program.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl(tls_ ? SSL_new(tls_.get()) : nullptr, &SSL_free);
    bool is_ready = true;
    if (ssl) {
      SSL_set_fd(ssl.get(), socket);
      is_ready = SSL_accept(ssl.get()) == 1;
    }
    Connection connection(socket, ssl.get(), is_up_);
    std::string input;
    SeenRequest request;
    while (is_ready && is_up_ && connection.is_open() &&
           read_request(socket, ssl.get(), input, request)) {
      handler_(connection, request);
    }
    if (is_up_) {  // stop() shuts down what it finds, so a number stays taken until it is done
      const std::lock_guard lock(mutex_);
      for (Served& served : served_) {
        if (served.socket == socket) served.socket = -1;
      }
    }
    ::close(socket);
  }

  static bool read_more(int socket, SSL* ssl, std::string& input) {
    char buffer[65536];
    const auto size = ssl != nullptr ? SSL_read(ssl, buffer, sizeof buffer)
                                     : ::recv(socket, buffer, sizeof buffer, 0);
    if (size <= 0) return false;
    input.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  static bool read_request(int socket, SSL* ssl, std::string& input, SeenRequest& request) {
    std::size_t head_end = 0;
    while ((head_end = input.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(socket, ssl, input)) return false;
    }
    request.head = input.substr(0, head_end);
    input.erase(0, head_end + 4);
    const std::size_t blank = request.head.find(' ');
    request.method = request.head.substr(0, blank);
    request.path = request.head.substr(blank + 1, request.head.find(' ', blank + 1) - blank - 1);
    std::string lower = request.head;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t at = lower.find("content-length: ");
    const std::size_t length = at == std::string::npos
                                   ? 0
                                   : std::stoul(lower.substr(at + std::strlen("content-length: ")));
    while (input.size() < length) {
      if (!read_more(socket, ssl, input)) return false;
    }
    request.body = input.substr(0, length);
    input.erase(0, length);
    return true;
  }

  Handler handler_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> is_up_ = false;
  std::thread accepting_;
  std::mutex mutex_;
  std::list<Served> served_;
};

}  // namespace rr::internal
