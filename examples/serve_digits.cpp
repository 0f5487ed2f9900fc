// Serves the network of train_digits over HTTP. Requests that come at about the same time are
// computed as one batch:
//
//   connections -> requests -> batcher -> batches -> model -> one reply channel to each request
//
//   serve_digits digits.safetensors [address] [max batch] [max delay in microseconds] [max waiting]
//
//   POST /predict   64 grey values from 0 to 16 -> {"digit": 7, "scores": [...]}
//   GET /health     -> {"status": "ok"}
//
// If too many wait, the answer is 503. SIGTERM and SIGINT stop it gracefully: whatever was read of a
// request is answered. In the end it says how many it served, and in which batches.
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>

#include "data/safetensors.h"
#include "digits.h"
#include "grad/autograd.h"
#include "http.h"
#include "runtime/go.h"
#include "tensor/operators.h"

using namespace gotorch;
using namespace std::chrono_literals;
namespace rt = gotorch::runtime;

using Image = std::array<float, 64>;
using Scores = std::array<float, 10>;

struct Job {
  Image image;
  rt::chan<Scores> answer;  // room for one; closed with the error if there is none
};
using Batch = std::vector<Job>;

constexpr std::chrono::milliseconds kIdle = 60s;        // how long a connection may be silent
constexpr std::chrono::milliseconds kGrace = 10s;       // how long it may take to send and to read
constexpr std::chrono::milliseconds kFarewell = 200ms;  // for what is on its way when we stop

struct Options {
  std::string weights;
  std::string address = "127.0.0.1:8080";
  int64_t max_batch = 32;
  std::chrono::microseconds max_delay{2000};
  int64_t max_waiting = 256;
};

struct Statistics {
  std::atomic<int64_t> served{0}, overloaded{0}, refused{0}, batches{0}, largest{0};
};

// The first request waits for others, but not for long.
void collect(const rt::chan<Job>& jobs, const rt::chan<Batch>& batches, const Options& options) {
  while (std::optional<Job> first = jobs.receive()) {
    Batch batch;
    batch.push_back(std::move(*first));
    bool more = true;
    const auto late = std::chrono::steady_clock::now() + options.max_delay;
    while (more && std::ssize(batch) < options.max_batch) {
      rt::select(rt::on_receive(jobs,
                                [&](std::optional<Job> job) {
                                  if (job) batch.push_back(std::move(*job));
                                  else more = false;
                                }),
                 rt::on_timeout(late - std::chrono::steady_clock::now(), [&] { more = false; }));
    }
    batches.send(std::move(batch));
  }
  batches.close();
}

void compute(const rt::chan<Batch>& batches, const Sequential& net, Statistics& statistics) {
  const NoGrad guard;
  for (Batch batch : batches) {
    const int64_t n = std::ssize(batch);
    statistics.batches++;
    statistics.largest = std::max<int64_t>(statistics.largest, n);
    try {
      const Tensor images = empty({n, 1, 8, 8}, Dtype::Float);
      float* pixels = images.data<float>();
      for (const Job& job : batch) pixels = std::copy(job.image.begin(), job.image.end(), pixels);
      const Tensor scores = net(images);
      const float* row = scores.data<float>();
      for (const Job& job : batch) {
        Scores own;
        std::copy_n(row, own.size(), own.begin());
        row += own.size();
        job.answer.send(own);
      }
    } catch (const std::exception&) {
      for (const Job& job : batch) job.answer.close(std::current_exception());
    }
  }
}

Image parse(const std::string& body) {
  Image image;
  const char* at = body.c_str();
  for (float& value : image) {
    char* end;
    value = std::strtof(at, &end) / 16;
    if (end == at || !std::isfinite(value)) throw http::Refused{400, "expected 64 numbers"};
    at = end;
    while (*at == ',' || *at == ' ' || *at == '\n' || *at == '\r') at++;
  }
  if (at != body.c_str() + body.size()) throw http::Refused{400, "more than 64 numbers"};
  return image;
}

std::string json(const Scores& scores) {
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  std::string text = "{\"digit\": " + std::to_string(best) + ", \"scores\": [";
  for (size_t i = 0; i < scores.size(); i++) {
    char number[32];
    std::snprintf(number, sizeof number, "%s%.9g", i ? ", " : "", double(scores[i]));
    text += number;
  }
  return text + "]}\n";
}

// The connections that are open, so that those that wait for a request can be told to hurry.
class Connections {
 public:
  class Entry {
   public:
    Entry(Connections& all, const rt::conn& c) : all_(all), c_(c) {
      const std::lock_guard guard(all_.lock_);
      all_.entries_.insert(this);
    }
    ~Entry() {
      const std::lock_guard guard(all_.lock_);
      all_.entries_.erase(this);
    }
    Entry(const Entry&) = delete;

    void idle() {
      const std::lock_guard guard(all_.lock_);
      idle_ = true;
      c_.set_read_deadline(from_now(all_.stopping_ ? kFarewell : kIdle));
    }
    void busy() {
      const std::lock_guard guard(all_.lock_);
      idle_ = false;
      c_.set_deadline(from_now(kGrace));
    }

   private:
    friend class Connections;
    Connections& all_;
    const rt::conn& c_;
    bool idle_ = false;
  };

  void hurry() {
    const std::lock_guard guard(lock_);
    stopping_ = true;
    for (Entry* e : entries_) {
      if (e->idle_) e->c_.set_read_deadline(from_now(kFarewell));
    }
  }
  bool stopping() const { return stopping_; }

 private:
  static rt::Deadline from_now(std::chrono::milliseconds time) {
    return std::chrono::steady_clock::now() + time;
  }
  rt::mutex lock_;
  std::set<Entry*> entries_;
  std::atomic<bool> stopping_{false};
};

class Server {
 public:
  explicit Server(const Options& options) : options_(options), net_(digits_network()) {
    net_.load_state_dict(load_safetensors(options.weights).tensors);
    net_.eval();
  }

  void run() {
    const rt::chan<int> stop(1);
    rt::notify_signals(stop, {SIGTERM, SIGINT});
    const rt::listener l = rt::listen("tcp", options_.address);
    std::printf("listening on %s\n", l.address().c_str());
    std::fflush(stdout);

    rt::scope model, clients;
    model.go([&] { collect(jobs_, batches_, options_); });
    model.go([&] { compute(batches_, net_, statistics_); });
    clients.go([&] { accept_all(l, clients); });
    stop.receive();
    l.close();
    connections_.hurry();
    clients.join();
    jobs_.close();
    model.join();
    rt::stop_signals(stop);
    std::printf("served %ld in %ld batches of up to %ld; %ld overloaded, %ld refused\n",
                long(statistics_.served), long(statistics_.batches), long(statistics_.largest),
                long(statistics_.overloaded), long(statistics_.refused));
  }

 private:
  void accept_all(const rt::listener& l, rt::scope& clients) {
    for (;;) {
      try {
        clients.go([this, c = l.accept()] { serve(c); });
      } catch (const rt::IoClosed&) {
        return;
      } catch (const rt::IoError&) {  // too many open files: some will be closed
        rt::sleep(10ms);
      }
    }
  }

  void serve(const rt::conn& c) {
    Connections::Entry entry(connections_, c);
    http::Reader reader(c);
    try {
      for (bool keep = true; keep;) {
        entry.idle();
        if (!reader.begin()) return;
        entry.busy();
        try {
          const http::Request request = reader.next();
          const auto [status, body] = answer(request);
          keep = request.keep_alive && !connections_.stopping();
          c.write(http::reply(status, body, keep));
        } catch (const http::Refused& refused) {
          keep = false;
          statistics_.refused++;
          c.write(http::reply(refused.status, "{\"error\": \"" + refused.why + "\"}\n", keep));
        }
      }
      // What the client still sends must not make the system drop our reply with the connection.
      c.close_write();
      for (char rest[4096]; c.read(rest) > 0;) {
      }
    } catch (const rt::IoError&) {  // it is gone, or silent for too long
    }
  }

  std::pair<int, std::string> answer(const http::Request& request) {
    const bool predict = request.target == "/predict";
    if (!predict && request.target != "/health") return {404, "{\"error\": \"no such page\"}\n"};
    if (request.method != (predict ? "POST" : "GET")) {
      return {405, "{\"error\": \"no such method\"}\n"};
    }
    return predict ? prediction(parse(request.body)) : std::pair(200, "{\"status\": \"ok\"}\n");
  }

  std::pair<int, std::string> prediction(const Image& image) {
    struct Waiting {
      std::atomic<int64_t>& count;
      const int64_t before = count++;
      ~Waiting() { count--; }
    } waiting{waiting_};
    if (waiting.before >= options_.max_waiting) {
      statistics_.overloaded++;
      return {503, "{\"error\": \"too many requests wait\"}\n"};
    }
    const rt::chan<Scores> scores(1);
    jobs_.send({image, scores});
    try {
      std::string text = json(*scores.receive());
      statistics_.served++;
      return {200, text};
    } catch (const Error& e) {
      std::fprintf(stderr, "serve_digits: %s\n", e.what());
      return {500, "{\"error\": \"the network failed\"}\n"};
    }
  }

  const Options options_;
  const Sequential net_;
  Statistics statistics_;
  Connections connections_;
  std::atomic<int64_t> waiting_{0};
  const rt::chan<Job> jobs_{0};
  const rt::chan<Batch> batches_{0};
};

// False: not as described at the top.
bool parse_options(int argc, char** argv, Options& options) {
  if (argc < 2 || argc > 6) return false;
  options.weights = argv[1];
  if (argc > 2) options.address = argv[2];
  if (argc > 3) options.max_batch = std::atoll(argv[3]);
  if (argc > 4) options.max_delay = std::chrono::microseconds(std::atoll(argv[4]));
  if (argc > 5) options.max_waiting = std::atoll(argv[5]);
  return options.max_batch > 0 && options.max_delay.count() >= 0 && options.max_waiting > 0;
}

int main(int argc, char** argv) {
  Options options;
  if (!parse_options(argc, argv, options)) {
    std::puts(
        "usage: serve_digits digits.safetensors [address] [max batch] "
        "[max delay in microseconds] [max waiting]");
    return 2;
  }
  try {
    Server(options).run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "serve_digits: %s\n", e.what());
    return 1;
  }
}
