// The end of a scope: its joiner goes on when all its goroutines have ended, sees what they did, and nobody touches the scope after that.
#include "runtime/scope.h"
#include "tests/models/support.h"

namespace gotorch::runtime {
namespace {

using explorer::check;

// A scope that is gone once its join() has returned.
class Joined {
 public:
  explicit Joined(int goroutines)
      : goroutines_(goroutines), members_(new Goroutine[static_cast<size_t>(goroutines)]) {
    for (int i = 0; i < goroutines; i++) scope_.enter(members_[i]);
  }

  // By a worker: so many have ended there, and are told of together.
  void end(int count) {
    done_.fetch_add(count, std::memory_order_relaxed);
    check(!gone_, "a scope outlives its goroutines");
    scope_.finish(count);
  }
  void join() {
    scope_.join();
    check(done_.load(std::memory_order_relaxed) == goroutines_,
          "all have ended, and what they did is seen");
    gone_ = true;
    // Whoever still adds to it, or claims its joiner for it, is found out by these values.
    scope_.pending_.store(kGone, std::memory_order_relaxed);
    scope_.joiner_ = nullptr;
  }
  void check_untouched() {
    check(scope_.pending_.load(std::memory_order_relaxed) == kGone,
          "nobody touches a scope that was joined");
  }

 private:
  static constexpr int64_t kGone = int64_t{1} << 40;
  const int goroutines_;
  std::unique_ptr<Goroutine[]> members_;
  ScopeState scope_{context()};
  std::atomic<int> done_{0};
  bool gone_ = false;
};

// Three goroutines end on two workers, of which one tells of two together.
void ends_are_told() {
  Model model;
  Joined work(3);
  const auto one = [&] { work.end(1); };
  const auto two = [&] { work.end(2); };
  const auto joiner = [&] { work.join(); };
  model.go(joiner);
  explorer::spawn(one);
  explorer::spawn(two);
  explorer::join_all();
  work.check_untouched();
}

// A goroutine starts another one of its scope before it ends.
void one_starts_another() {
  Model model;
  std::atomic<int> done{0};
  ScopeState scope{context()};
  Goroutine first, second;
  scope.enter(first);
  const auto last = [&] {
    done.fetch_add(1, std::memory_order_relaxed);
    scope.finish(1);
  };
  const auto starting = [&] {
    scope.enter(second);
    explorer::spawn(last);
    done.fetch_add(1, std::memory_order_relaxed);
    scope.finish(1);
  };
  const auto joiner = [&] {
    scope.join();
    check(done.load(std::memory_order_relaxed) == 2, "both have ended, and what they did is seen");
  };
  model.go(joiner);
  explorer::join(explorer::spawn(starting));
  explorer::join_all();
}

// A scope is joined again after more was started in it, while who told of the first end may yet be about to wake the joiner.
void is_used_again() {
  Model model;
  std::atomic<int> done{0};
  ScopeState scope{context()};
  Goroutine first, second;
  const auto end = [&] {
    done.fetch_add(1, std::memory_order_relaxed);
    scope.finish(1);
  };
  const auto joiner = [&] {
    scope.enter(first);
    explorer::spawn(end);
    scope.join();
    check(done.load(std::memory_order_relaxed) == 1, "the first has ended");
    scope.enter(second);
    explorer::spawn(end);
    scope.join();
    check(done.load(std::memory_order_relaxed) == 2, "both have ended");
  };
  explorer::join(model.go(joiner));
  explorer::join_all();
}

TEST(ScopeModel, EndsAreTold) {
  holds(ends_are_told, {.preemptions = 3, .stale = 1});
  fails(ends_are_told, {.no_release = true});
  fails(ends_are_told, {.split_claim = true});
}

TEST(ScopeModel, OneStartsAnother) {
  holds(one_starts_another, {.preemptions = 3, .stale = 1});
  fails(one_starts_another, {.no_acquire = true});
}

TEST(ScopeModel, IsUsedAgain) {
  holds(is_used_again, {.preemptions = 2, .stale = 1});
  fails(is_used_again, {.split_claim = true});
}

}  // namespace
}  // namespace gotorch::runtime
