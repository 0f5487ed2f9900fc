// Programs that every Go programmer knows. Chains, the daisy chain and the prime sieve are in go_chan_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

// 33: power series whose coefficients are computed when somebody asks for them: each operation is a goroutine, a series a channel.
using Series = chan<int64_t>;

Series constant_and(scope& s, int64_t first, Series rest) {
  Series out(0);
  s.go([=] {
    for (out.send(first);;) out.send(*rest.receive());
  });
  return out;
}

Series add(scope& s, Series a, Series b) {
  Series out(0);
  s.go([=] {
    for (;;) {
      const int64_t x = *a.receive();
      out.send(x + *b.receive());
    }
  });
  return out;
}

Series scale(scope& s, int64_t factor, Series a) {
  Series out(0);
  s.go([=] {
    for (;;) out.send(factor * *a.receive());
  });
  return out;
}

// Two series of the same: what one reader has not taken yet is kept for it.
std::array<Series, 2> split(scope& s, Series in) {
  std::array<Series, 2> outs{Series(0), Series(0)};
  s.go([=] {
    std::array<std::vector<int64_t>, 2> kept;
    for (;;) {
      std::array<Series, 2> ready;
      std::array<int64_t, 2> next{};
      for (size_t i = 0; i < 2; i++) {
        if (kept[i].empty()) continue;
        ready[i] = outs[i];
        next[i] = kept[i].front();
      }
      // Read on only for who has nothing kept: a series is computed no further than somebody needs it, but one value.
      const Series more = kept[0].empty() || kept[1].empty() ? in : Series();
      select(on_send(ready[0], next[0], [&] { kept[0].erase(kept[0].begin()); }),
             on_send(ready[1], next[1], [&] { kept[1].erase(kept[1].begin()); }),
             on_receive(more, [&](std::optional<int64_t> v) {
               for (auto& k : kept) k.push_back(*v);
             }));
    }
  });
  return outs;
}

// (a + x A)(b + x B) = ab + x (aB + bA + x AB)
Series multiply(scope& s, Series f, Series g) {
  Series out(0);
  s.go([=, &s] {
    const int64_t a = *f.receive(), b = *g.receive();
    out.send(a * b);
    const auto fs = split(s, f), gs = split(s, g);
    const Series sum = add(s, scale(s, a, gs[0]), scale(s, b, fs[0]));
    const Series rest = add(s, sum, constant_and(s, 0, multiply(s, fs[1], gs[1])));
    for (;;) out.send(*rest.receive());
  });
  return out;
}

Series ones(scope& s) {
  Series out(0);
  s.go([=] {
    for (;;) out.send(1);
  });
  return out;
}

GO_CASE(GoPrograms, PowerSeries) {
  scope s;
  // 1/(1-x) squared is the sum of (n+1) x^n.
  const Series square = multiply(s, ones(s), ones(s));
  for (int64_t n = 0; n < 5; n++) EXPECT_EQ(square.receive(), n + 1);
  const Series sum = add(s, scale(s, 3, ones(s)), constant_and(s, 5, ones(s)));
  EXPECT_EQ(sum.receive(), 8);
  EXPECT_EQ(sum.receive(), 4);
  s.cancel();
  s.join();
}

GO_CASE(GoPrograms, DiningPhilosophers) {
  scope s;
  std::vector<chan<unit>> forks;
  for (int i = 0; i < 5; i++) {
    forks.emplace_back(1);
    forks.back().send({});
  }
  std::array<int, 5> meals{};
  for (size_t i = 0; i < 5; i++) {
    s.go([&, i] {
      // All take the fork of the lower number first, so they cannot wait in a circle.
      const auto& first = forks[std::min(i, (i + 1) % 5)];
      const auto& second = forks[std::max(i, (i + 1) % 5)];
      for (int k = 0; k < 10; k++) {
        first.receive();
        yield();
        second.receive();
        meals[i]++;
        second.send({});
        first.send({});
      }
    });
  }
  s.join();
  for (const int m : meals) EXPECT_EQ(m, 10);
}

GO_CASE(GoPrograms, SleepingBarber) {
  struct Customer {
    int number;
    chan<int> done;
  };
  scope s;
  const chan<Customer> chairs(3);
  int cut = 0;
  auto barber = s.go([chairs, &cut] {
    for (const Customer& c : chairs) {
      cut++;
      c.done.send(c.number);
    }
    return cut;
  });
  std::atomic<int> served{0}, turned_away{0};
  {
    scope street;
    for (int i = 0; i < 20; i++) {
      street.go([&, i] {
        const Customer me{i, chan<int>(0)};
        if (!chairs.try_send(me)) {
          turned_away++;
          return;
        }
        EXPECT_EQ(me.done.receive(), i);
        served++;
      });
    }
    street.join();
  }
  chairs.close();
  EXPECT_EQ(barber.join(), served.load());
  EXPECT_EQ(served + turned_away, 20);
  EXPECT_GE(served.load(), 3);
  s.join();
}

GO_CASE(GoPrograms, WorkerPoolWithResults) {
  scope s;
  const chan<int> jobs(4);
  const chan<std::pair<int, int>> results(4);
  wait_group busy;
  busy.add(3);
  for (int w = 0; w < 3; w++) {
    s.go([&] {
      for (const int job : jobs) results.send({job, job * job});
      busy.done();
    });
  }
  s.go([&] {
    busy.wait();
    results.close();
  });
  s.go([&] {
    for (int i = 0; i < 40; i++) jobs.send(i);
    jobs.close();
  });
  std::map<int, int> squares;
  for (const auto& [job, square] : results) {
    EXPECT_EQ(square, job * job);
    EXPECT_TRUE(squares.emplace(job, square).second);
  }
  EXPECT_EQ(squares.size(), 40u);
  s.join();
}

GO_CASE(GoPrograms, GeneratorThatIsCancelled) {
  scope s;
  const context ctx = s.ctx().child();
  const chan<int> numbers(0);
  s.go([=] {
    for (int i = 0;; i++) {
      bool done = false;
      select(on_send(numbers, i, [] {}), on_receive(ctx.done(), [&] { done = true; }));
      if (done) return numbers.close();
    }
  });
  for (int i = 0; i < 5; i++) EXPECT_EQ(numbers.receive(), i);
  ctx.cancel();
  while (numbers.receive()) {
  }
  s.join();
}

// Walks a tree of files with so many readers at most; the first error ends it.
GO_CASE(GoPrograms, BoundedParallelWalk) {
  for (const int bad : {-1, 11}) {
    scope s;
    std::atomic<int> inside{0}, visited{0};
    const chan<unit> seats(3);
    struct Walk {
      scope& s;
      std::atomic<int>&inside, &visited;
      const chan<unit>& seats;
      int bad;
      void operator()(int node) const {
        seats.send({});
        EXPECT_LE(++inside, 3);
        yield();
        inside--;
        seats.receive();
        if (node == bad) throw std::out_of_range("unreadable");
        visited++;
        for (const int child : {2 * node, 2 * node + 1}) {
          if (child < 32) s.go([walk = *this, child] { walk(child); });
        }
      }
    };
    s.go([&] { Walk{s, inside, visited, seats, bad}(1); });
    if (bad < 0) {
      s.join();
      EXPECT_EQ(visited, 31);
    } else {
      EXPECT_THROW(s.join(), std::out_of_range);
      EXPECT_LT(visited, 31);
    }
  }
}

// Tokens come at a rate; who has none waits.
GO_CASE(GoPrograms, RateLimiter) {
  scope s;
  const chan<unit> tokens(2);
  tokens.send({});
  tokens.send({});
  s.go([tokens] {
    for (int i = 0; i < 4; i++) {
      sleep(200us);
      tokens.send({});
    }
  });
  const int64_t start = now_ns();
  for (int i = 0; i < 6; i++) tokens.receive();
  EXPECT_GE(now_ns() - start, 4 * 200'000);
  s.join();
}

struct Subscribe {
  std::string topic;
  chan<std::string> to;
};
struct Publish {
  std::string topic, text;
};
// The broker of publish and subscribe, as an actor.
struct Broker {
  std::map<std::string, std::vector<chan<std::string>>> topics;
  void operator()(const Subscribe& m) { topics[m.topic].push_back(m.to); }
  int operator()(const Publish& m) {
    for (const auto& to : topics[m.topic]) to.send(m.text);
    return static_cast<int>(topics[m.topic].size());
  }
  ~Broker() {
    for (const auto& [topic, receivers] : topics) {
      for (const auto& to : receivers) to.close();
    }
  }
};

GO_CASE(GoPrograms, PublishAndSubscribe) {
  scope s;
  actor<Broker> broker(s);
  std::array<std::vector<std::string>, 3> got;
  for (size_t i = 0; i < 3; i++) {
    const chan<std::string> mine(0);
    broker.ask(Subscribe{i < 2 ? "news" : "sport", mine}).join();
    s.go([mine, &heard = got[i]] {
      for (const std::string& text : mine) heard.push_back(text);
    });
  }
  EXPECT_EQ(broker.ask(Publish{"news", "one"}).join(), 2);
  EXPECT_EQ(broker.ask(Publish{"sport", "two"}).join(), 1);
  EXPECT_EQ(broker.ask(Publish{"weather", "three"}).join(), 0);
  broker.stop();
  s.join();
  EXPECT_EQ(got[0], std::vector<std::string>{"one"});
  EXPECT_EQ(got[1], std::vector<std::string>{"one"});
  EXPECT_EQ(got[2], std::vector<std::string>{"two"});
}

// Workers report what they found to the one goroutine that knows what was seen.
GO_CASE(GoPrograms, WebCrawler) {
  const auto links = [](int page) { return std::vector<int>{page * 2 % 31, (page + 7) % 31}; };
  scope s;
  const chan<int> pages(0);
  const chan<std::vector<int>> found(0);
  for (int i = 0; i < 4; i++) {
    s.go([=] {
      for (const int page : pages) found.send(links(page));
    });
  }
  std::set<int> seen{1};
  std::vector<int> todo{1};
  for (int busy = 0; busy > 0 || !todo.empty();) {
    select(on_send(todo.empty() ? chan<int>() : pages, todo.empty() ? 0 : todo.back(),
                   [&] {
                     todo.pop_back();
                     busy++;
                   }),
           on_receive(found, [&](const std::optional<std::vector<int>>& more) {
             busy--;
             for (const int page : *more) {
               if (seen.insert(page).second) todo.push_back(page);
             }
           }));
  }
  pages.close();
  s.join();
  EXPECT_EQ(seen.size(), 31u);
}

GO_CASE(GoPrograms, PipelineUnderAContext) {
  scope s;
  scope work(s.ctx().with_timeout(1h));
  auto squares = start(work, from([i = 0]() mutable { return std::optional(i++); }) |
                                 through([](int v) { return v * v; }, {.workers = 3}));
  int64_t sum = 0;
  for (int i = 0; i < 10; i++) sum += *squares.receive();
  EXPECT_EQ(sum, 285);
  work.cancel();
  work.join();
  EXPECT_THROW(while (squares.receive()){}, Cancelled);
  s.join();
}

}  // namespace
}  // namespace gotorch::runtime
