// Random programs over several channels. Whatever they do, each value is received once or still with its sender, and a
// receiver gets the values of one sender over one channel in the order in which they were sent.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

struct Item {
  int sender, number;
};
using Value = std::unique_ptr<Item>;

// What one goroutine does, and what came of it.
class Player {
 public:
  Player(int id, unsigned seed, std::vector<chan<Value>>& channels)
      : id_(id), random_(seed), channels_(channels) {}

  // Sends until it has done its number of tries or is cancelled; receives at times.
  void send(int tries) {
    for (int i = 0; i < tries; i++) {
      Value value = std::make_unique<Item>(Item{id_, i});
      int sent = -1;
      bool cancelled = false;
      try {
        sent = try_one_send(value);
      } catch (const ChanError&) {
      } catch (const Cancelled&) {
        cancelled = true;
      }
      EXPECT_EQ(sent >= 0, value == nullptr);
      if (sent >= 0) sent_.push_back({sent, i});
      if (cancelled) return;
      if (pick(4) == 0) yield();
    }
  }

  // Receives until all channels are closed or it is cancelled.
  void receive() {
    std::vector<chan<Value>> open = channels_;
    try {
      for (size_t left = open.size(); left > 0;) {
        const size_t a = pick(open.size()), b = pick(open.size());
        const int ended = try_one_receive(open, a, b);
        if (ended < 0 || !open[static_cast<size_t>(ended)]) continue;
        open[static_cast<size_t>(ended)] = {};  // nil
        left--;
      }
    } catch (const Cancelled&) {
    }
  }

  void note(size_t channel, const Value& v) {
    received_.push_back({static_cast<int>(channel), *v});
    // The last number of each sender over each channel.
    auto& last = last_[{static_cast<int>(channel), v->sender}];
    EXPECT_GT(v->number + 1, last);
    last = v->number + 1;
  }

  // Counts up what was sent, and down what was received.
  void settle(std::map<std::array<int, 3>, int>& balance) const {
    for (const auto& [channel, number] : sent_) balance[{channel, id_, number}]++;
    for (const auto& [channel, item] : received_) balance[{channel, item.sender, item.number}]--;
  }

 private:
  size_t pick(size_t n) { return random_() % n; }

  // The channel that took it, or -1.
  int try_one_send(Value& value) {
    const size_t a = pick(channels_.size()), b = pick(channels_.size());
    const int ia = static_cast<int>(a), ib = static_cast<int>(b);
    const auto& ca = channels_[a];
    const auto& cb = channels_[b];
    const auto nothing = [] {};
    int sent = -1;
    switch (pick(6)) {
      case 0: return ca.send(std::move(value)), ia;
      case 1: return ca.try_send(std::move(value)) ? ia : -1;
      case 2: return ca.try_send_for(std::move(value), 3us) ? ia : -1;
      case 3:
        select(on_send(ca, std::move(value), [&] { sent = ia; }),
               on_send(cb, std::move(value), [&] { sent = ib; }));
        return sent;
      case 4:
        select(on_send(ca, std::move(value), [&] { sent = ia; }), on_default(nothing));
        return sent;
      default:
        select(on_receive(cb,
                          [&](std::optional<Value> v) {
                            if (v) note(b, *v);
                          }),
               on_send(ca, std::move(value), [&] { sent = ia; }), on_timeout(3us, nothing));
        return sent;
    }
  }

  // The channel that is closed, or -1.
  int try_one_receive(const std::vector<chan<Value>>& open, size_t a, size_t b) {
    std::optional<Value> value;
    ChanResult result = ChanResult::WouldBlock;
    int ended = -1;
    const auto got = [&](size_t channel) {
      return [this, channel, &ended](std::optional<Value> v) {
        if (v) note(channel, *v);
        else ended = static_cast<int>(channel);
      };
    };
    switch (pick(5)) {
      case 0: result = open[a].try_receive(value); break;
      case 1: result = open[a].try_receive_for(value, 3us); break;
      case 2:
        select(on_receive(open[a], got(a)), on_receive(open[b], got(b)), on_timeout(3us, [] {}));
        break;
      case 3:
        select(on_receive(open[a], got(a)), on_receive(open[a], got(a)),
               on_default([] { yield(); }));
        break;
      default: {
        std::vector<any_case> cases;
        for (size_t i = 0; i < open.size(); i++) cases.push_back(on_receive(open[i], got(i)));
        select(cases);
      }
    }
    if (value) note(a, *value);
    return result == ChanResult::Closed ? static_cast<int>(a) : ended;
  }

  const int id_;
  std::minstd_rand random_;
  std::vector<chan<Value>>& channels_;
  std::vector<std::pair<int, int>> sent_;
  std::vector<std::pair<int, Item>> received_;
  std::map<std::pair<int, int>, int> last_;
};

class Program {
 public:
  explicit Program(unsigned seed) : seed_(seed), random_(seed) {
    constexpr int kCapacities[] = {0, 0, 1, 3};
    for (int i = pick(1, 4); i > 0; i--) channels_.emplace_back(kCapacities[pick(0, 3)]);
    for (int i = pick(2, 6); i > 0; i--) add(players_[0]);
    for (int i = pick(1, 4); i > 0; i--) add(players_[1]);
  }

  void run() {
    scope senders, receivers, hurried;
    for (auto& p : players_[0])
      (pick(0, 3) ? senders : hurried).go([&, n = pick(5, 25)] { p.send(n); });
    for (auto& p : players_[1]) receivers.go([&] { p.receive(); });
    for (int i = pick(0, 30); i > 0; i--) yield();
    hurried.cancel();
    const size_t early = static_cast<size_t>(pick(0, 7));
    if (early < channels_.size()) channels_[early].close();
    // The receivers' departure, too, loses nothing; then senders that wait have to be told.
    const bool leave = pick(0, 3) == 0;
    if (leave) {
      receivers.cancel();
      receivers.join();
      senders.cancel();
    }
    senders.join();
    hurried.join();
    for (size_t i = 0; i < channels_.size(); i++) {
      if (i != early) channels_[i].close();
    }
    if (!leave) receivers.join();
    check();
  }

 private:
  using Players = std::vector<Player>;

  int pick(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }
  void add(Players& to) {
    to.emplace_back(next_id_++, static_cast<unsigned>(random_()), channels_);
  }

  void check() {
    for (size_t i = 0; i < channels_.size(); i++) {
      // What nobody received comes after all that somebody did.
      for (const Value& v : channels_[i]) players_[1][0].note(i, v);
    }
    std::map<std::array<int, 3>, int> balance;
    for (const auto& kind : players_) {
      for (const auto& p : kind) p.settle(balance);
    }
    for (const auto& [what, n] : balance) {
      EXPECT_EQ(n, 0) << "seed " << seed_ << ", channel " << what[0] << ", sender " << what[1]
                      << ", number " << what[2];
    }
  }

  const unsigned seed_;
  std::minstd_rand random_;
  int next_id_ = 0;
  std::vector<chan<Value>> channels_;
  std::array<Players, 2> players_;  // who sends, who receives
};

void run_programs(unsigned seed) {
  for (unsigned i = 0; i < 6; i++) {
    Program(seed + i).run();
  }
}

}  // namespace

GO_CASE(ChanRandom, ProgramsLoseNothing1) { run_programs(101); }
GO_CASE(ChanRandom, ProgramsLoseNothing2) { run_programs(201); }
GO_CASE(ChanRandom, ProgramsLoseNothing3) { run_programs(301); }

}  // namespace gotorch::runtime
