// The receiving half of the back ends that use system calls: recvmmsg into a pool of buffers, or one recvmsg a
// datagram. Owned by a back end; the batches it hands out live in its buffers until the next call.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "udp/backend.h"
#include "udp/intake.h"
#include "udp/platform.h"

namespace godwit {

class MessageReceiver {
 public:
  struct Options {
    std::size_t buffers = 0;       // most messages a call
    std::size_t buffer_bytes = 0;  // a longer message is cut by the kernel, which says so
    bool one_call_each = false;    // recvmsg in a loop in place of recvmmsg
  };

  MessageReceiver(const Options& options, const Socket& socket, std::size_t largest_datagram_bytes,
                  BackendStatistics& statistics);

  // Nothing else than datagrams of `peer` can come from now on: the kernel is not asked for their names.
  void set_peer(const SocketAddress& peer);

  // As Backend::receive. An empty socket costs one system call, and so does anything that recvmmsg finds.
  void receive(ReceivedBatches& inbox);

 private:
  struct Slot {
    KernelAddress name;
    alignas(cmsghdr) std::array<std::uint8_t, kReceiveControlBytes> control;
    iovec vector;
  };
  // A negative errno, or the messages received into the slots from `first` on.
  [[nodiscard]] int call(std::size_t first);
  void arm(std::size_t slot);

  Options options_;
  int descriptor_;
  BackendStatistics& statistics_;
  Intake intake_;
  std::unique_ptr<std::uint8_t[]> pool_;
  std::vector<Slot> slots_;
  std::vector<KernelMessage> headers_;
  bool named_ = true;              // the kernel is asked who has sent a message
  std::size_t asked_;              // most messages of the next call
  std::uint32_t empty_calls_ = 0;  // of receive(), in a row
};

}  // namespace godwit
