// A back end with further sockets beside its own for a while, as a search for ports needs them
// (transport/port_search.h): hundreds, of which at most a few are ever used for more than one small datagram. Without
// any it is the back end that it decorates. What comes to one of them names its port in `local`, and a batch whose
// `local` has that port leaves through it. Owned by a Node, like any back end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/foreign_loop.h"
#include "udp/backend.h"

namespace godwit {

class FurtherPorts final : public Backend {
 public:
  explicit FurtherPorts(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}
  FurtherPorts(const FurtherPorts&) = delete;
  FurtherPorts& operator=(const FurtherPorts&) = delete;
  ~FurtherPorts() override;

  // Opens `count` sockets on the address of the first one, with ports that the system chooses; fewer where the system
  // has no more, and at most a quarter of the descriptors that the process may have. Returns their local addresses.
  [[nodiscard]] std::vector<SocketAddress> open(std::size_t count);
  // Closes all but those whose ports are named, in ascending order.
  void keep(std::span<const std::uint16_t> ports);
  [[nodiscard]] std::size_t count() const { return ports_.size(); }

  [[nodiscard]] std::size_t send(std::span<const DatagramBatch> batches) override;
  // While there is none of them: the owner keeps others from sending before it opens some, until all are closed.
  [[nodiscard]] bool share_sending() override { return inner_->share_sending(); }
  // While there is none of them.
  void connect_busy_peers(bool allowed) override {
    may_connect_ = allowed;
    inner_->connect_busy_peers(may_connect_ && ports_.empty());
  }
  [[nodiscard]] std::optional<SocketAddress> connected_peer() const override { return inner_->connected_peer(); }
  [[nodiscard]] bool send_blocked() const override;
  std::size_t receive(ReceivedBatches& inbox) override;
  WaitOutcome wait(std::optional<Duration> timeout) override;
  void wake() noexcept override;
  [[nodiscard]] std::optional<PathReport> poll_path_report() override;
  [[nodiscard]] int descriptor() const override { return inner_->descriptor(); }
  [[nodiscard]] int further_descriptor() const override { return ports_.empty() ? -1 : epoll_; }
  [[nodiscard]] const Socket& socket() const override { return inner_->socket(); }
  // Of its own socket.
  [[nodiscard]] const BackendStatistics& statistics() const override { return inner_->statistics(); }
  [[nodiscard]] BackendKind kind() const override { return inner_->kind(); }
  [[nodiscard]] const std::string& choice() const override { return inner_->choice(); }

 private:
  // A bare socket until something has come to it, or more than an opener is sent through it.
  struct Port {
    std::optional<Socket> socket;
    std::unique_ptr<Backend> backend;
    ReceivedBatches inbox;
    bool watched_for_room = false;
  };

  [[nodiscard]] Port* at(const SocketAddress& local);
  [[nodiscard]] Backend* use(Port& port);
  [[nodiscard]] std::size_t send_through(std::uint16_t number, Port& port, std::span<const DatagramBatch> batches);
  void receive_from(std::uint16_t number, Port& port, ReceivedBatches& inbox);
  void watch(std::uint16_t number, Port& port, bool for_room);

  std::unique_ptr<Backend> inner_;
  std::map<std::uint16_t, Port> ports_;
  bool may_connect_ = false;
  int epoll_ = -1;                     // of the further sockets
  std::unique_ptr<ForeignLoop> loop_;  // what wait() sleeps on while there are some
  std::atomic<ForeignLoop*> waking_{nullptr};
};

}  // namespace godwit
