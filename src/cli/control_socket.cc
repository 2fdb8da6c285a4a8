#include "cli/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace godwit::cli {
namespace {

constexpr int kPatience = 2000;  // milliseconds that one step of an exchange may take
constexpr int kBacklog = 4;
constexpr std::size_t kLargestAnswer = std::size_t{16} << 20;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) static_cast<void>(::close(value_));
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& from) noexcept : value_(std::exchange(from.value_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

Error error_of(ErrorCode code, const std::string& what, int error) {
  return {code, what + ": " + std::strerror(error)};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return failure(ErrorCode::kInvalidArgument, "'" + path + "' cannot name a socket: it has 1 to 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* raw(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Descriptor make_socket() {
  const int value = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (value >= 0) static_cast<void>(::fcntl(value, F_SETFD, FD_CLOEXEC));
  return Descriptor(value);
}

bool ready(int descriptor, short events) {
  pollfd wanted{.fd = descriptor, .events = events, .revents = 0};
  return ::poll(&wanted, 1, kPatience) == 1;
}

// A socket file that nobody listens at is what a process left that was killed.
bool is_stale(const std::string& path, const sockaddr_un& address) {
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return false;
  const Descriptor probe = make_socket();
  return ::connect(probe.get(), raw(address), sizeof(address)) != 0 && errno == ECONNREFUSED;
}

bool may_ask(int descriptor) {
#if defined(SO_PEERCRED)
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
#else
  static_cast<void>(descriptor);  // the mode of the file has to do
  return true;
#endif
}

void send_all(int descriptor, std::string_view text) {
  while (!text.empty() && ready(descriptor, POLLOUT)) {
    const ssize_t sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

struct ControlSocket::Listener {
  Listener(Descriptor listening, Descriptor end, Descriptor wake, std::string at, Source from)
      : socket(std::move(listening)),
        ended(std::move(end)),
        waker(std::move(wake)),
        path(std::move(at)),
        source(std::move(from)) {}

  void serve() const {
    for (;;) {
      std::array<pollfd, 2> wanted{pollfd{.fd = socket.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = ended.get(), .events = POLLIN, .revents = 0}};
      if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) return;
      if (wanted[1].revents != 0) return;
      if ((wanted[0].revents & POLLIN) == 0) continue;
      const Descriptor asking(::accept(socket.get(), nullptr, nullptr));
      if (asking.get() < 0 || !may_ask(asking.get())) continue;
      if (const auto text = source()) send_all(asking.get(), *text);
    }
  }

  Descriptor socket;
  Descriptor ended;  // the reading end of a pipe: readable once `waker` is closed or written to
  Descriptor waker;
  std::string path;
  Source source;
  std::thread thread;
};

ControlSocket::ControlSocket(std::unique_ptr<Listener> listener) : listener_(std::move(listener)) {}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::string& path, Source source) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const std::string what = "cannot make the control socket " + path;
  Descriptor socket = make_socket();
  int ends[2] = {-1, -1};
  if (socket.get() < 0 || ::pipe(ends) != 0) return std::unexpected(error_of(ErrorCode::kSystem, what, errno));
  Descriptor ended(ends[0]);
  Descriptor waker(ends[1]);
  for (const int end : ends) static_cast<void>(::fcntl(end, F_SETFD, FD_CLOEXEC));
  if (is_stale(path, *address)) static_cast<void>(::unlink(path.c_str()));
  // Nobody else may connect between the two calls.
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(socket.get(), raw(*address), sizeof(*address));
  const int error = errno;
  static_cast<void>(::umask(mask));
  if (bound != 0) {
    return std::unexpected(
        error_of(error == EADDRINUSE ? ErrorCode::kInvalidArgument : ErrorCode::kSystem, what, error));
  }
  if (::listen(socket.get(), kBacklog) != 0) return std::unexpected(error_of(ErrorCode::kSystem, what, errno));
  auto listener =
      std::make_unique<Listener>(std::move(socket), std::move(ended), std::move(waker), path, std::move(source));
  listener->thread = std::thread([self = listener.get()] { self->serve(); });
  return std::unique_ptr<ControlSocket>(new ControlSocket(std::move(listener)));
}

ControlSocket::~ControlSocket() {
  const char byte = 0;
  static_cast<void>(::write(listener_->waker.get(), &byte, 1) == 1);
  listener_->thread.join();
  static_cast<void>(::unlink(listener_->path.c_str()));
}

Result<std::string> read_control_socket(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const Descriptor socket = make_socket();
  if (socket.get() < 0 || ::connect(socket.get(), raw(*address), sizeof(*address)) != 0) {
    const int error = errno;
    const ErrorCode code = error == EACCES || error == EPERM ? ErrorCode::kPermission : ErrorCode::kNotFound;
    return std::unexpected(error_of(code, "no running godwit at " + path, error));
  }
  std::string text;
  std::array<char, 16 * 1024> piece{};
  while (text.size() < kLargestAnswer) {
    if (!ready(socket.get(), POLLIN))
      return failure(ErrorCode::kTimeout, "the process at " + path + " does not answer");
    const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (got < 0) return std::unexpected(error_of(ErrorCode::kSystem, "cannot read from " + path, errno));
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  if (text.empty()) return failure(ErrorCode::kTimeout, "the process at " + path + " does not answer");
  return text;
}

}  // namespace godwit::cli
