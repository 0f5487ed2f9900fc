// libgotorch_locks.so, for LD_PRELOAD: counts the pthread mutexes and read-write locks that each thread holds, see held_locks.h.
// A lock that was not taken through these functions, as by pthread_cond_wait() after its wait, is still counted once: that
// function gives it back and takes it again.
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

namespace {

__thread int held = 0;

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

int counted(int result) {
  if (result == 0 || result == EOWNERDEAD) held++;
  return result;
}

int uncounted(int result) {
  if (result == 0 && held > 0) held--;
  return result;
}

}  // namespace

#define GOTORCH_COUNTS(name, Lock, count)                 \
  extern "C" int name(Lock* lock) {                       \
    static const auto real = next<int (*)(Lock*)>(#name); \
    return count(real(lock));                             \
  }
#define GOTORCH_COUNTS_TIMED(name, Lock)                                   \
  extern "C" int name(Lock* lock, const timespec* until) {                 \
    static const auto real = next<int (*)(Lock*, const timespec*)>(#name); \
    return counted(real(lock, until));                                     \
  }

// <pthread.h> declares these without exceptions.
GOTORCH_COUNTS(pthread_mutex_lock, pthread_mutex_t, counted)
GOTORCH_COUNTS(pthread_mutex_trylock, pthread_mutex_t, counted)
GOTORCH_COUNTS_TIMED(pthread_mutex_timedlock, pthread_mutex_t)
GOTORCH_COUNTS(pthread_mutex_unlock, pthread_mutex_t, uncounted)
GOTORCH_COUNTS(pthread_rwlock_rdlock, pthread_rwlock_t, counted)
GOTORCH_COUNTS(pthread_rwlock_wrlock, pthread_rwlock_t, counted)
GOTORCH_COUNTS(pthread_rwlock_tryrdlock, pthread_rwlock_t, counted)
GOTORCH_COUNTS(pthread_rwlock_trywrlock, pthread_rwlock_t, counted)
GOTORCH_COUNTS(pthread_rwlock_unlock, pthread_rwlock_t, uncounted)

extern "C" int gotorch_held_locks() { return held; }
