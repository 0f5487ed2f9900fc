// From events to slices and arrows.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <source_location>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/trace_ring.h"

namespace gotorch::runtime::trace {
namespace {

struct Open {
  std::string name;
  int64_t number, since;
};

// A stack of code: a goroutine's, or a thread's own.
struct Stack {
  std::string name;
  std::string function;
  int64_t since = 0;
  std::vector<Open> open;
  int64_t woken_at = 0;  // 0: by nobody we know of
  int woken_by = 0;
};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

class Timeline {
 public:
  Timeline(const std::vector<std::string>& owners, const Calibration& clock)
      : owners_(owners), clock_(clock), rings_(owners.size()) {}

  void take(const Event& e) {
    last_ = e.ticks;
    Lane& lane = rings_[static_cast<size_t>(e.ring)];
    switch (e.kind) {
      case Kind::Spawn: goroutines_[e.a] = {}; [[fallthrough]];
      case Kind::Ready:
        goroutines_[e.a].woken_at = e.ticks;
        goroutines_[e.a].woken_by = e.ring;
        break;
      case Kind::In: switch_in(e, lane); break;
      case Kind::Out: switch_out(e, lane); break;
      case Kind::Hog:
        instant(e, "runs for 100 ms and more", "\"goroutine\":" + quoted(hex(e.a)));
        break;
      case Kind::Steal: instant(e, "steal", "\"goroutine\":" + quoted(hex(e.a))); break;
      case Kind::Send: operation(e, "send"); break;
      case Kind::Receive: operation(e, "receive"); break;
      case Kind::Begin:
        stack(lane).open.push_back(
            {reinterpret_cast<const char*>(e.a), static_cast<int64_t>(e.b), e.ticks});
        break;
      case Kind::End:
        if (auto& open = stack(lane).open; !open.empty()) {
          slice(e.ring, open.back(), e.ticks);
          open.pop_back();
        }
        break;
    }
  }

  std::string finish() {
    for (size_t ring = 0; ring < rings_.size(); ring++) {
      Lane& lane = rings_[ring];
      if (lane.current) leave(static_cast<int>(ring), lane, last_, "the end of the trace");
      for (const Open& o : lane.own.open) slice(static_cast<int>(ring), o, last_);
      add("\"ph\":\"M\",\"name\":\"thread_name\",\"tid\":" + std::to_string(ring + 1) +
          ",\"args\":{\"name\":" + quoted(owners_[ring]) + "}");
    }
    return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" + out_ + "\n]}\n";
  }

 private:
  struct Lane {
    uint64_t current = 0;  // the goroutine that runs here
    Stack own;
  };

  Stack& stack(Lane& lane) { return lane.current ? goroutines_[lane.current] : lane.own; }

  void add(const std::string& fields) {
    if (!out_.empty()) out_ += ",\n";
    out_ += "{\"pid\":" + pid_ + "," + fields + "}";
  }

  std::string at(int ring, int64_t ticks) const {
    char text[96];
    std::snprintf(text, sizeof text, "\"tid\":%d,\"ts\":%.3f", ring + 1,
                  clock_.microseconds(ticks));
    return text;
  }

  void slice(int ring, const std::string& name, int64_t from, int64_t to, const std::string& args) {
    char length[48];
    std::snprintf(length, sizeof length, ",\"dur\":%.3f",
                  clock_.microseconds(to) - clock_.microseconds(from));
    add("\"ph\":\"X\",\"name\":" + quoted(name) + "," + at(ring, from) + length + ",\"args\":{" +
        args + "}");
  }
  void slice(int ring, const Open& o, int64_t to) {
    slice(ring, o.name, o.since, to, o.number < 0 ? "" : "\"number\":" + std::to_string(o.number));
  }

  void instant(const Event& e, const char* name, const std::string& args) {
    add("\"ph\":\"i\",\"s\":\"t\",\"name\":" + quoted(name) + "," + at(e.ring, e.ticks) +
        ",\"args\":{" + args + "}");
  }
  void operation(const Event& e, const char* name) {
    const std::string channel = hex(e.a), queued = std::to_string(e.b);
    instant(e, name, "\"channel\":" + quoted(channel) + ",\"queued\":" + queued);
    add("\"ph\":\"C\",\"name\":" + quoted("channel " + channel) + "," + at(e.ring, e.ticks) +
        ",\"args\":{\"queued\":" + queued + "}");
  }

  void switch_in(const Event& e, Lane& lane) {
    Stack& g = goroutines_[e.a];
    const auto site = std::bit_cast<std::source_location>(e.b);
    const char* slash = std::strrchr(site.file_name(), '/');
    g.name = std::string(slash ? slash + 1 : site.file_name()) + ":" + std::to_string(site.line());
    g.function = site.function_name();
    g.since = e.ticks;
    for (Open& o : g.open) o.since = e.ticks;
    if (const int64_t woken = std::exchange(g.woken_at, 0)) {
      const std::string arrow =
          ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":" + std::to_string(++arrows_) + ",";
      add("\"ph\":\"s\"" + arrow + at(g.woken_by, woken));
      add("\"ph\":\"f\",\"bp\":\"e\"" + arrow + at(e.ring, e.ticks));
    }
    lane.current = e.a;
  }

  void switch_out(const Event& e, Lane& lane) {
    if (!lane.current) {  // it ran before the trace began: what we took for the thread's own is its
      goroutines_[e.a].open = std::exchange(lane.own.open, {});
      lane.current = e.a;
    }
    leave(e.ring, lane, e.ticks, reinterpret_cast<const char*>(e.b));
  }

  void leave(int ring, Lane& lane, int64_t ticks, const char* why) {
    const uint64_t id = std::exchange(lane.current, 0);
    Stack& g = goroutines_[id];
    if (g.since) {
      slice(ring, g.name, g.since, ticks,
            "\"goroutine\":" + quoted(hex(id)) + ",\"started in\":" + quoted(g.function) +
                ",\"until\":" + quoted(why ? why : "?"));
    }
    for (const Open& o : g.open) slice(ring, o, ticks);
  }

  std::string out_, pid_ = std::to_string(getpid());
  const std::vector<std::string>& owners_;
  const Calibration& clock_;
  std::vector<Lane> rings_;
  std::unordered_map<uint64_t, Stack> goroutines_;
  int64_t last_ = 0, arrows_ = 0;
};

}  // namespace

std::string to_json(std::vector<Event> events, const std::vector<std::string>& owners,
                    const Calibration& clock) {
  std::erase_if(events,
                [&](const Event& e) { return e.ticks < clock.ticks0 || e.ticks > clock.ticks1; });
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.ticks < b.ticks; });
  Timeline timeline(owners, clock);
  for (const Event& e : events) timeline.take(e);
  return timeline.finish();
}

}  // namespace gotorch::runtime::trace
