#include "runtime/io/pool.h"

#include <signal.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>
#include <mutex>

#include "runtime/io/error.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

// As many as usual disks serve well at once; a name server may let many lookups wait.
constexpr size_t kFileThreads = 4, kLookupThreads = 8;

// A pool that is made when first used, and anew in a forked child, which has none of the threads.
class Pool {
 public:
  explicit Pool(size_t threads) : threads_(threads) {}

  boost::asio::thread_pool& get() {
    if (auto* p = pool_.load(std::memory_order_acquire)) return *p;
    scheduler();  // sees to it that a fork forgets us
    std::lock_guard guard(*lock_);
    if (auto* p = pool_.load(std::memory_order_relaxed)) return *p;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct Restore {
      sigset_t& mask;
      ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
    } restore{before};
    try {
      auto* fresh = new boost::asio::thread_pool(threads_);  // never deleted: it may be in use
      pool_.store(fresh, std::memory_order_release);
      return *fresh;
    } catch (const boost::system::system_error& e) {
      throw IoError(e.code(), "start threads for blocking calls", "");
    }
  }

  void forget_after_fork() {
    lock_ = new std::mutex;  // the other may be held by a thread of the parent
    pool_.store(nullptr, std::memory_order_relaxed);
  }

 private:
  const size_t threads_;
  std::atomic<boost::asio::thread_pool*> pool_{nullptr};
  std::mutex* lock_ = new std::mutex;
};

// Never destroyed: threads may outlive static destructors.
Pool& files() {
  static Pool* pool = new Pool(kFileThreads);
  return *pool;
}
Pool& lookups() {
  static Pool* pool = new Pool(kLookupThreads);
  return *pool;
}

struct Job {
  FnRef<void()> f;
  Goroutine* g;
  std::exception_ptr error{};
  SpinLock lock{};  // held until the goroutine waits

  void run() {
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    Goroutine* waiting = g;
    const bool ours = claim(*waiting);  // nobody else may
    lock.unlock();
    if (ours) ready(waiting);
  }
};

}  // namespace

// Not inlined: Asio asks thread-local variables, whose addresses must not survive a wait.
[[gnu::noinline]] static void post_job(boost::asio::thread_pool& pool, Job& job) {
  boost::asio::post(pool, [&job] { job.run(); });
}

void on_file_thread(const char* what, FnRef<void()> f) {
  refuse_in_simulation(what);
  Job job{f, &self()};
  boost::asio::thread_pool& pool = files().get();
  job.lock.lock();
  try {
    post_job(pool, job);
  } catch (...) {
    job.lock.unlock();
    throw;
  }
  park(*job.g, {.what = what,
                .object = nullptr,
                .unlock = unlock_spin,
                .argument = &job.lock,
                .cancellable = false,
                .interruptible = false});
  if (job.error) std::rethrow_exception(job.error);
}

[[gnu::noinline]] void on_lookup_thread(std::function<void()> f) {
  boost::asio::post(lookups().get(), std::move(f));
}

void forget_pools_after_fork() {
  files().forget_after_fork();
  lookups().forget_after_fork();
}

}  // namespace gotorch::runtime
